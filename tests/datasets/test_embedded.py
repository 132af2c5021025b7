"""The images in the repository are what their licence, README and checksums say."""

import lzma
from dataclasses import replace

import numpy as np
import pytest
import torch

from modeconn_lib.core.files import DamagedFile, atomic_write, sha256
from modeconn_lib.datasets import embedded
from modeconn_lib.datasets.embed import embed
from modeconn_lib.datasets.embedded import embedded_folder, read_embedded, write_embedded
from modeconn_lib.datasets.images import load
from modeconn_lib.datasets.info import SPLITS, content_fingerprint
from modeconn_lib.datasets.registry import DATASETS, dataset


@pytest.mark.parametrize("split", SPLITS)
def test_the_embedded_images_are_balanced_and_known(split):
    data = load("fashion_mnist_small", split)
    assert data.labels.bincount().tolist() == [embedded.PER_CLASS[split]] * 10
    assert data.fingerprint == dataset("fashion_mnist_small").fingerprints[split]


def test_the_first_labels_are_fashion_mnists_own():
    assert load("fashion_mnist_small", "train").labels[:8].tolist() == [9, 0, 0, 3, 0, 2, 7, 2]
    assert load("fashion_mnist_small", "test").labels[:8].tolist() == [9, 2, 1, 1, 6, 1, 4, 6]


def test_they_are_small_and_carry_their_licence(root):
    folder = embedded_folder()
    assert folder == root / "data" / "embedded"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 5_000_000
    licence = (folder / "LICENSE.txt").read_text()
    assert "MIT" in licence
    assert "2017 Zalando SE" in licence


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A subset of 2 + 1 images a class, written from random ones."""
    monkeypatch.setattr(embedded, "PER_CLASS", {"train": 2, "test": 1})
    g = np.random.default_rng(0)
    labels = np.concatenate([g.permutation(10) for _ in range(4)])
    arrays = {s: (g.integers(0, 256, (40, 28, 28), np.uint8), labels) for s in SPLITS}
    write_embedded(tmp_path, arrays)
    return tmp_path, arrays


def test_what_is_embedded_is_read_back_first_of_each_class_in_order(written):
    folder, arrays = written
    for split, count in (("train", 2), ("test", 1)):
        images, labels = arrays[split]
        first = range(10 * count)  # every ten labels hold each class once
        got_images, got_labels = read_embedded(split, folder)
        assert np.array_equal(got_images, images[first])
        assert np.array_equal(got_labels, labels[first])


def test_embedding_again_gives_the_same_bytes(written, tmp_path):
    folder, arrays = written
    paths = write_embedded(tmp_path / "again", arrays)
    assert [p.name for p in paths] == [*(f"{embedded.NAME}-{s}.xz" for s in SPLITS), "SHA256SUMS"]
    assert all(p.read_bytes() == (folder / p.name).read_bytes() for p in paths)


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d[:99] + bytes([d[99] ^ 1]) + d[100:]]
)
def test_a_damaged_file_is_detected(written, damage):
    path = written[0] / f"{embedded.NAME}-train.xz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedFile, match=r"fashion_mnist_small-train.xz is damaged"):
        read_embedded("train", written[0])


def test_a_file_without_a_checksum_is_not_trusted(written):
    (written[0] / "SHA256SUMS").write_text("")
    with pytest.raises(DamagedFile, match=r"SHA256SUMS does not list fashion_mnist_small-test.xz"):
        read_embedded("test", written[0])


def test_a_file_of_another_length_is_detected_although_its_checksum_holds(written):
    folder = written[0]
    data = lzma.compress(b"too short")
    atomic_write(folder / f"{embedded.NAME}-test.xz", data)
    (folder / "SHA256SUMS").write_text(f"{sha256(data)}  {embedded.NAME}-test.xz\n")
    with pytest.raises(DamagedFile, match="holds 9 bytes where 10 images and labels have 7850"):
        read_embedded("test", folder)


def test_the_images_found_outside_a_checkout_are_an_error_of_their_own(monkeypatch):
    monkeypatch.setattr(embedded, "embedded_folder", lambda: None)
    with pytest.raises(FileNotFoundError, match="neither in the repository nor in the package"):
        read_embedded("train")


@pytest.fixture
def small_fashion(tmp_path, monkeypatch, write_idx):
    """A Fashion-MNIST of 20 + 20 images as IDX files, known to the registry."""
    g = np.random.default_rng(1)
    labels = np.tile(np.arange(10), 2)
    images = g.integers(0, 256, (20, 28, 28), np.uint8)
    for stem in ("train", "t10k"):
        write_idx(tmp_path / "idx" / f"{stem}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "idx" / f"{stem}-labels-idx1-ubyte.gz", labels)
    known = content_fingerprint(torch.from_numpy(images[:, None]), torch.from_numpy(labels))
    small = replace(
        DATASETS["fashion_mnist"],
        train=20,
        test=20,
        fingerprints={"train": known, "test": known},
    )
    monkeypatch.setitem(DATASETS, "fashion_mnist", small)
    monkeypatch.setattr(embedded, "PER_CLASS", {"train": 1, "test": 1})
    return tmp_path / "idx", images


@pytest.mark.parametrize("named", [True, False])
def test_the_command_embeds_from_a_folder_or_from_what_is_installed(
    small_fashion, named, monkeypatch, tmp_path
):
    source, images = small_fashion
    if not named:
        monkeypatch.setattr("modeconn_lib.datasets.sources.SYSTEM", source)
    embed(source if named else None, tmp_path / "out")
    assert np.array_equal(read_embedded("test", tmp_path / "out")[0], images[:10])


def test_the_command_refuses_what_is_not_fashion_mnist(small_fashion, write_idx, tmp_path):
    source, images = small_fashion
    write_idx(source / "t10k-images-idx3-ubyte.gz", 255 - images)
    with pytest.raises(DamagedFile, match="is not the known fashion_mnist test"):
        embed(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
