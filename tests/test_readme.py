"""What the README tells the reader to type works."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from modeconn_lib.experiments.parameters import setting

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ["README.md", "CONTRIBUTING.md", "book/reproduce.md"]


def blocks(text: str, language: str) -> list[str]:
    """Every fenced block of one language, MyST's directive included."""
    fence = rf"^```(?:\{{code-block\}} )?{language}\n(.*?)^```"
    return re.findall(fence, text, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Every command line of the texts that calls a program, split into words."""
    lines = [
        line.removeprefix("$ ")
        for name in TEXTS
        for block in blocks((ROOT / name).read_text("utf8"), "console")
        for line in block.splitlines()
    ]
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if words and Path(words[0]).name == program]


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_every_make_command_is_one_that_make_knows(words):
    done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = {word.partition("=")[0] for word in words[1:] if "=" in word}
    makefile = (ROOT / "Makefile").read_text("utf8")
    assert all(f"$({option})" in makefile for option in options)


@pytest.mark.parametrize("words", commands("papermill"), ids=" ".join)
def test_every_papermill_command_names_a_notebook_and_its_parameters(words):
    cells = json.loads((ROOT / words[1]).read_text("utf8"))["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    kinds = {s.target.id: s.annotation.id for s in ast.parse("".join(cell["source"])).body}
    given = {}
    for flag, name, value in zip(words[3::3], words[4::3], words[5::3], strict=True):
        assert flag == "-p"
        given[name] = {"int": int, "str": str}[kinds[name]](value)
    setting(**given)


def test_there_is_something_to_type():
    assert len(commands("make")) >= 4
    assert len(commands("papermill")) >= 2


def test_the_example_of_the_library_runs():
    (example,) = blocks((ROOT / "README.md").read_text("utf8"), "python")
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["group", "units", "corr.", "before", "after"]
    assert all(float(row.split()[3]) > float(row.split()[2]) for row in rows[:-1])


def test_the_pictures_and_links_of_the_readme_are_there():
    text = (ROOT / "README.md").read_text("utf8")
    for target in re.findall(r'src="([^"]+)"|\]\(([^)]+)\)', text):
        assert (ROOT / "".join(target)).is_file(), target
