"""A wrong parameter of a notebook ends in one clear line before anything is trained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WRONG = {
    "an unknown architecture": (
        {"architecture": "nonsense"},
        "unknown architecture 'nonsense'; known: ",
    ),
    "a negative number of pairs": ({"pairs": "-1"}, "parameter 'pairs' is -1: "),
    "an unknown parameter": ({"colour": "red"}, "unknown parameter 'colour'; known: "),
    "a data set that is not here": ({"dataset": "tiny_imagenet"}, "tiny_imagenet"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_papermill_is_refused_in_one_line(tmp_path, wrong):
    parameters, said = WRONG[wrong]
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS[-1]), str(tmp_path / "out.ipynb")]
    command += ["--cwd", str(ROOT), "-k", "python3", "--no-progress-bar"]
    for name, value in parameters.items():
        command += ["-p", name, value]
    nowhere = {"MODECONN_DATA": str(tmp_path), "MODECONN_STORE": str(tmp_path / "store")}
    environment = os.environ | nowhere | {"MODECONN_BUILD": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    last = [line for line in done.stderr.splitlines() if line.strip()][-1]
    assert last.startswith(("Refusal: ", "MissingData: ")), done.stderr[-2000:]
    assert said in last
    assert not list((tmp_path / "store").rglob("*.json"))
