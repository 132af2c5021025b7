"""Tiny ImageNet from the folder that its archive unpacks to.

tiny-imagenet-200/train/<wnid>/images/*.JPEG, val/val_annotations.txt  ->  arrays

The test images of the challenge have no labels; its validation images are the test split here.
Classes are numbered in the order of their WordNet ids, as torchvision's ImageFolder would.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets.info import Split
from modeconn_lib.datasets.pictures import decode

FOLDER = "tiny-imagenet-200"
SIZE = 64


def read_tiny_imagenet(
    folder: Path, split: Split, every: int = 1
) -> tuple[UInt8[np.ndarray, "n 64 64 3"], Int64[np.ndarray, " n"]]:
    """Return images and labels of the classes whose number is a multiple of `every`.

    Raises
    ------
    DamagedFile
        If the folder lacks a part, or a picture is not whole.
    """
    wnids = sorted(f.name for f in (folder / "train").glob("n*") if f.is_dir())[::every]
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    if split == "train":
        listed = [(f, wnid) for wnid in wnids for f in training_files(folder, wnid)]
    else:
        listed = [(f, wnid) for f, wnid in validation_files(folder) if wnid in labels]
    if not listed:
        raise DamagedFile(f"{folder} holds no {split} pictures; unpack the archive again")
    numbers = np.array([labels[wnid] for _, wnid in listed], np.int64)
    return decode([f for f, _ in listed], SIZE), numbers


def training_files(folder: Path, wnid: str) -> list[Path]:
    """Return the pictures of one class in the order of their names."""
    return sorted((folder / "train" / wnid / "images").glob("*.JPEG"))


def validation_files(folder: Path) -> list[tuple[Path, str]]:
    """Return the validation pictures with their WordNet ids, in the order they are listed."""
    listing = folder / "val" / "val_annotations.txt"
    if not listing.is_file():
        raise DamagedFile(f"{folder} has no val/val_annotations.txt; unpack the archive again")
    rows = [line.split("\t")[:2] for line in listing.read_text().splitlines() if line]
    return [(folder / "val" / "images" / name, wnid) for name, wnid in rows]
