"""The IDX reader."""

import gzip

import numpy as np
import pytest

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets.idx import has_idx_pair, read_idx, read_idx_pair

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture
def pair(tmp_path, write_idx, random_split):
    images, labels = random_split(7, (28, 28), 10)
    write_idx(tmp_path / IMAGES, images)
    write_idx(tmp_path / f"{LABELS}.gz", labels)
    return tmp_path, images, labels


def test_plain_and_gzipped_files_are_read_back(pair):
    folder, images, labels = pair
    got_images, got_labels = read_idx_pair(folder, "test")
    assert np.array_equal(got_images, images)
    assert np.array_equal(got_labels, labels)
    assert got_labels.dtype == np.int64


def test_a_pair_is_there_only_if_both_files_are(pair):
    folder = pair[0]
    assert has_idx_pair(folder, "test")
    assert not has_idx_pair(folder, "train")
    (folder / f"{LABELS}.gz").unlink()
    assert not has_idx_pair(folder, "test")


def test_a_missing_file_is_named(pair):
    with pytest.raises(FileNotFoundError, match=r"no train-images-idx3-ubyte or .*gz in "):
        read_idx_pair(pair[0], "train")


def test_images_without_their_labels_are_refused(pair, write_idx):
    folder, images, _ = pair
    write_idx(folder / IMAGES, images[:5])
    with pytest.raises(DamagedFile, match="holds 5 test images and 7 labels"):
        read_idx_pair(folder, "test")


@pytest.mark.parametrize("keep", [0, 3, 10, 100])
def test_a_truncated_file_is_refused(pair, keep):
    path = pair[0] / IMAGES
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        DamagedFile, match=r"is not an IDX file of bytes with 3 axes|its header says"
    ):
        read_idx(path, 3)


def test_another_type_of_numbers_is_refused(pair):
    path = pair[0] / IMAGES
    path.write_bytes(b"\x00\x00\x0d\x03" + path.read_bytes()[4:])
    with pytest.raises(DamagedFile, match="is not an IDX file of bytes with 3 axes"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-20], lambda d: b"xx" + d, lambda d: d[:10] + b"\xff" * 20]
)
def test_a_damaged_archive_is_refused(pair, damage):
    path = pair[0] / f"{IMAGES}.gz"
    path.write_bytes(damage(gzip.compress((pair[0] / IMAGES).read_bytes())))
    with pytest.raises(DamagedFile, match=r"ubyte.gz cannot be unpacked"):
        read_idx(path, 3)
