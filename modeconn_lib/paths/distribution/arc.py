r"""Arcs: the path that keeps mean and covariance of the units, and normal units normal.

A, B, Units  ->  arc  ->  Curve  ->  at(t)

Anokhin & Yarotsky 2020, proposition 1 and equation 6. A straight line between independent samples
shrinks their covariance to half of it at the middle; an arc does not.
"""

import math
from collections.abc import Sequence

from modeconn_lib.core.params import Params, lerp, same_network
from modeconn_lib.paths.curves import Curve
from modeconn_lib.paths.distribution.samples import Units, samples, with_samples


def turned(t: float, points: int) -> tuple[float, ...]:
    r"""Return :math:`\cos\frac{\pi t}{2}`, what the centre counts, :math:`\sin\frac{\pi t}{2}`."""
    if points != 3:
        raise ValueError(f"an arc has 3 control points (A, the centre, B), got {points}")
    c, s = math.cos(math.pi * t / 2), math.sin(math.pi * t / 2)
    return c, 1 - c - s, s


def arc(a: Params, b: Params, distributions: Sequence[Units]) -> Curve:
    r"""Return the arc about the mean of each distribution.

    .. math:: \psi(t) = \mu + \cos(\tfrac{\pi}{2} t)(X - \mu) + \sin(\tfrac{\pi}{2} t)(Y - \mu)

    Parameters
    ----------
    distributions
        Units whose weights are samples of one distribution; its :math:`\mu` is estimated from both
        networks, coordinate by coordinate. What belongs to no unit (the biases of the outputs) has
        but two samples, whose mean is their midpoint: it goes along the straight line.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, or a weight belongs to two units.
    """
    return Curve((a, centre(a, b, distributions), b), turned, (0.0, 1.0))


def centre(a: Params, b: Params, distributions: Sequence[Units]) -> Params:
    """Return the network all of whose units are the mean unit of A and B.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, or a tensor belongs to two distributions.
    """
    same_network(a, b)
    out = lerp(a, b, 0.5)
    seen: set[str] = set()
    for units in distributions:
        names = {span.tensor for span in units.spans}
        if seen & names:
            raise ValueError(f"{min(seen & names)!r} belongs to units of two distributions")
        seen |= names
        mean = (samples(a, units).double().mean(0) + samples(b, units).double().mean(0)) / 2
        out = with_samples(out, units, mean.expand(units.size, -1))
    return out
