"""What the pages tell users to type does what they say."""

import re
import shlex
import sys

import torch
import typer

from modeconn_lib.__main__ import app


def page_blocks(root, language):
    """The code of the page about one's own networks, block by block."""
    text = (root / "book" / "own_networks.md").read_text("utf8")
    fence = rf"^```(?:\{{code-block\}} )?{language}\n(.*?)^```"
    return re.findall(fence, text, re.MULTILINE | re.DOTALL)


def test_the_page_about_ones_own_networks_can_be_followed(
    modeconn, folder, root, tmp_path, monkeypatch
):
    network, convert, override, library, path = page_blocks(root, "python")
    (tmp_path / "my_network.py").write_text(network)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_network", raising=False)
    from my_network import build

    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        torch.save(build().state_dict(), f"{name}.pt")
    exec(convert, {})
    exec(override, {})
    tables = []
    for line in "".join(page_blocks(root, "console")).splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        status, out, _ = modeconn(*words)
        assert (program, status) == ("modeconn", 0), line
        tables.append(re.findall(r"^(\w+) +\d+ +\d+ +-?\d\.", out, re.MULTILINE))
    groups = ["stem", "inner", "left", "right"]
    assert tables == [groups, groups, ["stem", "left", "right"]]
    exec(library, found := {})
    build().load_state_dict(found["aligned"])
    exec(path, found)
    build().load_state_dict(found["halfway"])
    for t, end in ((0.0, "a"), (1.0, "b")):
        there = found["connection"].path.at(t)
        assert all(torch.equal(there[name], value) for name, value in found[end].items())
    del sys.modules["my_network"]


def test_the_commands_of_the_readme_are_understood(root):
    text = (root / "README.md").read_text("utf8")
    lines = re.findall(r"^\$ modeconn (align|merge) (.*)$", text, re.MULTILINE)
    assert [name for name, _ in lines] == ["align", "merge"]
    for name, words in lines:
        known = typer.main.get_command(app).commands[name]
        assert known.make_context(name, shlex.split(words)).params["arch"] == "my_network:build"
