"""Where the arrays of a data set may be, in the order they are looked for.

DatasetInfo, split, folder  ->  sources  ->  the first that is there  ->  arrays

1. a prepared folder, ``DATA/<name>/{train,test}.npz``, where DATA is given or ``MODECONN_DATA``;
   for Tiny ImageNet also its unpacked archive, ``DATA/tiny-imagenet-200``;
2. the images embedded in the repository;
3. what the system has installed (Debian's package dataset-fashion-mnist);
4. what `modeconn data fetch` has put into the user's cache, in the form of 1.
"""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets import embedded
from modeconn_lib.datasets.folder import PREFIX, read_folder
from modeconn_lib.datasets.idx import has_idx_pair, read_idx_pair
from modeconn_lib.datasets.info import DatasetInfo, Split
from modeconn_lib.datasets.tiny_imagenet import FOLDER, read_tiny_imagenet

VARIABLE = "MODECONN_DATA"
SYSTEM = Path("/usr/share/datasets/fashion-mnist")
TINY_EVERY = {"tiny_imagenet": 1, "tiny_imagenet_40": 5}

# Images (n, height, width[, 3]) and labels (n,) as found: `images.verified` checks what they are.
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Source:
    """A place where a split may be.

    Attributes
    ----------
    place
        What is looked for, for messages.
    present
        Whether it is there.
    read
        Returns images (n, height, width[, 3]) and labels.
    """

    place: str
    present: bool
    read: Callable[[], Arrays]


def sources(info: DatasetInfo, split: Split, data: Path | None = None) -> list[Source]:
    """Return the places where a split may be, in order of preference.

    Raises
    ------
    Refusal
        If a data folder is named, by argument or environment, which does not exist.
    """
    if info.name.startswith(PREFIX):
        return [Source(info.source, True, partial(read_folder, info.name, split))]
    folder = data_folder(data)
    found = prepared_sources(info, split, folder) if folder else []
    if info.name == embedded.NAME:
        where = embedded.embedded_folder()
        place = str(where or "data/embedded in the repository")
        found.append(Source(place, where is not None, partial(embedded.read_embedded, split)))
    if info.name == "fashion_mnist":
        there = has_idx_pair(SYSTEM, split)
        found.append(Source(str(SYSTEM), there, partial(read_idx_pair, SYSTEM, split)))
    return found + prepared_sources(info, split, cache_folder())


def prepared_sources(info: DatasetInfo, split: Split, folder: Path) -> list[Source]:
    """Return the places of a split under one data folder."""
    path = folder / info.name / f"{split}.npz"
    found = [Source(str(path), path.is_file(), partial(read_prepared, path))]
    if info.name in TINY_EVERY:
        tiny, every = folder / FOLDER, TINY_EVERY[info.name]
        found.append(
            Source(str(tiny), tiny.is_dir(), partial(read_tiny_imagenet, tiny, split, every))
        )
    return found


def data_folder(data: Path | None = None) -> Path | None:
    """Return the folder of prepared data: the one given, else that of the environment, else None.

    Raises
    ------
    Refusal
        If it does not exist.
    """
    named = data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None and not named.is_dir():
        origin = "--data" if data else VARIABLE
        raise Refusal(f"the data folder {str(named)!r} ({origin}) does not exist")
    return named


def cache_folder() -> Path:
    """Return the user's folder for fetched data."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "modeconn" / "data"


def read_prepared(path: Path) -> Arrays:
    """Return images and labels of a prepared .npz file, which must not contain pickled objects.

    Raises
    ------
    DamagedFile
        If the file is not whole or lacks one of the two arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["images"], arrays["labels"].astype(np.int64)
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise DamagedFile(
            f"{path} is not a whole .npz file with images and labels ({error})"
        ) from None
