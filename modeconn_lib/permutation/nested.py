"""Groups inside of blocks: matching them, and doing without.

spec, gains  ->  assign: best permutations, blocks and what is in them together
spec         ->  whole_blocks: a spec of independent groups, whose units are whole blocks

The heads of an attention layer can be put in any order, and so can the dimensions within each
head. What two heads gain from being matched is what their dimensions gain from it at best, so one
small assignment for each pair of blocks, then one of the blocks, give the exact optimum.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.units import spans_of

Gain = Float[Tensor, "_ _"]  # square; groups differ in size
Solve = Callable[[Gain], Int[Tensor, " _"]]


def families(spec: PermutationSpec) -> list[tuple[str, ...]]:
    """Return the groups that have to be matched together, the outermost first in each family."""
    inner: dict[str, list[str]] = {}
    for group in spec.sizes:
        if group in spec.inside:
            inner.setdefault(spec.inside[group], []).append(group)

    def below(group: str) -> list[str]:
        return [group, *(g for child in inner.get(group, []) for g in below(child))]

    return [tuple(below(group)) for group in spec.sizes if group not in spec.inside]


def assign(
    spec: PermutationSpec, gains: Mapping[str, Gain], solve: Solve
) -> dict[str, Int[Tensor, " _"]]:
    r"""Return the permutations that maximise :math:`\sum_g \sum_i G_g[i, p_g(i)]`.

    Parameters
    ----------
    gains
        What it gains to have unit j in the place of unit i; groups without gain nothing. Families
        of which no group has gains are left out of the result.
    solve
        The assignment problem of one group.
    """
    out: dict[str, Int[Tensor, " _"]] = {}
    for family in families(spec):
        if any(group in gains for group in family):
            total = _totals(spec, family, gains, solve)
            for group in family:
                outer = spec.inside.get(group)
                if outer is None:
                    out[group] = solve(total[group])
                else:
                    out[group] = _within(total[group], out[outer], solve)
    return out


def _totals(
    spec: PermutationSpec, family: tuple[str, ...], gains: Mapping[str, Gain], solve: Solve
) -> dict[str, Gain]:
    """Return each group's gains with those of what is in its blocks, matched at best."""
    total = {
        g: gains[g].double().cpu() if g in gains else torch.zeros(n, n, dtype=torch.float64)
        for g, n in ((group, spec.sizes[group]) for group in family)
    }
    for group in reversed(family):
        outer = spec.inside.get(group)
        if outer is not None:
            total[outer] = total[outer] + _block_gains(total[group], spec.sizes[outer], solve)
    return total


def _block_gains(gain: Gain, blocks: int, solve: Solve) -> Gain:
    """Return what each pair of blocks gains from the best permutation within."""
    each = len(gain) // blocks
    tiles = gain.view(blocks, each, blocks, each).transpose(1, 2)
    rows = torch.arange(each)
    return torch.stack(
        [torch.stack([tile[rows, solve(tile)].sum() for tile in row]) for row in tiles]
    )


def _within(gain: Gain, blocks: Int[Tensor, " _"], solve: Solve) -> Int[Tensor, " _"]:
    """Return the best permutation that moves the blocks as they are moved."""
    each = len(gain) // len(blocks)
    tiles = gain.view(len(blocks), each, len(blocks), each).transpose(1, 2)
    parts = [j * each + solve(tiles[i, j]) for i, j in enumerate(blocks.tolist())]
    return torch.cat(parts)


def whole_blocks(spec: PermutationSpec) -> PermutationSpec:
    """Return the spec in which units of nested groups keep their order within their block."""
    spans = {group: list(spec.spans[group]) for group in spec.sizes}
    for family in families(spec):
        for group in reversed(family[1:]):
            outer = spec.inside[group]
            for span in spans.pop(group):
                spans[outer] += fold(span, spec.sizes[group], spec.sizes[outer])
    sizes = {group: n for group, n in spec.sizes.items() if group in spans}
    return PermutationSpec(sizes, {group: tuple(spans[group]) for group in sizes})


def fold(span: AxisSpan, units: int, blocks: int) -> list[AxisSpan]:
    """Return the entries of a nested group as spans of its blocks."""
    table = span.entries(units).reshape(blocks, -1).numpy().astype(np.int64)
    return spans_of(span.tensor, span.axis, table)


def shuffles(spec: PermutationSpec) -> dict[str, tuple[int, int]]:
    """Return (times, units) of each group: in how many blocks how many units can be shuffled.

    All symmetries of the spec are ``units!`` to the power of ``times``, multiplied over groups.
    """
    return {
        group: (1, n) if group not in spec.inside else (blocks, n // blocks)
        for group, n in spec.sizes.items()
        for blocks in [spec.sizes.get(spec.inside.get(group, ""), 1)]
    }
