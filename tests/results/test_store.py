"""The store gives back what was put, from the right folder, and never half of it."""

import os
import threading
import time
from dataclasses import replace

import pytest
import torch

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.results import store as module
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import MissingTensors, Store, open_store

RECORD = Record("curve", 1, {"seed": 0}, scalars={"minimum": 0.5})
TENSORS = {"bend": torch.arange(6.0).view(2, 3), "count": torch.tensor(3)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "local", (tmp_path / "first", tmp_path / "second"))


def test_what_was_put_is_got(store):
    record = store.put(RECORD, TENSORS)
    assert store.get(RECORD.key, "curve") == record
    assert record.scalars == RECORD.scalars
    found = store.tensors(record)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_a_record_lies_under_its_step_and_the_beginning_of_its_key(store):
    record = store.put(RECORD, TENSORS)
    assert {path.relative_to(store.local).as_posix() for path in store.local.rglob("*.*")} == {
        f"curve/{record.key[:16]}.json",
        f"curve/{record.tensors['sha256'][:16]}.safetensors",
    }


def test_what_was_not_put_is_absent(store):
    store.put(RECORD)
    assert store.get(replace(RECORD, version=2).key, "curve") is None
    assert store.get(RECORD.key, "other") is None


def test_the_later_of_two_results_of_one_key_counts(store):
    store.put(RECORD)
    store.put(replace(RECORD, scalars={"minimum": 0.75}))
    assert store.get(RECORD.key, "curve").scalars == {"minimum": 0.75}


def test_the_local_folder_is_asked_first_and_then_the_recorded_ones_in_order(store):
    def put(folder, minimum):
        Store(folder).put(replace(RECORD, scalars={"minimum": minimum}))

    found = []
    for folder, minimum in ((store.recorded[1], 2), (store.recorded[0], 1), (store.local, 0)):
        put(folder, minimum)
        found.append(store.get(RECORD.key, "curve").scalars["minimum"])
    assert found == [2, 1, 0]
    assert [record.scalars["minimum"] for record in store.records("curve")] == [0]


def test_tensors_are_found_in_another_folder_than_the_record(store):
    record = Store(store.recorded[1]).put(RECORD, TENSORS)
    store.put(record)
    assert torch.equal(store.tensors(record)["bend"], TENSORS["bend"])
    assert store.has_tensors(record)


def test_records_gives_all_of_a_step_and_no_other(store):
    others = [replace(RECORD, config={"seed": seed}) for seed in range(3)]
    store.put(others[0])
    Store(store.recorded[0]).put(others[1])
    Store(store.recorded[1]).put(others[2])
    store.put(replace(RECORD, step="endpoint"))
    assert {record.key for record in store.records("curve")} == {record.key for record in others}
    assert store.records("nothing") == ()


def test_a_step_without_tensors_says_so(store):
    assert not store.has_tensors(store.put(RECORD))
    with pytest.raises(MissingTensors, match=rf"curve {RECORD.key[:16]} keeps no tensors"):
        store.tensors(RECORD)


def test_tensors_that_are_nowhere_are_missed_with_the_remedy(store):
    record = store.put(RECORD, TENSORS)
    (store.local / "curve" / f"{record.tensors['sha256'][:16]}.safetensors").unlink()
    assert not store.has_tensors(record)
    with pytest.raises(MissingTensors, match=r"neither in .*local.* compute the record again"):
        store.tensors(record)


def test_a_damaged_local_record_is_set_aside_and_then_absent(store):
    store.put(RECORD)
    path = store.local / "curve" / f"{RECORD.key[:16]}.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged.* moved to .*\.damaged"):
        assert store.get(RECORD.key, "curve") is None
    assert not path.exists()
    assert path.with_name(f"{path.name}.damaged").exists()
    store.put(RECORD)
    assert store.get(RECORD.key, "curve") == RECORD


def test_behind_a_damaged_local_record_the_recorded_one_is_found(store):
    store.put(RECORD)
    Store(store.recorded[0]).put(RECORD)
    (store.local / "curve" / f"{RECORD.key[:16]}.json").write_bytes(b"{}")
    with pytest.warns(UserWarning, match="damaged"):
        assert store.get(RECORD.key, "curve") == RECORD


def test_a_damaged_recorded_record_stops_with_its_path_and_the_remedy(store):
    Store(store.recorded[0]).put(RECORD)
    path = store.recorded[0] / "curve" / f"{RECORD.key[:16]}.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFile, match=rf"{path.name} is damaged.*git checkout -- .*json"):
        store.get(RECORD.key, "curve")
    assert path.exists()


def test_a_file_under_another_records_name_is_not_taken_for_it(store):
    store.put(RECORD)
    other = replace(RECORD, version=2)
    path = store.local / "curve" / f"{RECORD.key[:16]}.json"
    path.rename(path.with_name(f"{other.key[:16]}.json"))
    with pytest.warns(UserWarning, match="holds another record: curve"):
        assert store.get(other.key, "curve") is None


def test_damaged_local_tensors_are_set_aside_and_then_missing(store):
    record = store.put(RECORD, TENSORS)
    path = store.local / "curve" / f"{record.tensors['sha256'][:16]}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert not store.has_tensors(record)
    with (
        pytest.warns(UserWarning, match=rf"{path.name} is damaged.* moved to"),
        pytest.raises(MissingTensors, match="compute the record again"),
    ):
        store.tensors(record)
    assert store.put(RECORD, TENSORS) == record
    assert torch.equal(store.tensors(record)["bend"], TENSORS["bend"])


