"""What is known about a data set without opening it.

DatasetInfo  ->  `registry` (the table), `folder` (made for a folder of images)  ->  `images.load`

Also the fingerprint: the SHA-256 of a split's content, by which copies from different sources are
recognised as the same.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8
from torch import Tensor

from modeconn_lib.core.errors import Refusal

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")


def known_split(split: str) -> Split:
    """Return `split` if it is one.

    Raises
    ------
    Refusal
        If it is not, naming the two.
    """
    for known in SPLITS:
        if split == known:
            return known
    raise Refusal(f"unknown split {split!r}; known: {', '.join(SPLITS)}")


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A data set, as far as it can be described without its images.

    Attributes
    ----------
    name, title
        What commands call it, and what pages call it.
    shape
        Channels, height, width of an image.
    classes
        Number of classes.
    train, test
        Number of images in each split.
    mean, std
        Of each channel over the training images, in units where white is 1.
    licence, source
        The terms it may be used under, and where it comes from.
    order
        ``"original"``: the order of the published files. ``"digest"``: sorted by the SHA-256 of
        each image, for sets whose copies differ in order; the first n are then a fair sample.
    fingerprints
        Fingerprint of each split, or none where it is not known.
    torchvision
        Name of the torchvision class that can download it.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    licence: str
    source: str
    order: Literal["original", "digest"] = "original"
    fingerprints: Mapping[Split, str] = field(default_factory=dict)
    torchvision: str | None = None

    def size(self, split: Split) -> int:
        """Return the number of images in `split`."""
        return self.train if split == "train" else self.test


def content_fingerprint(
    images: UInt8[Tensor, "n channels height width"], labels: Int64[Tensor, " n"]
) -> str:
    """Return the SHA-256 of shape, pixels and labels, the same on every machine."""
    digest = hashlib.sha256(f"uint8 {tuple(images.shape)} int64 labels\n".encode())
    digest.update(images.cpu().contiguous().numpy().data)
    digest.update(labels.cpu().contiguous().numpy().astype("<i8", copy=False).data)
    return digest.hexdigest()


def digest_order(images: UInt8[np.ndarray, "n ..."], labels: Int64[np.ndarray, " n"]) -> list[int]:
    """Return the order that sorts images (n, height, width[, 3]) by the SHA-256 of their bytes.

    Equal images are sorted by their labels.
    """
    keys = [
        (hashlib.sha256(image.tobytes()).digest(), int(label))
        for image, label in zip(images, labels, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)
