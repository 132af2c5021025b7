"""The small real data set that travels with the repository.

Fashion-MNIST  ->  write_embedded  ->  data/embedded/*.xz, SHA256SUMS  ->  read_embedded

A class-balanced subset: the first 1,000 training and 200 test images of each class, in their
original order. Each split is one xz stream of plain bytes, images then labels; of everything tried
on these pixels (predictors, pixel-major planes, WebP strips) nothing beat it by more than 1 %.
"""

import lzma
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from modeconn_lib.core.files import DamagedFile, atomic_write, read_verified, sha256
from modeconn_lib.datasets.info import Split

NAME = "fashion_mnist_small"
PER_CLASS: dict[Split, int] = {"train": 1000, "test": 200}
SIDE, CLASSES = 28, 10


def write_embedded(
    out: Path,
    arrays: Mapping[Split, tuple[UInt8[np.ndarray, "_ height width"], Int64[np.ndarray, " _"]]],
) -> list[Path]:
    """Write the subset of both splits to `out`; return the files written.

    The same arrays always give the same bytes.
    """
    written, sums = [], []
    for split, (images, labels) in arrays.items():
        chosen = first_of_each_class(labels, PER_CLASS[split])
        data = compress(images[chosen].tobytes() + labels[chosen].astype(np.uint8).tobytes())
        path = out / f"{NAME}-{split}.xz"
        atomic_write(path, data)
        written.append(path)
        sums.append(f"{sha256(data)}  {path.name}\n")
    atomic_write(out / "SHA256SUMS", "".join(sums).encode())
    return [*written, out / "SHA256SUMS"]


def first_of_each_class(labels: Int64[np.ndarray, " n"], count: int) -> Int64[np.ndarray, " m"]:
    """Return the places of the first `count` examples of each class, in ascending order."""
    places = [np.flatnonzero(labels == label)[:count] for label in range(CLASSES)]
    return np.sort(np.concatenate(places))


def compress(content: bytes) -> bytes:
    """Return `content` as one xz file, by the settings that suit image bytes best."""
    settings = {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "lc": 4,  # four bits of the pixel before are context; position in a word is none
        "lp": 0,
        "pb": 0,
    }
    return lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=[settings])


def embedded_folder() -> Path | None:
    """Return the folder of the embedded files: the repository's, or the installed package's."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data" / "embedded", package / "_embedded"):
        if (folder / "SHA256SUMS").is_file():
            return folder
    return None


def read_embedded(
    split: Split, folder: Path | None = None
) -> tuple[UInt8[np.ndarray, "n 28 28"], Int64[np.ndarray, " n"]]:
    """Return images and labels of an embedded split, verified.

    Raises
    ------
    FileNotFoundError
        If the embedded files are not there.
    DamagedFile
        If a file is not the one that was embedded.
    """
    folder = folder or embedded_folder()
    if folder is None:
        raise FileNotFoundError("data/embedded is neither in the repository nor in the package")
    path = folder / f"{NAME}-{split}.xz"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    if path.name not in sums:
        raise DamagedFile(f"{folder / 'SHA256SUMS'} does not list {path.name}")
    content = np.frombuffer(lzma.decompress(read_verified(path, sums[path.name])), np.uint8)
    n = PER_CLASS[split] * CLASSES
    if len(content) != n * (SIDE * SIDE + 1):
        raise DamagedFile(
            f"{path} holds {len(content)} bytes where {n} images and labels have "
            f"{n * (SIDE * SIDE + 1)}"
        )
    images = content[: n * SIDE * SIDE].reshape(n, SIDE, SIDE)
    return images, content[n * SIDE * SIDE :].astype(np.int64)
