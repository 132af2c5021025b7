"""`modeconn check` reads everything, finds one changed bit, and touches nothing."""

import numpy as np
import pytest

from modeconn_lib.datasets.registry import DATASETS
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import setting


@pytest.fixture
def made(modeconn, folder):
    """The two files of a record with tensors."""
    task = tasks.endpoint(setting(profile="tiny"), 0, 0)
    modeconn("run", "13", "--profile", "tiny", "--jobs", 1, "--task", task.key)
    return sorted([*folder.glob("*/*.json"), *folder.glob("*/*.safetensors")])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_whole_store_passes(modeconn, made, folder):
    status, out, err = modeconn("check")
    assert (status, err) == (0, "")
    assert out.endswith("all whole\n")
    assert f"records: 1 in {folder}" in out
    assert "data: fashion_mnist_small: 10,000 train, 2,000 test, verified" in out
    for name in DATASETS.keys() - {"fashion_mnist_small"}:
        assert f"data: {name}: not here" in out


def test_a_flipped_byte_in_any_file_is_found_and_named(modeconn, made):
    assert len(made) == 2
    for path in made:
        whole = path.read_bytes()
        flip(path)
        status, out, _ = modeconn("check")
        assert status == 1
        assert [str(path) in line for line in out.splitlines() if "DAMAGED" in line] == [True]
        assert out.endswith("1 damaged\n")
        path.write_bytes(whole)


def test_a_truncated_data_set_is_found(modeconn, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MODECONN_DATA", str(tmp_path / "data"))
    path = tmp_path / "data" / "mnist" / "train.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, images=np.zeros((3, 28, 28), np.uint8), labels=np.zeros(3, np.int64))
    status, out, _ = modeconn("check")
    assert status == 1
    assert f"DAMAGED: {path} holds 3 labels" in out
