r"""Connect deep networks layer by layer: B's layers take the place of A's, first to last.

module, A, B, images  ->  connect  ->  Connection  ->  path of sub-paths, orders of B's units

Anokhin & Yarotsky 2020, section 4.1. On the way lie the networks :math:`\Theta^{AB}_k`, whose
layers before k are B's, whose layer k is adjusted so that it makes of B's features what it made of
A's, and whose later layers are A's. Between two of them only layers k and k + 1 change: a network
with one hidden layer, on which every method for those can be used. Through skip connections, which
section 4.2 leaves open, a layer has several that read it, and each of them is adjusted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Int
from torch import Tensor, nn

from modeconn_lib.core.params import Params, same_network
from modeconn_lib.paths.curves import segment
from modeconn_lib.paths.distribution.adjustment import Adjustment, adjustment
from modeconn_lib.paths.distribution.arc import arc
from modeconn_lib.paths.distribution.least_squares import RIDGE
from modeconn_lib.paths.distribution.samples import Units, butterflies
from modeconn_lib.paths.distribution.transport import in_order, match, reorder
from modeconn_lib.paths.distribution.turns import Turn, turns
from modeconn_lib.paths.joined import joined
from modeconn_lib.paths.path import Path
from modeconn_lib.paths.polygon import Polygon
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.training.batchnorm import has_batchnorm

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
        part of the units (the paper's butterflies).
    points
        With `adjust`, at how many values of t, 0 and 1 among them, the second layer is solved for;
        along arcs at 3 or more: between two of them the way is straight.
    positions
        Of a convolution's outputs, how many rows and columns the adjustment looks at, at the least,
        evenly spread; 0 for all.
    ridge
        As of `least_squares.LeastSquares.solve`.
    """

    rule: Rule
    adjust: bool
    points: int = 11
    positions: int = 0
    ridge: float = RIDGE

    def __post_init__(self) -> None:
        """Refuse what no method has."""
        if self.rule not in ("linear", "arc", "transport"):
            raise ValueError(f"rule is 'linear', 'arc' or 'transport', got {self.rule!r}")
        if self.points < 2 or self.positions < 0 or not self.ridge >= 0:
            raise ValueError(
                "points is at least 2, positions and ridge are at least 0, got "
                f"{self.points}, {self.positions} and {self.ridge!r}"
            )
        if self.rule == "arc" and self.adjust and self.points < 3:
            raise ValueError(
                f"adjusted at {self.points} values of t a path has no arc; give at least 3 points"
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
        By the layer that became B's and the one adjusted for it, what could not be kept of the
        latter's outputs in the end.
    """

    parts: tuple[Path, ...]
    exchanges: tuple[Path, ...]
    orders: dict[str, Int[Tensor, " units"]]
    residuals: dict[tuple[str, str], float]

    @property
    def path(self) -> Path:
        """Return the whole path, each part of it taking the same share of [0, 1]."""
        return joined(*self.parts, *self.exchanges)


def connect(
    module: nn.Module,
    a: Params,
    b: Params,
    spec: PermutationSpec,
    images: Sequence[Tensor],
    method: Method,
) -> Connection:
    r"""Return the path from A to B by one of the layer-wise methods.

    With weight adjustment the sub-paths lead to :math:`\Theta^{AB}_2, \dots, \Theta^{AB}_n` and,
    in a straight line, to B; without, the turn of the last layer but one leads to B at once. The
    networks may have skip connections: then all layers that read what has changed are adjusted, in
    the order in which they are computed. With batch norm, on the way everything is normalised by
    the batches of `images`; whoever measures the path has to take the statistics anew, too.

    Parameters
    ----------
    spec
        The symmetries of the network.
    images
        Batches on which layers are adjusted; on the device of the networks.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, there are no images, or as `turns.turns`.
    """
    same_network(a, b)
    if not images:
        raise ValueError("weight adjustment needs at least one batch of images, got none")
    order = turns(module, spec, images[0][:2])
    here, goal = a, b
    parts: list[Path] = []
    orders: dict[str, Tensor] = {}
    residuals: dict[tuple[str, str], float] = {}
    for turn in order[:-1]:
        straight = not method.adjust and turn is order[-2]
        keep = None if straight else _kept(module, a, turn.readers, images, method)
        there, goal = _arrival(here, goal, turn, spec, keep, method, orders)
        if keep:
            residuals |= {(turn.layer, of): left for of, left in keep.residuals.items()}
        if method.adjust and keep:
            parts.append(_adjusted(here, there, turn, keep, method))
        else:
            units = Units(turn.rows.size, turn.rows.spans + turn.columns.spans)
            parts.append(between(here, there, units, method.rule))
        here = there
    if method.adjust:
        parts.append(segment(here, goal))
    return Connection(tuple(parts), _home(goal, spec, orders), orders, residuals)


def between(a: Params, b: Params, units: Units, rule: Rule) -> Path:
    """Return an arc about the mean of the units, or else a straight line."""
    return arc(a, b, [units]) if rule == "arc" else segment(a, b)


class _Kept:
    """What some layers are to put out, whatever becomes of those before them.

    `residuals` has what was lost at the last solution, by layer.
    """

    def __init__(self, readers: Sequence[Adjustment], ridge: float) -> None:
        self.readers, self.ridge = readers, ridge
        self.residuals: dict[str, float] = {}

    def at(self, params: Params) -> Params:
        """Return the network with these layers solved for, one after the other."""
        for reader in self.readers:
            found = reader.at(params, self.ridge)
            params, self.residuals[reader.layer] = found.params, found.residual
        return params


def _kept(
    module: nn.Module, a: Params, readers: Sequence[str], images: Sequence[Tensor], method: Method
) -> _Kept:
    """Return what some layers put out in A."""
    by_batch = has_batchnorm(module)
    kept = [
        adjustment(module, a, of, images, method.positions, by_batch=by_batch) for of in readers
    ]
    return _Kept(kept, method.ridge)


def _arrival(
    here: Params,
    goal: Params,
    turn: Turn,
    spec: PermutationSpec,
    keep: _Kept | None,
    method: Method,
    orders: dict[str, Tensor],
) -> tuple[Params, Params]:
    """Return the network at the end of a layer's turn, and B in the order of units so far.

    Units are matched when their first layer has its turn, by all rows that are B's in the end; in
    a butterfly of one layer, by what will read them as well. The order goes into `orders`.
    """

    def there() -> Params:
        swapped = here | {name: goal[name] for name in turn.tensors}
        return keep.at(swapped) if keep else goal

    if method.rule != "transport" or turn.group is None or turn.group in orders:
        return there(), goal
    units = butterflies(spec, turn.group, goal)
    if method.adjust or turn.later.spans:
        rows = Units(units.size, turn.rows.spans + turn.later.spans)
        p = orders[turn.group] = match(here, goal, rows)
        goal = in_order(goal, units, p)
        return there(), goal
    arrived = there()
    both = Units(units.size, turn.rows.spans + turn.columns.spans)
    p = orders[turn.group] = match(here, arrived, both)
    return in_order(arrived, units, p), in_order(goal, units, p)


def _adjusted(here: Params, there: Params, turn: Turn, keep: _Kept, method: Method) -> Polygon:
    """Return the polygon on which one layer goes from `here` to `there` and others are solved for.

    Its first leg brings these from the weights that they have to those that they are solved for
    while nothing has changed yet: where units are fewer than images, or some never fire, there are
    several that do as well.
    """
    arrived = here | {name: there[name] for name in turn.tensors}
    first = between(here, arrived, turn.rows, method.rule)

    def corner(i: int) -> Params:
        if i in (0, method.points):
            return there if i else here
        return keep.at(first.at((i - 1) / (method.points - 1)))

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
