"""A folder of pictures as a data set: ``folder:PATH`` or ``folder:PATH@SIZE``.

PATH/train/<class>/*.png, PATH/test/<class>/*  ->  DatasetInfo  ->  arrays

The layout is that of torchvision's ImageFolder; the test pictures may lie in ``val`` as well.
Classes are numbered in the order of their names. Each picture is cut to its middle square and
brought to SIZE pixels a side (32 unless told otherwise).
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.info import DatasetInfo, Split
from modeconn_lib.datasets.pictures import decode

PREFIX = "folder:"
SIZE = 32
ENDINGS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}


def folder_info(name: str) -> DatasetInfo:
    """Return what a folder of pictures holds, by listing it.

    Raises
    ------
    Refusal
        If the folder, its train or its test part is not there or has no pictures, or if the two
        parts have different classes.
    """
    path, size = parse(name)
    train, test = pictures(path, "train"), pictures(path, "test")
    if train.keys() != test.keys():
        odd = sorted(train.keys() ^ test.keys())[0]
        raise Refusal(f"class {odd!r} is in only one of the train and test folders of {path}")
    return DatasetInfo(
        name=f"{PREFIX}{path.resolve()}@{size}",
        title=f"the pictures in {path.name}",
        shape=(3, size, size),
        classes=len(train),
        train=sum(map(len, train.values())),
        test=sum(map(len, test.values())),
        mean=(0.485, 0.456, 0.406),  # ImageNet's, as is usual for pictures of anything
        std=(0.229, 0.224, 0.225),
        licence="yours to know",
        source=str(path),
        order="digest",
    )


def parse(name: str) -> tuple[Path, int]:
    """Return path and size of ``folder:PATH@SIZE``.

    Raises
    ------
    Refusal
        If the size is zero or there is no path.
    """
    found = re.fullmatch(rf"{PREFIX}(?P<path>.+?)(@(?P<size>\d+))?", name)
    if found is None or found["size"] == "0":
        raise Refusal(f"expected folder:PATH or folder:PATH@SIZE with SIZE in pixels, got {name!r}")
    return Path(found["path"]).expanduser(), int(found["size"] or SIZE)


def pictures(path: Path, split: Split) -> dict[str, list[Path]]:
    """Return the picture files of a split by class, both in the order of their names.

    Raises
    ------
    Refusal
        If there are none.
    """
    names = ("train",) if split == "train" else ("test", "val")
    parts = [path / part for part in names if (path / part).is_dir()]
    if not parts:
        raise Refusal(
            f"no folder {' or '.join(names)} in {path}; expected {names[0]}/<class>/*.png"
        )
    classes = {
        folder.name: sorted(f for f in folder.iterdir() if f.suffix.lower() in ENDINGS)
        for folder in sorted(parts[0].iterdir())
        if folder.is_dir()
    }
    empty = [name for name, files in classes.items() if not files]
    if empty or not classes:
        place = parts[0] / empty[0] if empty else parts[0]
        raise Refusal(f"no pictures in {place}; known endings: {', '.join(sorted(ENDINGS))}")
    return classes


def read_folder(
    name: str, split: Split
) -> tuple[UInt8[np.ndarray, "n size size 3"], Int64[np.ndarray, " n"]]:
    """Return images and labels of a split of ``folder:PATH@SIZE``."""
    path, size = parse(name)
    classes = pictures(path, split)
    files = [file for found in classes.values() for file in found]
    labels = [label for label, found in enumerate(classes.values()) for _ in found]
    return decode(files, size), np.array(labels, np.int64)
