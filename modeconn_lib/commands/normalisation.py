"""How the pixels of images become inputs of a network.

--mean, --std  ->  Normalisation  ->  `inputs`, the report
"""

import math
from dataclasses import dataclass

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.augmentation import IMAGENET


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What pixels are made of before a network sees them, in units where white is 1.

    Attributes
    ----------
    mean, std
        One number, or one a channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self) -> str:
        """Return it as the report says it."""
        mean, std = (",".join(f"{x:g}" for x in numbers) for numbers in (self.mean, self.std))
        return f"normalised by mean {mean}, std {std}"


USUAL = Normalisation(IMAGENET["mean"], IMAGENET["std"])


def parse_normalisation(mean: str, std: str) -> Normalisation | None:
    """Return what ``--mean`` and ``--std`` say; None if they say nothing.

    Raises
    ------
    Refusal
        If one is without the other, or they are not as many numbers, deviations above zero.
    """
    if not mean and not std:
        return None
    if not mean or not std:
        raise Refusal("--mean and --std go together; for pixels from 0 to 1: --mean 0 --std 1")
    found = Normalisation(_numbers("mean", mean), _numbers("std", std))
    if len(found.mean) != len(found.std):
        raise Refusal(f"--mean {mean} and --std {std} are not as many numbers")
    if min(found.std) <= 0:
        raise Refusal(f"--std must be above 0, got {std}")
    return found


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise Refusal(
            f"cannot read --{name} {text!r}; write one number, or one a channel like 0,0,0"
        )
    return found
