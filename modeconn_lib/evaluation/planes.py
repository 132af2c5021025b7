r"""The plane through three networks, and where networks lie on it and off it.

three networks  ->  through  ->  Plane  ->  write(x, y), place, trace;    Grid  ->  points

Tatro et al. 2020, Figs. 3, 5 and 7: the axes are made by Gram-Schmidt from the ways from the first
network to the second and to the third. Only what is learned has a place in the plane; batch-norm
statistics have none. What networks of the plane are worth is measured in `on_plane`. (The plane of
`planar` is another: that of the inputs of a network with two.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.core.params import Layout, Params, same_network
from modeconn_lib.paths.path import Path

# Closer than this to a line, measured by the networks' own length, float32 weights do not tell a
# plane: rounding alone puts the middle of two networks some 3e-8 beside the line between them.
THINNEST = 1e-5

Range = tuple[float, float]
# As in the authors' code: x and y around two networks and the twin of the second, and around the
# ends and the middle of a curve.
AROUND_NETWORKS: tuple[Range, Range] = ((-0.05, 1.05), (-0.05, 1.05))
AROUND_CURVE: tuple[Range, Range] = ((-0.05, 1.05), (-0.10, 1.50))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network is, seen from a plane.

    Attributes
    ----------
    x, y
        Its nearest point of the plane, in the plane's units.
    distance
        How far it is from there, as a Euclidean length.
    """

    x: float
    y: float
    distance: float


@dataclass(frozen=True, slots=True)
class Plane:
    r"""The networks :math:`\theta_1 + x\,u + y\,v`.

    x is 1 at the second network and y is 1 at the third, so the first is at (0, 0), the second at
    (1, 0) and the third at some (x, 1).

    Attributes
    ----------
    layout
        What is learned, one tensor after another.
    origin
        The first network, :math:`\theta_1`.
    across, up
        :math:`u = \theta_2 - \theta_1`, and what is at right angles to u of
        :math:`\theta_3 - \theta_1`. All three in float64.
    """

    layout: Layout
    origin: Float[Tensor, " params"]
    across: Float[Tensor, " params"]
    up: Float[Tensor, " params"]

    @property
    def width(self) -> float:
        """Euclidean length of a step of 1 in x."""
        return float(self.across.norm())

    @property
    def height(self) -> float:
        """Euclidean length of a step of 1 in y."""
        return float(self.up.norm())

    def to(self, device: torch.device) -> "Plane":
        """Return the plane on a device."""
        parts = (part.to(device) for part in (self.origin, self.across, self.up))
        return Plane(self.layout, *parts)

    def write(self, x: float, y: float, out: Float[Tensor, " params"]) -> None:
        """Write the network at (x, y) into `out`, rounded once to the dtype of that."""
        out.copy_(torch.add(self.origin, self.across, alpha=x).add_(self.up, alpha=y))

    def place(self, network: Params) -> Place:
        """Return where a network is.

        Raises
        ------
        ValueError
            If it is another network than those of the plane.
        """
        for name, shape in self.layout.shapes:
            found = tuple(network[name].shape) if name in network else None
            if found != shape:
                raise ValueError(
                    f"the plane's networks have a tensor {name!r} of shape {shape}; of this "
                    f"network's it is {found}"
                )
        away = self.layout.ravel(network).to(self.origin) - self.origin
        x, y = (float(away @ axis / (axis @ axis)) for axis in (self.across, self.up))
        rest = away.sub_(self.across, alpha=x).sub_(self.up, alpha=y)
        return Place(x, y, float(rest.norm()))


def through(module: nn.Module, first: Params, second: Params, third: Params) -> Plane:
    """Return the plane through three networks.

    Parameters
    ----------
    module
        Says which tensors are learned: its parameters. Other entries of the networks are ignored.

    Raises
    ------
    ValueError
        If a network is not one of the module's, is not finite everywhere, or if the three lie on
        one line, so that there are many planes through them.
    """
    learned = {name: value.detach() for name, value in module.named_parameters()}
    flat = [_flat(learned, network) for network in (first, second, third)]
    for which, values in zip(("first", "second", "third"), flat, strict=True):
        strange = int((~values.isfinite()).sum())
        if strange:
            raise ValueError(f"the {which} network has {strange} entries that are not finite")
    origin, across = flat[0], flat[1] - flat[0]
    least = THINNEST * max(float(values.norm()) for values in flat)
    if float(across.norm()) <= least:
        raise ValueError(
            "the first and the second network are the same up to rounding; a plane needs three "
            "that do not lie on one line"
        )
    up = flat[2] - origin
    up.sub_(across, alpha=float(up @ across / (across @ across)))
    if float(up.norm()) <= least:
        raise ValueError(
            f"the three networks lie on one line up to rounding (the third {float(up.norm()):.1e} "
            f"beside it, the first two {float(across.norm()):.1e} apart); a plane needs three that "
            "do not"
        )
    return Plane(Layout.of(learned), origin, across, up)


def _flat(learned: Params, network: Params) -> Float[Tensor, " params"]:
    """Return what is learned of a network in one row, or refuse the network of another module."""
    own = {name: network[name].detach() for name in learned if name in network}
    same_network(learned, own)
    return Layout.of(learned).ravel(own).double()


def trace(plane: Plane, path: Path, ts: Sequence[float]) -> tuple[Place, ...]:
    """Return where the networks of a path are, at each of `ts`.

    A quadratic Bezier curve lies in the plane of its three control points, hence also in that of
    its ends and its middle.
    """
    return tuple(plane.place(path.at(t)) for t in ts)


@dataclass(frozen=True, slots=True)
class Grid:
    """A rectangle of points of a plane.

    Attributes
    ----------
    xs, ys
        The columns and the rows, rising, in the plane's units.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]

    @staticmethod
    def over(xs: Range, ys: Range, resolution: int) -> "Grid":
        """Return `resolution` evenly spaced columns and rows, the ends of the ranges among them.

        Raises
        ------
        ValueError
            If there are fewer than two columns, or a range does not rise.
        """
        if resolution < 2:
            raise ValueError(f"a grid needs at least 2 columns and rows, got {resolution}")
        for low, high in (xs, ys):
            if not low < high:
                raise ValueError(f"a range of the plane must rise, got {low} to {high}")
        return Grid(*(_evenly(low, high, resolution) for low, high in (xs, ys)))

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Every (x, y), row by row."""
        return tuple((x, y) for y in self.ys for x in self.xs)


def _evenly(low: float, high: float, count: int) -> tuple[float, ...]:
    last = count - 1
    return tuple(low * ((last - i) / last) + high * (i / last) for i in range(count))
