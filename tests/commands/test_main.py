"""Every end of the command line has its status, and one line that says why."""

import subprocess
import sys

import pytest

from modeconn_lib import __main__ as command
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.results.store import MissingTensors
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--profile", "fast"], "unknown profile 'fast'; known: smoke"),
        (["run", "--dataset", "cifar"], "unknown data set 'cifar'; known: cifar10"),
        (["run", "--architecture", "vgg"], "unknown architecture 'vgg'; known: mlp"),
        (["run", "--pairs", "-1"], "parameter 'pairs' is -1: input should be greater"),
        (["run", "--seed", "-1"], "parameter 'seed' is -1: input should be greater"),
        (["run", "99"], "unknown chapter '99'; known: 11_"),
        (["run", "--time-limit", "soon"], "cannot read the time limit 'soon'"),
        (["run", "13", "--task", "x"], "0 tasks of this plan have a key that begins with 'x'"),
        (
            ["run", "13", "--profile", "tiny", "--dataset", "mnist"],
            "the train images of mnist were not",
        ),
        (["plan", "--profile", "fast"], "unknown profile 'fast'; known: smoke"),
        (["plan", "99"], "unknown chapter '99'; known: 11_"),
        (["data", "fetch", "cifar"], "unknown data set 'cifar'; known: cifar10"),
        (["book", "--time-limit", "0"], "cannot read the time limit '0'"),
        (["book"], "no notebooks in "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_in_one_line_with_status_2_before_any_work(
    modeconn, folder, arguments, message
):
    status, _, err = modeconn(*arguments)
    assert status == 2
    assert err.startswith(f"modeconn: {message}")
    assert err.count("\n") == 1
    assert not list(folder.glob("*"))


@pytest.mark.parametrize(
    "arguments", [["run", "--jobs", "-1"], ["run", "--epochs", "3"], ["fly"]], ids=" ".join
)
def test_what_the_parser_refuses_has_status_2_too(modeconn, arguments):
    status, out, err = modeconn(*arguments)
    assert (status, out) == (2, "")
    assert any(word in err for word in arguments)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Refusal("what to do"), 2, "what to do"),
        (OutOfTime("stopped"), 3, "stopped; run the same command again to go on"),
        (DamagedFile("file"), 1, "file"),
        (MissingTensors("tensors"), 1, "tensors"),
        (NonFiniteLoss("inf"), 1, "inf"),
        (RuntimeError("failed"), 1, "failed"),
        (PermissionError(13, "no", "/x"), 1, "[Errno 13] no: '/x'"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to go on"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_known_failure_has_a_status_and_one_line(
    modeconn, monkeypatch, error, status, message
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("modeconn_lib.commands.check.check_everything", fail)
    assert modeconn("check") == (status, "", f"modeconn: {message}\n")


def test_a_failure_that_nobody_foresaw_shows_where_it_was(monkeypatch):
    def fail():
        raise KeyError("a bug")

    monkeypatch.setattr("modeconn_lib.commands.check.check_everything", fail)
    monkeypatch.setattr(sys, "argv", ["modeconn", "check"])
    with pytest.raises(KeyError, match="a bug"):
        command.main()


def test_the_module_is_the_command_and_help_names_what_there_is():
    done = subprocess.run(
        [sys.executable, "-m", "modeconn_lib", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    for name in ("align", "merge", "run", "plan", "book", "check", "data"):
        assert f" {name} " in done.stdout


@pytest.mark.parametrize("name", ["align", "merge"])
def test_help_says_where_data_come_from_and_how_they_are_normalised(modeconn, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "400")
    status, out, _ = modeconn(name, "--help")
    assert status == 0
    for words in ("`modeconn data list`", "MODECONN_DATA", "--mean 0 --std 1: pixels from 0 to 1"):
        assert words in out
