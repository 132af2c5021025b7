"""Getting a data set, and saying which are there.

name  ->  fetch  ->  FOLDER/<name>/{train,test}.npz, which `images.load` finds
describe  ->  one row a data set, for `modeconn data list`

What is downloaded is checked against the registry before it is written.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile, atomic_write
from modeconn_lib.core.hardware import torchvision
from modeconn_lib.datasets.embedded import NAME as EMBEDDED
from modeconn_lib.datasets.folder import PREFIX
from modeconn_lib.datasets.images import MissingData, verified
from modeconn_lib.datasets.info import SPLITS, DatasetInfo, Split
from modeconn_lib.datasets.registry import DATASETS, dataset
from modeconn_lib.datasets.sources import (
    TINY_EVERY,
    Arrays,
    cache_folder,
    data_folder,
    read_prepared,
    sources,
)
from modeconn_lib.datasets.tiny_imagenet import FOLDER, read_tiny_imagenet

TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"


def fetch(name: str, folder: Path | None = None) -> Path:
    """Download a data set into `folder` and return where it is; a split that is there is kept.

    Parameters
    ----------
    folder
        The data folder; ``MODECONN_DATA`` if not given, else the user's cache.

    Raises
    ------
    Refusal
        If there is nothing to fetch under that name.
    MissingData
        If the download fails, or for Tiny ImageNet if its unpacked archive is not in `folder`.
    DamagedFile
        If what came is not the data set.
    """
    info = dataset(name)
    if name == EMBEDDED or name.startswith(PREFIX):
        raise Refusal(f"{name} needs no download: it is read from where it is")
    folder = folder or data_folder() or cache_folder()
    for split in SPLITS:
        path = folder / name / f"{split}.npz"
        if not is_good(info, split, path):
            arrays = obtain(info, split, folder)
            verified(info, split, arrays, f"what was fetched for {name}")
            write_prepared(path, arrays)
    return folder / name


def is_good(info: DatasetInfo, split: Split, path: Path) -> bool:
    """Return whether a prepared file is there and is that split."""
    try:
        return path.is_file() and bool(verified(info, split, read_prepared(path), str(path)))
    except DamagedFile:
        return False


def obtain(info: DatasetInfo, split: Split, folder: Path) -> Arrays:
    """Return the arrays of a split from the network, or of Tiny ImageNet from its archive.

    Raises
    ------
    MissingData
        If they cannot be had, saying what to do.
    """
    if info.name in TINY_EVERY:
        if not (folder / FOLDER).is_dir():
            raise MissingData(
                f"{info.name} cannot be fetched: download {TINY_URL}, unpack it to "
                f"{folder / FOLDER}, and run this command again"
            )
        return read_tiny_imagenet(folder / FOLDER, split, TINY_EVERY[info.name])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{info.name}.") as space:
        return download(info, split, Path(space))


def download(info: DatasetInfo, split: Split, space: Path) -> Arrays:
    """Return the arrays of a split, downloaded by torchvision, which checks the archive's MD5.

    Raises
    ------
    MissingData
        If the download fails.
    """
    kind: Any = getattr(torchvision().datasets, info.torchvision or "")
    try:
        found = kind(space, train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise MissingData(
            f"{info.name} could not be downloaded ({error}); check the network, or put "
            f"{info.name}/{{train,test}}.npz into a folder and name it with --data"
        ) from None
    return np.asarray(found.data), np.asarray(found.targets, np.int64)


def write_prepared(path: Path, arrays: Arrays) -> None:
    """Write images and labels as a prepared file."""
    images, labels = arrays
    buffer = io.BytesIO()
    np.savez(buffer, images=images, labels=labels)
    atomic_write(path, buffer.getvalue())


def describe(data: Path | None = None) -> list[dict[str, str]]:
    """Return one row for every data set: what it is, its terms, and where it was found."""
    rows = []
    for info in DATASETS.values():
        found = [
            [source.place for source in sources(info, split, data) if source.present][:1]
            for split in SPLITS
        ]
        channels, height, width = info.shape
        rows.append(
            {
                "name": info.name,
                "title": info.title,
                "images": f"{info.train:,} + {info.test:,}",
                "size": f"{channels} x {height} x {width}",
                "classes": str(info.classes),
                "licence": info.licence,
                "found": found[0][0] if all(found) else "",
            }
        )
    return rows
