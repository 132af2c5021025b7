"""A split of a data set as one uint8 tensor, whatever it came from.

name, split  ->  `sources`  ->  arrays  ->  canonical order, fingerprint checked  ->  Images

`batches` makes training batches of it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile, canonical_json, sha256
from modeconn_lib.datasets.info import (
    SPLITS,
    DatasetInfo,
    Split,
    content_fingerprint,
    digest_order,
    known_split,
)
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.datasets.sources import VARIABLE, Arrays, sources


class MissingData(Refusal):
    """A data set is known but its images are nowhere to be found."""


@dataclass(frozen=True)
class Images:
    """The images of one split, or some of them, on one device.

    Attributes
    ----------
    info
        The data set.
    split
        Which part of it.
    images, labels
        Pixels from 0 to 255, and classes from 0.
    """

    info: DatasetInfo
    split: Split
    images: UInt8[Tensor, "n channels height width"]
    labels: Int64[Tensor, " n"]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the content."""
        return content_fingerprint(self.images, self.labels)

    def first(self, n: int) -> "Images":
        """Return the first n images.

        Raises
        ------
        Refusal
            If there are not that many, or n is not positive.
        """
        if not 0 < n <= len(self):
            raise Refusal(
                f"{self.info.name} has {len(self)} {self.split} images, cannot take the first {n}"
            )
        return replace(self, images=self.images[:n], labels=self.labels[:n])

    def to(self, device: torch.device) -> "Images":
        """Return the same images on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


def load(name: str, split: str, data: Path | None = None) -> Images:
    """Return a split of the data set called `name`, checked against the registry.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    data
        Folder of prepared data; ``MODECONN_DATA`` if not given.

    Raises
    ------
    Refusal
        If there is no such data set or split.
    MissingData
        If the images are not found, saying where they were looked for and how to get them.
    DamagedFile
        If what was found is not this data set.
    """
    info, part = dataset(name), known_split(split)
    places = sources(info, part, data)
    for source in places:
        if source.present:
            return verified(info, part, source.read(), source.place)
    looked = "; ".join(source.place for source in places)
    raise MissingData(
        f"the {split} images of {name} were not found; looked for: {looked}. Either name a folder "
        f"that holds {name}/{{train,test}}.npz with --data or {VARIABLE}, "
        f"or run `modeconn data fetch {name}`"
    )


def verified(info: DatasetInfo, split: Split, arrays: Arrays, place: str) -> Images:
    """Return arrays as Images in canonical order, after checking them against the registry.

    Raises
    ------
    DamagedFile
        If shape, number, classes or fingerprint are not those of the data set.
    """
    images, labels = arrays
    images = images if images.ndim == 4 else images[..., None]
    channels, height, width = info.shape
    expected = (info.size(split), height, width, channels)
    if images.shape != expected or images.dtype != np.uint8 or len(labels) != len(images):
        raise DamagedFile(
            f"{place} holds {len(labels)} labels and {images.dtype} images {images.shape}; "
            f"{info.name} {split} is uint8 {expected}"
        )
    if labels.min() < 0 or labels.max() >= info.classes:
        raise DamagedFile(
            f"{place} has labels from {labels.min()} to {labels.max()}; "
            f"{info.name} has {info.classes} classes"
        )
    if info.order == "digest":
        order = digest_order(images, labels)
        images, labels = images[order], labels[order]
    found = Images(
        info,
        split,
        torch.from_numpy(images.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(labels.copy()),
    )
    known = info.fingerprints.get(split)
    if known and found.fingerprint != known:
        raise DamagedFile(
            f"{place} is not the known {info.name} {split}: its fingerprint is "
            f"{found.fingerprint[:16]}, not {known[:16]}; prepare it again, or remove it and run "
            f"`modeconn data fetch {info.name}`"
        )
    return found


def fingerprint(name: str, data: Path | None = None) -> str:
    """Return one SHA-256 for both splits of a data set, for the keys of results.

    It comes from the registry without reading an image; where the registry has none (folders of
    pictures, the whole Tiny ImageNet) the images are read.
    """
    info = dataset(name)
    parts = {
        split: info.fingerprints.get(split) or load(name, split, data).fingerprint
        for split in SPLITS
    }
    return sha256(canonical_json(parts))
