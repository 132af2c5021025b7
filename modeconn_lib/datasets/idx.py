"""The IDX format of MNIST and Fashion-MNIST.

train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz]  ->  arrays
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets.info import Split

STEMS: dict[Split, str] = {"train": "train", "test": "t10k"}


def read_idx_pair(
    folder: Path, split: Split
) -> tuple[UInt8[np.ndarray, "n height width"], Int64[np.ndarray, " n"]]:
    """Return images and labels of a split from its two IDX files, plain or gzipped.

    Raises
    ------
    FileNotFoundError
        Naming the file that is missing.
    DamagedFile
        If a file is not whole, or the two do not belong together.
    """
    images = read_idx(find(folder, f"{STEMS[split]}-images-idx3-ubyte"), 3)
    labels = read_idx(find(folder, f"{STEMS[split]}-labels-idx1-ubyte"), 1)
    if len(images) != len(labels):
        raise DamagedFile(f"{folder} holds {len(images)} {split} images and {len(labels)} labels")
    return images, labels.astype(np.int64)


def has_idx_pair(folder: Path, split: Split) -> bool:
    """Return whether both IDX files of a split are in `folder`."""
    stems = (f"{STEMS[split]}-images-idx3-ubyte", f"{STEMS[split]}-labels-idx1-ubyte")
    return all(any((folder / f"{stem}{end}").is_file() for end in ("", ".gz")) for stem in stems)


def find(folder: Path, stem: str) -> Path:
    """Return the plain or the gzipped file called `stem`."""
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"no {stem} or {stem}.gz in {folder}")


def read_idx(path: Path, axes: int) -> UInt8[np.ndarray, "..."]:
    """Return the array of one IDX file of unsigned bytes.

    The header is two zero bytes, the type (8: unsigned byte), the number of axes, and the length
    of each axis as a big-endian 32-bit integer.

    Raises
    ------
    DamagedFile
        If the file is not an IDX file of bytes with that many axes, or is not whole.
    """
    data = path.read_bytes()
    try:
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFile(f"{path} cannot be unpacked ({error})") from None
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes((0, 0, 8, axes)):
        raise DamagedFile(f"{path} is not an IDX file of bytes with {axes} axes")
    shape = tuple(int(length) for length in np.frombuffer(data[4:start], ">u4"))
    if len(data) - start != np.prod(shape):
        raise DamagedFile(
            f"{path} holds {len(data) - start} bytes of data where its header says {shape}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
