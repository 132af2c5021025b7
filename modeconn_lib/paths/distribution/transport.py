r"""Optimal transport: go to the nearest order of B's units, then exchange two units at a time.

A, B, Units  ->  match  ->  p  ->  A to B in the order p  ->  exchanges  ->  B itself

Anokhin & Yarotsky 2020, section 3.4. Between samples of equal weight the best transport is a
permutation, so the assignment problem is solved exactly. The first stage ends at a network that
computes what B does with its units in another order; the second puts them into B's order, and
after every exchange again computes what B does.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.core.params import Params, lerp, same_network
from modeconn_lib.paths.curves import segment
from modeconn_lib.paths.distribution.samples import Units, samples
from modeconn_lib.paths.joined import joined
from modeconn_lib.paths.path import Path
from modeconn_lib.paths.polygon import Polygon
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.spec import PermutationSpec

Exchange = tuple[int, int]  # of the units at two places


def match(a: Params, b: Params, units: Units) -> Int[Tensor, " units"]:
    r"""Return the p that minimises :math:`\sum_i \lVert X_i - Y_{p(i)} \rVert^2`.

    Unit ``p[i]`` of B is taken to place i. The squared distances themselves are never formed: for
    every permutation their sum and twice that of the inner products add up to the same.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, or hold values that are not finite.
    """
    same_network(a, b)
    return best_permutation(samples(a, units).double() @ samples(b, units).double().T)


def exchanges(p: Int[Tensor, " units"]) -> tuple[Exchange, ...]:
    """Return the exchanges of places that bring units in the order `p` into the order 0, 1, 2, ...

    A cycle of k units takes k - 1, all together the number of units less that of cycles: the
    fewest there are. Each takes at least one unit to the place where it stays.
    """
    order, out = p.tolist(), []
    for i in range(len(order)):
        while order[i] != i:
            home = order[i]
            order[i], order[home] = order[home], order[i]
            out.append((i, home))
    return tuple(out)


def exchanged_units(p: Int[Tensor, " units"]) -> tuple[tuple[int, int], ...]:
    """Return which two units of B change places in each of the `exchanges`."""
    order, out = p.tolist(), []
    for i, j in exchanges(p):
        out.append((order[i], order[j]))
        order[i], order[j] = order[j], order[i]
    return tuple(out)


def reorder(b: Params, units: Units, p: Int[Tensor, " units"]) -> Path | None:
    """Return the path from B with its units in the order `p` to B, a leg for every exchange.

    None if `p` is the order that they have: there is nowhere to go.
    """
    steps = exchanges(p)
    if not steps:
        return None

    def corner(i: int) -> Params:
        return in_order(b, units, after(p, steps[:i]))

    return Polygon(corner, len(steps))


def after(p: Int[Tensor, " units"], steps: Sequence[Exchange]) -> Int[Tensor, " units"]:
    """Return the order that some exchanges make of `p`."""
    order = p.tolist()
    for i, j in steps:
        order[i], order[j] = order[j], order[i]
    return torch.tensor(order)


def in_order(b: Params, units: Units, p: Int[Tensor, " units"]) -> Params:
    """Return the network with unit ``p[i]`` at place i."""
    return permute(b, PermutationSpec({"": units.size}, {"": units.spans}), {"": p})


def half_way(b: Params, units: Units, pair: tuple[int, int]) -> Params:
    """Return B with two units half-way to each other's place, where both are their mean."""
    order = torch.arange(units.size)
    order[list(pair)] = torch.tensor(pair[::-1])
    return lerp(b, in_order(b, units, order), 0.5)


def transport(a: Params, b: Params, units: Units, p: Int[Tensor, " units"]) -> Path:
    """Return the path from A to B by way of B with its units in the order `p`.

    The straight line takes the first half of [0, 1] and the exchanges the second; where B's units
    are in order from the start, the straight line is all there is.
    """
    line = segment(a, in_order(b, units, p))
    back = reorder(b, units, p)
    return joined(line, back) if back else line