def test_publish_copies_records_with_their_small_tensors(store, tmp_path, monkeypatch):
    small = store.put(RECORD, TENSORS)
    large = store.put(replace(RECORD, version=2), {"weight": torch.zeros(300)})
    bare = store.put(replace(RECORD, version=3))
    monkeypatch.setattr(module, "PUBLISHED_BYTES", 1000)
    files = store.publish([small, large, bare], tmp_path / "published")
    assert set(files) == set((tmp_path / "published").rglob("*.*"))
    elsewhere = Store(tmp_path / "empty", (tmp_path / "published",))
    assert [elsewhere.get(record.key, "curve") for record in (small, large, bare)] == [
        small,
        large,
        bare,
    ]
    assert torch.equal(elsewhere.tensors(small)["bend"], TENSORS["bend"])
    with pytest.raises(MissingTensors, match="large ones are not"):
        elsewhere.tensors(large)


def test_publish_refuses_a_record_whose_small_tensors_are_gone(store, tmp_path):
    record = store.put(RECORD, TENSORS)
    (store.local / "curve" / f"{record.tensors['sha256'][:16]}.safetensors").unlink()
    with pytest.raises(MissingTensors, match="neither in"):
        store.publish([record], tmp_path / "published")
    assert not list((tmp_path / "published").rglob("*.json"))


def test_damaged_names_each_damaged_file_of_every_folder_and_moves_none(store):
    record = store.put(RECORD, TENSORS)
    Store(store.recorded[1]).put(RECORD, TENSORS)
    Store(store.recorded[0]).put(replace(RECORD, version=2))
    assert store.damaged() == []
    tensors = store.local / "curve" / f"{record.tensors['sha256'][:16]}.safetensors"
    data = tensors.read_bytes()
    tensors.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    recorded = store.recorded[0] / "curve" / f"{replace(RECORD, version=2).key[:16]}.json"
    recorded.write_bytes(b"")
    first, second = store.damaged()
    assert str(tensors) in first
    assert str(recorded) in second
    tensors.unlink()  # absent is not damaged
    assert len(store.damaged()) == 1


def test_scratch_is_a_folder_for_a_key_and_is_cleared(store):
    folder = store.scratch(RECORD.key)
    (folder / "checkpoint.json").write_text("{}")
    assert store.scratch(RECORD.key) == folder
    assert store.scratch(replace(RECORD, version=2).key) != folder
    assert store.damaged() == []  # unfinished work is not a record
    store.clear_scratch(RECORD.key)
    assert not folder.exists()
    store.clear_scratch(RECORD.key)


def test_a_waiting_process_says_so(store, caplog):
    caplog.set_level("INFO", logger=module.__name__)
    entered, leave, messages = threading.Event(), threading.Event(), []

    def holder():
        with store.lock(RECORD.key):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=holder)
    thread.start()
    assert entered.wait(10)
    threading.Timer(0.2, leave.set).start()
    with store.lock(RECORD.key):
        assert leave.is_set()
        messages = [message.getMessage() for message in caplog.records]
    thread.join()
    assert messages == [f"waiting for another process, which computes {RECORD.key[:16]}"]


def test_locks_of_two_keys_do_not_wait_for_each_other(store):
    with store.lock(RECORD.key), store.lock(replace(RECORD, version=2).key):
        pass


def test_the_store_lies_where_it_is_told_then_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MODECONN_STORE", str(tmp_path / "environment"))
    assert open_store(tmp_path / "told").local == tmp_path / "told"
    assert open_store().local == tmp_path / "environment"
    monkeypatch.delenv("MODECONN_STORE")
    monkeypatch.setattr(module.provenance, "PACKAGE", tmp_path / "home" / "package")
    monkeypatch.chdir(tmp_path)
    assert open_store().local == tmp_path / "_build" / "results"  # outside of a checkout
    assert open_store().recorded == (tmp_path / "data" / "results",)
    (tmp_path / "home" / "data" / "results").mkdir(parents=True)
    assert open_store().local == tmp_path / "home" / "_build" / "results"
    assert open_store().recorded == (tmp_path / "home" / "data" / "results",)


def test_a_relative_store_stays_when_the_current_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODECONN_STORE", "here")
    assert open_store().local == tmp_path / "here"


def test_opening_asks_for_the_commit_before_any_work(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module.provenance, "source", lambda: asked.append(1))
    open_store(tmp_path)
    assert asked == [1]


def test_opening_removes_what_killed_writers_left_a_day_ago_and_nothing_younger(tmp_path):
    store = open_store(tmp_path)
    store.put(RECORD)
    old, young = tmp_path / "curve" / ".a.json.x.part", tmp_path / "curve" / ".b.json.x.part"
    for path in (old, young):
        path.write_bytes(b"half")
    yesterday = time.time() - 90_000
    os.utime(old, (yesterday, yesterday))
    os.utime(tmp_path / "curve" / f"{RECORD.key[:16]}.json", (yesterday, yesterday))
    open_store(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert store.get(RECORD.key, "curve") == RECORD
