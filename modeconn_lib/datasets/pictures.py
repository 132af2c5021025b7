"""Many image files into one array, decoded by Pillow in as many threads as there are cores.

paths  ->  decode  ->  uint8 (n, size, size, 3)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.core.hardware import cores


def decode(paths: Sequence[Path], size: int) -> UInt8[np.ndarray, "n {size} {size} 3"]:
    """Return the pictures as RGB, the middle square of each brought to `size` pixels a side.

    A picture that has that size already is taken pixel by pixel.

    Raises
    ------
    DamagedFile
        Naming the first file that is not a whole picture.
    """
    out = np.empty((len(paths), size, size, 3), np.uint8)

    def fill(i: int) -> None:
        out[i] = decode_one(paths[i], size)

    with ThreadPoolExecutor(cores()) as pool:  # Pillow decodes outside the interpreter lock
        for _ in pool.map(fill, range(len(paths))):
            pass
    return out


def decode_one(path: Path, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Return one picture as an array, or raise DamagedFile naming it."""
    try:
        with Image.open(path) as picture:
            colour = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedFile(f"{path} is not a whole picture ({error})") from None
    if colour.size != (size, size):
        colour = ImageOps.fit(colour, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(colour)
