"""A chain of straight legs whose corners are made when they are needed.

corner(0), corner(1), ...  ->  Polygon  ->  at(t)

For paths of many corners, each of which is a network: no more than two are held at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from modeconn_lib.core.params import Params, lerp


@dataclass(frozen=True)
class Polygon:
    """A polygonal path; each leg takes the same share of [0, 1].

    Attributes
    ----------
    corner
        From the number of a corner, 0 to `legs`, to its network. Asked again for corners that
        have been left behind: walked in the order of t, each is made once.
    legs
        Number of straight legs.
    """

    corner: Callable[[int], Params]
    legs: int
    _near: dict[int, Params] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a path without legs."""
        if self.legs < 1:
            raise ValueError(f"a polygon needs at least 1 leg, got {self.legs}")

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Return where the corners are."""
        return tuple(i / self.legs for i in range(self.legs + 1))

    def at(self, t: float) -> Params:
        """Return the network at `t`: at a corner, exactly that.

        Raises
        ------
        ValueError
            If t is outside [0, 1].
        """
        if not 0.0 <= t <= 1.0:
            raise ValueError(f"t must lie in [0, 1], got {t!r}")
        leg = min(int(t * self.legs), self.legs - 1)
        for i in (leg, leg + 1):  # t that was meant to be a corner's may be off by its rounding
            if t == i / self.legs:
                return {name: value.clone() for name, value in self._corner(i).items()}
        return lerp(self._corner(leg), self._corner(leg + 1), t * self.legs - leg)

    def _corner(self, i: int) -> Params:
        """Return a corner; the two asked for last are kept."""
        found = self._near.pop(i) if i in self._near else self.corner(i)
        self._near[i] = found
        while len(self._near) > 2:
            del self._near[next(iter(self._near))]
        return found
