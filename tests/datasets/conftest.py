"""A world without data, and the means to fill it."""

import gzip

import numpy as np
import pytest
from PIL import Image

from modeconn_lib.datasets import sources
from modeconn_lib.datasets.info import DatasetInfo
from modeconn_lib.datasets.registry import DATASETS


@pytest.fixture(autouse=True)
def no_data_here(monkeypatch, tmp_path):
    """Neither a data folder nor a cache nor a system package, whatever the machine has."""
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "SYSTEM", tmp_path / "system")


@pytest.fixture
def random_split():
    """Images (n, height, width[, 3]) and labels, drawn from a seed."""

    def make(n=12, shape=(5, 4, 3), classes=3, seed=0):
        g = np.random.default_rng(seed)
        return g.integers(0, 256, (n, *shape), np.uint8), g.integers(0, classes, n)

    return make


@pytest.fixture
def toy(monkeypatch):
    """Add a data set called toy to the registry: 12 + 12 images of 3 x 5 x 4, three classes."""

    def add(**changes):
        known = {
            "name": "toy",
            "title": "Toy",
            "shape": (3, 5, 4),
            "classes": 3,
            "train": 12,
            "test": 12,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "licence": "",
            "source": "",
        }
        info = DatasetInfo(**(known | changes))
        monkeypatch.setitem(DATASETS, "toy", info)
        return info

    return add


@pytest.fixture
def prepare():
    """Write a prepared file."""

    def write(folder, name, split, images, labels):
        (folder / name).mkdir(parents=True, exist_ok=True)
        np.savez(folder / name / f"{split}.npz", images=images, labels=labels)
        return folder / name / f"{split}.npz"

    return write


@pytest.fixture
def write_idx():
    """Write one IDX file of bytes."""

    def write(path, array):
        header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        data = header + array.astype(np.uint8).tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture
def write_picture():
    """Write one picture: by its ending, png without loss."""

    def write(path, pixels):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write
