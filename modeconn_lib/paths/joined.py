"""Paths walked one after another.

Path, Path, ...  ->  joined  ->  Joined  ->  at(t)
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch

from modeconn_lib.core.params import Params, same_network
from modeconn_lib.paths.path import Path


@dataclass(frozen=True, slots=True)
class Joined:
    """A path made of several, each of which begins where the one before it ends.

    Attributes
    ----------
    parts
        The paths, in the order in which they are walked.
    joints
        Where they begin and end: one value of t more than there are parts, from 0 to 1.
    """

    parts: tuple[Path, ...]
    joints: tuple[float, ...]

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Return the corners of all parts, and the joints."""
        found = [0.0]
        for part, (start, end) in zip(self.parts, pairwise(self.joints), strict=True):
            found += [start + (end - start) * b for b in part.breakpoints[1:-1]] + [end]
        return tuple(found)

    def at(self, t: float) -> Params:
        """Return the network at `t`.

        Raises
        ------
        ValueError
            If t is outside [0, 1].
        """
        if not 0.0 <= t <= 1.0:
            raise ValueError(f"t must lie in [0, 1], got {t!r}")
        i = min(bisect_right(self.joints, t), len(self.parts)) - 1
        start, end = self.joints[i], self.joints[i + 1]
        return self.parts[i].at(_snapped(min((t - start) / (end - start), 1.0), self.parts[i]))


def joined(*parts: Path, shares: Sequence[float] = ()) -> Joined:
    """Return the path through all `parts`.

    Parameters
    ----------
    shares
        What share of [0, 1] each part takes, over their sum; by default all the same.

    Raises
    ------
    ValueError
        If there is no part, a share is not positive, there is not one for each part, or a part
        does not begin exactly where the one before it ends.
    """
    shares = tuple(shares) or (1.0,) * len(parts)
    if not parts or len(shares) != len(parts) or min(shares) <= 0:
        raise ValueError(
            f"to join paths takes at least one and a positive share for each, got {len(parts)} "
            f"paths and shares {tuple(shares)}"
        )
    for i, (before, after) in enumerate(pairwise(parts), start=1):
        _check_joint(i, before.at(1.0), after.at(0.0))
    walked = list(accumulate(shares))
    return Joined(tuple(parts), (0.0, *(done / walked[-1] for done in walked)))


def _check_joint(i: int, end: Params, start: Params) -> None:
    """Raise ValueError unless part i ends where the next one begins."""
    same_network(end, start)
    for name, value in end.items():
        if not torch.equal(value, start[name]):
            raise ValueError(f"path {i} does not end where path {i + 1} begins: {name!r} differs")


def _snapped(t: float, part: Path) -> float:
    """Return the part's corner that t is next to but for rounding, or else t."""
    near = min(part.breakpoints, key=lambda b: abs(b - t))
    return near if abs(near - t) < 1e-12 else t
