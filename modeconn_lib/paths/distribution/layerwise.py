r"""Connect deep networks layer by layer: B's layers take the place of A's, first to last.

module, A, B, images  ->  connect  ->  Connection  ->  path of sub-paths, orders of B's units

Anokhin & Yarotsky 2020, section 4.1. On the way lie the networks :math:`\Theta^{AB}_k`, whose
layers before k are B's, whose layer k is adjusted so that it makes of B's features what it made of
A's, and whose later layers are A's. Between two of them only layers k and k + 1 change: a network
with one hidden layer, on which every method for those can be used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from jaxtyping import Int
from torch import Tensor, nn

from modeconn_lib.core.params import Params, same_network
from modeconn_lib.paths.curves import segment
from modeconn_lib.paths.distribution.adjustment import Adjustment, adjustment
from modeconn_lib.paths.distribution.arc import arc
from modeconn_lib.paths.distribution.samples import Units, butterflies
from modeconn_lib.paths.distribution.transport import in_order, match, reorder
from modeconn_lib.paths.joined import joined
from modeconn_lib.paths.path import Path
from modeconn_lib.paths.polygon import Polygon
from modeconn_lib.permutation.spec import PermutationSpec

Rule = Literal["linear", "arc", "transport"]


@dataclass(frozen=True, slots=True)
class Method:
    """How the two layers that change on a sub-path are connected.

    Attributes
    ----------
    rule
        Along what the units go: straight lines, arcs, or straight lines to the units of B that
        they are matched with.
    adjust
        Whether the second layer is solved for on the way (weight adjustment) or its weights are
        part of the units (the papers' butterflies).
    points
        With `adjust`, at how many values of t, 0 and 1 among them, the second layer is solved for.
    positions
        Of a convolution's outputs, how many rows and columns the adjustment looks at; 0 for all.
    """

    rule: Rule
    adjust: bool
    points: int = 11
    positions: int = 0

    def __post_init__(self) -> None:
        """Refuse what no method has."""
        if self.rule not in ("linear", "arc", "transport"):
            raise ValueError(f"rule is 'linear', 'arc' or 'transport', got {self.rule!r}")
        if self.points < 2 or self.positions < 0:
            raise ValueError(
                f"points is at least 2 and positions at least 0, got {self.points} and "
                f"{self.positions}"
            )


@dataclass(frozen=True, slots=True)
class Connection:
    """A path from A to B and what is known of it.

    Attributes
    ----------
    parts
        The sub-paths, in order; where units were matched, the last end at B with its units in
        other orders, and `exchanges` lead from there to B.
    exchanges
        A path for each group of units that has to be put into B's order.
    orders
        By group, which unit of B was taken to each place.
    residuals
        By adjusted layer, what could not be kept of its outputs once all before it is B's.
    """

    parts: tuple[Path, ...]
    exchanges: tuple[Path, ...]
    orders: dict[str, Int[Tensor, " units"]]
    residuals: dict[str, float]

    @property
    def path(self) -> Path:
        """Return the whole path, each part of it taking the same share of [0, 1]."""
        return joined(*self.parts, *self.exchanges)


def connect(
    module: nn.Module,
    a: Params,
    b: Params,
    layers: Sequence[str],
    spec: PermutationSpec,
    images: Sequence[Tensor],
    method: Method,
) -> Connection:
    r"""Return the path from A to B by one of the layer-wise methods.

    With weight adjustment the sub-paths lead to :math:`\Theta^{AB}_2, \dots, \Theta^{AB}_n` and,
    in a straight line, to B; without, the last but one leads to B at once.

    Parameters
    ----------
    layers
        The linear layers and convolutions in the order in which they are computed, each reading
        only what the one before it puts out.
    spec
        The symmetries of the network.
    images
        Batches on which layers are adjusted; on the device of the networks.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, there are not two layers or no images, a layer is
        neither linear nor a convolution, or its units are not read by the next one.
    """
    same_network(a, b)
    if len(layers) < 2:
        raise ValueError(f"a path layer by layer needs 2 layers or more, got {list(layers)}")
    here, goal = a, b
    parts: list[Path] = []
    orders: dict[str, Tensor] = {}
    residuals: dict[str, float] = {}
    for layer, after in pairwise(layers):
        group, units, read = _units(spec, b, layer, after)
        if method.adjust or after != layers[-1]:
            keep = adjustment(module, a, after, images, method.positions)
            changed = keep.at(here | {span.tensor: goal[span.tensor] for span in read.spans})
            there, residuals[after] = changed.params, changed.residual
        else:
            keep, there = None, goal
        if method.rule == "transport":
            p = match(here, there, read if method.adjust else units)
            there, goal, orders[group] = in_order(there, units, p), in_order(goal, units, p), p
        if method.adjust and keep:
            parts.append(_adjusted(here, there, read, keep, method))
        else:
            parts.append(between(here, there, units, method.rule))
        here = there
    if method.adjust:
        parts.append(segment(here, goal))
    return Connection(tuple(parts), _home(goal, spec, orders), orders, residuals)


def between(a: Params, b: Params, units: Units, rule: Rule) -> Path:
    """Return an arc about the mean of the units, or else a straight line."""
    return arc(a, b, [units]) if rule == "arc" else segment(a, b)


def _units(
    spec: PermutationSpec, params: Params, layer: str, after: str
) -> tuple[str, Units, Units]:
    """Return a layer's group, its units with all their weights, and these with what they read."""
    found = [
        group
        for group, spans in spec.spans.items()
        if any((s.tensor, s.axis) == (f"{layer}.weight", 0) for s in spans)
    ]
    units = butterflies(spec, found[0], params) if len(found) == 1 else Units(0, ())
    read = tuple(span for span in units.spans if span.tensor != f"{after}.weight")
    if len(read) != len(units.spans) - 1:
        raise ValueError(
            f"the units of layer {layer!r} are not one group that layer {after!r} reads: layers "
            "are given in the order in which each reads the one before it"
        )
    return found[0], units, Units(units.size, read)


def _adjusted(
    here: Params, there: Params, read: Units, keep: Adjustment, method: Method
) -> Polygon:
    """Return the polygon on which one layer goes from `here` to `there` and the next is solved for.

    Its first leg brings the next layer from the weights that it has to those that it is solved for
    while nothing has changed yet: where units are fewer than images, or some never fire, there are
    several that do as well.
    """
    first = between(
        here, here | {span.tensor: there[span.tensor] for span in read.spans}, read, method.rule
    )

    def corner(i: int) -> Params:
        if i in (0, method.points):
            return there if i else here
        return keep.at(first.at((i - 1) / (method.points - 1))).params

    return Polygon(corner, method.points)


def _home(
    goal: Params, spec: PermutationSpec, orders: Mapping[str, Int[Tensor, " units"]]
) -> tuple[Path, ...]:
    """Return the paths that put one group of units after the other into B's order."""
    out = []
    for group, p in orders.items():
        units = butterflies(spec, group, goal)
        goal = in_order(goal, units, p.argsort())
        path = reorder(goal, units, p)
        out += [path] if path else []
    return tuple(out)
