"""A run that is killed at any moment, and the same command again, give what one run gives.

Every test starts the real command in processes of its own.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from modeconn_lib.experiments.neuron_alignment import learned_curves
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.results.store import Store
from tests.experiments.tiny import TINY, finish, start

RUN = ("run", "13", "--profile", "tiny")

# Slow steps and a checkpoint after each of them, so that a kill finds training half done.
SLOWLY = """
import time
from functools import partial
from modeconn_lib.experiments import work

def fit(objective, *arguments, **options):
    gradient = objective.gradient

    def slow(*batch):
        time.sleep(0.05)
        return gradient(*batch)

    objective.gradient = slow
    return training(objective, *arguments, **options, save_every=0.0)

training, work.fit = work.fit, fit
"""

# A shell starts processes in the background with Ctrl-C ignored; the tests may run like that.
LISTENING = """
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
"""

# Writes a line for every record that this process makes.
COUNTING = """
import os
from pathlib import Path
from modeconn_lib.results.store import Store

def put(self, record, tensors=None):
    with (self.local.parent / "made").open("a") as lines:
        lines.write(record.key + "\\n")
    return write(self, record, tensors)

write, Store.put = Store.put, put
"""


@pytest.fixture(scope="module")
def plan():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, "tiny", TINY)
        return learned_curves.plan(setting(profile="tiny"))


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    """The digest of the tensors of every record of a run that nobody disturbed."""
    store, threads = Store(tmp_path_factory.mktemp("whole")), torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes that the tests start
    try:
        run(plan, store, Options(jobs=1))
    finally:
        torch.set_num_threads(threads)
    return digests(plan, store)


def digests(plan, store):
    found = {name: store.get(task.key, task.step) for name, task in plan.items()}
    return {name: record.tensors and record.tensors["sha256"] for name, record in found.items()}


def wait_for(happened, process, seconds=300):
    end = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def position(store):
    """How far the trainings have come that are under way: key to (epoch, step)."""
    found = {}
    for path in (store.local / "scratch").glob("*/checkpoint.json"):
        at = json.loads(path.read_text())["position"]
        found[path.parent.name] = (at["epoch"], at["step"])
    return found


@pytest.mark.parametrize(("name", "since"), [("endpoint/0/A", (0, 2)), ("curve/0/aligned", (1, 1))])
def test_killed_while_training_and_started_again_gives_the_same_weights(
    plan, whole, tmp_path, name, since
):
    store, key = Store(tmp_path / "store"), plan[name].key[:16]
    killed = start(store.local, [*RUN, "--jobs", 1], SLOWLY)
    wait_for(lambda: position(store).get(key, (0, 0)) >= since, killed)
    killed.kill()
    killed.communicate()
    assert store.get(plan[name].key, plan[name].step) is None
    assert position(store)[key] >= since
    finish(start(store.local, [*RUN, "--jobs", 1]))
    assert digests(plan, store) == whole
    assert not list((store.local / "scratch").iterdir())


def children(parent):
    """The children of a process that have not ended, and what they run."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, above = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(above) == parent and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes()
    return found


def alive(processes):
    """Those of the processes that still run the same program."""
    out = []
    for number, program in processes.items():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (Path("/proc") / str(number) / "cmdline").read_bytes() == program:
                out.append(number)
    return out


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="sees processes in /proc")
def test_the_workers_of_a_killed_run_end_and_what_they_did_goes_on(plan, whole, tmp_path):
    store = Store(tmp_path / "store")
    killed = start(store.local, [*RUN, "--jobs", 2])
    wait_for(lambda: list((store.local / "scratch").glob("*")), killed)
    workers = children(killed.pid)
    assert len(workers) >= 2
    killed.kill()
    killed.wait()
    try:
        end = time.monotonic() + 60
        while alive(workers):
            assert time.monotonic() < end, "workers outlive their parent"
            time.sleep(0.05)
    finally:
        for number in alive(workers):
            os.kill(number, signal.SIGKILL)
    killed.communicate()
    finish(start(store.local, [*RUN, "--jobs", 2]))
    assert digests(plan, store) == whole


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_says_how_to_go_on(tmp_path, asked):
    store = Store(tmp_path / "store")
    process = start(store.local, [*RUN, "--jobs", 1], SLOWLY + LISTENING)
    try:
        wait_for(lambda: position(store), process)
        process.send_signal(asked)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.endswith("\nmodeconn: interrupted; run the same command again to go on\n")


def test_of_two_runs_at_once_each_record_is_made_by_one(plan, whole, tmp_path):
    store = Store(tmp_path / "store")
    both = [start(store.local, [*RUN, "--jobs", 1], COUNTING) for _ in range(2)]
    for process in both:
        finish(process)
    made = (tmp_path / "made").read_text().split()
    assert sorted(made) == sorted(task.key for task in in_order(plan.values()))
    assert digests(plan, store) == whole
