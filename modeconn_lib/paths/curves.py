r"""Curves that are a weighted sum of control points, :math:`r(t) = \sum_i c_i(t)\,\theta_i`.

control points  ->  segment | bezier | chain  ->  Curve  ->  at(t)

The weights :math:`c_i(t)` are all that distinguishes them. `fit` learns inner control points.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from modeconn_lib.core.params import Params, combine, lerp, same_network

Weights = Callable[[float, int], tuple[float, ...]]


def bernstein(t: float, points: int) -> tuple[float, ...]:
    r"""Return :math:`\binom{n}{i} t^i (1-t)^{n-i}` for i = 0 … n, where n = points - 1."""
    n = points - 1
    return tuple(math.comb(n, i) * t**i * (1 - t) ** (n - i) for i in range(points))


def hat(t: float, points: int) -> tuple[float, ...]:
    r"""Return :math:`\max(0, 1 - |t n - i|)`: two neighbouring points, mixed linearly."""
    return tuple(max(0.0, 1 - abs(t * (points - 1) - i)) for i in range(points))


@dataclass(frozen=True, slots=True)
class Curve:
    """A path through weight space given by control points.

    Attributes
    ----------
    points
        Control points; the first and the last are the endpoints.
    weights
        From t and the number of points to one weight per point.
    breakpoints
        Where the curve may have a corner.
    """

    points: tuple[Params, ...]
    weights: Weights
    breakpoints: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse control points of different networks."""
        if len(self.points) < 2:
            raise ValueError(f"a curve needs at least 2 control points, got {len(self.points)}")
        for point in self.points[1:]:
            same_network(self.points[0], point)

    def at(self, t: float) -> Params:
        """Return the network at `t`.

        Raises
        ------
        ValueError
            If t is outside [0, 1].
        """
        if not 0.0 <= t <= 1.0:
            raise ValueError(f"t must lie in [0, 1], got {t!r}")
        if t in (0.0, 1.0):  # exactly, buffers and integer entries included
            end = self.points[0] if t == 0.0 else self.points[-1]
            return {name: value.clone() for name, value in end.items()}
        return combine(self.weights(t, len(self.points)), self.points)


def segment(a: Params, b: Params) -> Curve:
    r"""Return the straight line :math:`r(t) = (1-t)\,\theta_A + t\,\theta_B`."""
    return Curve((a, b), hat, (0.0, 1.0))


def bezier(a: Params, c: Params, b: Params) -> Curve:
    r"""Return the curve of Tatro et al. 2020, equation (7).

    .. math:: r(t) = (1-t)^2 \theta_A + 2t(1-t)\,\theta_c + t^2 \theta_B
    """
    return Curve((a, c, b), bernstein, (0.0, 1.0))


def chain(*points: Params) -> Curve:
    """Return the polygonal chain through `points`, each leg taking the same share of [0, 1]."""
    last = len(points) - 1
    return Curve(tuple(points), hat, tuple(i / last for i in range(last + 1)))


def midpoint(a: Params, b: Params) -> Params:
    r"""Return :math:`\tfrac12(\theta_A + \theta_B)`, where learned curves start."""
    return lerp(a, b, 0.5)
