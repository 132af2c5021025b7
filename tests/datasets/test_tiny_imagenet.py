"""Tiny ImageNet as its archive unpacks, with a few classes and pictures."""

import numpy as np
import pytest

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets.tiny_imagenet import read_tiny_imagenet

WNIDS = ["n01443537", "n01629819", "n02124075", "n02927161", "n03014705", "n04067472"]


@pytest.fixture
def tiny(tmp_path, write_picture):
    """Six classes, two pictures of one colour each to train and one to validate."""
    listing = []
    for k, wnid in enumerate(WNIDS):
        for j in range(2):
            path = tmp_path / "train" / wnid / "images" / f"{wnid}_{j}.JPEG"
            write_picture(path, np.full((64, 64, 3), 20 * k + j, np.uint8))
        name = f"val_{5 - k}.JPEG"
        write_picture(tmp_path / "val" / "images" / name, np.full((64, 64), 20 * k + 9, np.uint8))
        listing.append(f"{name}\t{wnid}\t0\t0\t62\t62\n")
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(listing))
    return tmp_path


def colours(images):
    """The colour of each picture; JPEG keeps one colour exactly."""
    return images[:, 32, 32, 0].tolist()


def test_training_pictures_are_numbered_by_wordnet_id(tiny):
    images, labels = read_tiny_imagenet(tiny, "train")
    assert images.shape == (12, 64, 64, 3)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert colours(images) == [20 * k + j for k in range(6) for j in range(2)]


def test_validation_pictures_are_labelled_by_their_listing(tiny):
    images, labels = read_tiny_imagenet(tiny, "test")
    assert colours(images) == [20 * int(k) + 9 for k in labels]
    assert sorted(labels.tolist()) == [0, 1, 2, 3, 4, 5]


def test_every_fifth_class_is_numbered_anew(tiny):
    images, labels = read_tiny_imagenet(tiny, "train", every=5)
    assert labels.tolist() == [0, 0, 1, 1]
    assert colours(images) == [0, 1, 100, 101]
    images, labels = read_tiny_imagenet(tiny, "test", every=5)
    assert dict(zip(labels.tolist(), colours(images), strict=True)) == {0: 9, 1: 109}


def test_a_folder_without_its_listing_is_refused(tiny):
    (tiny / "val" / "val_annotations.txt").unlink()
    with pytest.raises(DamagedFile, match=r"has no val/val_annotations.txt; unpack the archive"):
        read_tiny_imagenet(tiny, "test")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DamagedFile, match=f"{tmp_path} holds no train pictures; unpack"):
        read_tiny_imagenet(tmp_path, "train")
