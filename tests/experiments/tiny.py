"""A profile that a test can afford, and programs that run it as the command line would."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from modeconn_lib.experiments.profiles import SMOKE
from modeconn_lib.training.fit import Recipe

TINY = replace(
    SMOKE,
    architecture="mlp_small",
    pairs=1,
    train_examples=64,
    test_examples=40,
    batch_size=16,
    endpoint=Recipe(epochs=2),
    curve=Recipe(epochs=2, weight_decay=0.0),
    align_examples=32,
    statistics_examples=32,
    measure_examples=32,
)

# The command line with the profile `tiny` added. `{before}` is put in for the test's own changes.
PROGRAM = """
import sys
from dataclasses import replace
from modeconn_lib.__main__ import main
from modeconn_lib.experiments.neuron_alignment import curve_profiles
from modeconn_lib.experiments.profiles import PROFILES
from tests.experiments.tiny import TINY

PROFILES["tiny"] = TINY
curve_profiles.PROFILES["tiny"] = (TINY,)
{before}
sys.argv = ["modeconn", *sys.argv[1:]]
main()
"""


def start(store: Path, arguments: Sequence[object], before: str = "") -> subprocess.Popen:
    """Start `modeconn` with these arguments on a store, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if name != "MODECONN_DATA"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(before=before), *map(str, arguments)],
        env={**clean, "MODECONN_STORE": str(store), "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, status: int = 0) -> str:
    """Wait for the end, which must have this exit status, and return what it printed."""
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == status, err
    return out
