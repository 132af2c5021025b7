"""The arc of a great circle between two networks, walked at constant angular speed.

module, A, B  ->  slerp  ->  Slerp  ->  at(t)

All parameters together are one vector, and its angle is taken in float64. Buffers are no part of
the sphere: they go along the straight line, to be estimated anew where they are used.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modeconn_lib.core.params import Params, combine, lerp, same_network

SMALL = 1e-4  # radians: below, arc and chord differ by 1e-9 of the vectors, less than float32 holds
OPPOSITE = 1e-4  # radians short of pi: through which great circle to go is not determined


@dataclass(frozen=True, slots=True)
class Slerp:
    r"""The spherical interpolation of two networks.

    .. math:: r(t) = \frac{\sin((1-t)\Omega)}{\sin\Omega}\,\theta_A
        + \frac{\sin(t\Omega)}{\sin\Omega}\,\theta_B

    Shoemake, "Animating rotation with quaternion curves", 1985. On vectors of one length it stays
    on their sphere; others are not normalised first, as in the code of Git Re-Basin.

    Attributes
    ----------
    a, b
        The endpoints.
    parameters
        Names of the entries that lie on the arc; the others are buffers.
    angle
        :math:`\Omega`, the angle between the two parameter vectors, radians.
    """

    a: Params
    b: Params
    parameters: tuple[str, ...]
    angle: float

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Return the ends: an arc has no corners."""
        return (0.0, 1.0)

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
            end = self.a if t == 0.0 else self.b
            return {name: value.clone() for name, value in end.items()}
        straight = lerp(self.a, self.b, t)
        return straight | combine(weights(t, self.angle), (self._arc(self.a), self._arc(self.b)))

    def _arc(self, end: Params) -> Params:
        """The entries of an endpoint that lie on the arc."""
        return {name: end[name] for name in self.parameters}


def weights(t: float, angle: float) -> tuple[float, float]:
    """Return the weights of A and B; those of the straight line where the angle is tiny."""
    if angle < SMALL:
        return 1 - t, t
    return math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def slerp(module: nn.Module, a: Params, b: Params) -> Slerp:
    """Return the arc from `a` to `b`; `module` says which entries are parameters.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, or point in opposite directions.
    """
    same_network(a, b)
    once = tuple(name for name, _ in module.named_parameters())
    angle = angle_between(_flat(a, once), _flat(b, once))
    if angle > math.pi - OPPOSITE:
        raise ValueError(
            "the networks point in opposite directions, where no arc is shortest; "
            "go through a third network"
        )
    names = tuple(name for name, _ in module.named_parameters(remove_duplicate=False))
    return Slerp(a, b, names, angle)


def angle_between(x: Tensor, y: Tensor) -> float:
    r"""Return :math:`2\arctan(\lVert u - v\rVert / \lVert u + v\rVert)` of unit vectors u, v.

    Unlike the arc cosine it loses no digits at small angles (Kahan). A vector of zeros has no
    direction; its angle to anything is 0, so that the path is the straight line.
    """
    norm_x, norm_y = float(x.norm()), float(y.norm())
    if norm_x == 0 or norm_y == 0:
        return 0.0
    u, v = x / norm_x, y / norm_y
    return 2 * math.atan2(float((u - v).norm()), float((u + v).norm()))


def _flat(params: Params, names: tuple[str, ...]) -> Tensor:
    """All parameters as one float64 vector."""
    return torch.cat([params[name].reshape(-1).double() for name in names])
