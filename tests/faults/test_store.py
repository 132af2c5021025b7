"""What the store promises when processes collide, are killed, or find their files altered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import MissingTensors, Store

RECORD = Record("curve", 1, {"seed": 0}, scalars={"minimum": 0.5}, series={"loss": [1.0, 2.0]})
TENSORS = {"bend": torch.arange(4.0), "count": torch.tensor(3)}

# Each of four processes wants the same record; each that computes it leaves a line.
COMPUTE_ONCE = """
import sys, time
from pathlib import Path
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store

folder = Path(sys.argv[1])
store, wanted = Store(folder / "store"), Record("curve", 1, {"seed": 0})
(folder / f"ready-{sys.argv[2]}").touch()
while len(list(folder.glob("ready-*"))) < int(sys.argv[3]):
    time.sleep(0.005)
with store.lock(wanted.key):
    if store.get(wanted.key, "curve") is None:
        with (folder / "computed").open("a") as lines:
            lines.write(sys.argv[2] + "\\n")
        time.sleep(0.2)
        store.put(wanted)
assert store.get(wanted.key, "curve") == wanted
"""

# A forked child puts versions of one record as fast as it can, and is killed; then the store is
# read as the next process would. Store warnings are errors: nothing may have to be set aside.
KILL_WRITERS = """
import os, random, signal, sys, time, warnings
from pathlib import Path
import torch
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store

warnings.simplefilter("error", UserWarning)
store, chance, wanted = Store(Path(sys.argv[1])), random.Random(0), int(sys.argv[2])

def write(trial, versions):
    for version in versions:
        tensors = {"bend": torch.full((50_000 + version,), float(version))}
        scalars, series = {"version": version}, {"loss": [float(version)] * (4000 + version)}
        store.put(Record("curve", 1, {"trial": trial}, scalars=scalars, series=series), tensors)

begin = time.perf_counter()
write(-1, range(3))
once = (time.perf_counter() - begin) / 3

found = absent = 0
while found < wanted:
    trial = found + absent
    child = os.fork()
    if child == 0:
        write(trial, range(10_000))
        os._exit(0)
    time.sleep(chance.uniform(0, 5 * once))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    record = store.get(Record("curve", 1, {"trial": trial}).key, "curve")
    if record is None:
        absent += 1
        continue
    found += 1
    version = record.scalars["version"]
    assert record.series["loss"] == [float(version)] * (4000 + version)
    bend = store.tensors(record)["bend"]
    assert bend.shape == (50_000 + version,) and bool((bend == version).all())
assert store.damaged() == [], store.damaged()
"""

# Holds the lock until it is killed.
HOLD_FOREVER = """
import sys, time
from pathlib import Path
from modeconn_lib.results.store import Store

with Store(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


def start(script: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return out


def test_of_processes_that_want_one_record_at_once_one_computes_it(tmp_path):
    processes = [start(COMPUTE_ONCE, tmp_path, i, 3) for i in range(3)]
    for process in processes:
        finish(process)
    assert len((tmp_path / "computed").read_text().split()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_writers_leave_every_record_whole_or_absent(tmp_path):
    finish(start(KILL_WRITERS, tmp_path, 25))


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    process = start(HOLD_FOREVER, tmp_path, RECORD.key)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    with Store(tmp_path).lock(RECORD.key):
        pass


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store with one record; each example damages a fresh copy of one of its files."""
    store = Store(tmp_path_factory.mktemp("store"))
    record = store.put(RECORD, TENSORS)
    step = store.local / "curve"
    files = {"json": step / f"{record.key[:16]}.json"}
    files["safetensors"] = step / f"{record.tensors['sha256'][:16]}.safetensors"
    return store, record, {kind: (path, path.read_bytes()) for kind, path in files.items()}


def altered(data: bytes, where: float, bit: int | None) -> bytes:
    """Flip a bit at a relative position, or cut there if `bit` is None."""
    position = min(int(where * len(data)), len(data) - 1)
    if bit is None:
        return data[:position]
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


places = st.floats(0, 1)
bits = st.none() | st.integers(0, 7)


@given(where=places, bit=bits)
def test_an_altered_local_record_is_absent_and_can_be_written_again(written, where, bit):
    store, record, files = written
    path, data = files["json"]
    path.write_bytes(altered(data, where, bit))
    with pytest.warns(UserWarning, match="damaged or truncated.* moved to"):
        assert store.get(record.key, "curve") is None
    store.put(RECORD, TENSORS)
    assert store.get(record.key, "curve") == record


@given(where=places, bit=bits)
def test_altered_local_tensors_are_missing_and_can_be_written_again(written, where, bit):
    store, record, files = written
    path, data = files["safetensors"]
    path.write_bytes(altered(data, where, bit))
    with (
        pytest.warns(UserWarning, match="damaged or truncated.* moved to"),
        pytest.raises(MissingTensors, match="compute the record again"),
    ):
        store.tensors(record)
    store.put(RECORD, TENSORS)
    assert torch.equal(store.tensors(record)["bend"], TENSORS["bend"])


@given(kind=st.sampled_from(["json", "safetensors"]), where=places, bit=bits)
def test_an_altered_recorded_file_stops_and_stays(written, kind, where, bit):
    store, record, files = written
    reader = Store(Path("/nonexistent/local"), (store.local,))
    path, data = files[kind]
    path.write_bytes(altered(data, where, bit))
    try:
        with pytest.raises(DamagedFile, match="restore it"):
            reader.tensors(reader.get(record.key, "curve"))
        assert path.exists()
    finally:
        path.write_bytes(data)


def test_of_two_readers_of_a_damaged_file_the_later_one_finds_nothing_to_move(written):
    store, record, files = written
    path, data = files["json"]
    path.write_bytes(data[:-1])
    with pytest.warns(UserWarning, match="moved to"):
        store._set_aside(path, "first")
    with pytest.warns(UserWarning, match="moved to"):
        store._set_aside(path, "second")
    path.write_bytes(data)
    assert store.get(record.key, "curve") == record
