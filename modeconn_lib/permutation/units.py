"""From related entries to groups of exchangeable units.

Relations  ->  `refine`: units, their kinds  ->  groups, outer groups  ->  spans along any label

Units that are blocks of others (heads of attention and their dimensions) make a forest: any two
blocks of a kind can be exchanged with all that is in them, and any two units of a kind within
their block. Blocks that share entries otherwise are pinned.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from modeconn_lib.permutation.labels import Ids, Label, Relations
from modeconn_lib.permutation.refine import Edges, Hashes, Kinds, refine
from modeconn_lib.permutation.spec import AxisSpan


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The solution: the unit of each id, and the group and place of each unit.

    Attributes
    ----------
    unit
        Unit of each id.
    group
        Group of each unit; -1 where the unit cannot move.
    rank
        Place of each unit within its group: by that of the block it is in, then by its first id.
    colour
        Role of each id in its unit, the same in all units of a group.
    reasons
        Why each pinned unit cannot move.
    outer
        The group of the blocks that a group's units are in, for groups inside of blocks.
    lowest
        The smallest id of each unit.
    """

    unit: Ids
    group: Ids
    rank: Ids
    colour: Hashes
    reasons: Mapping[int, str]
    outer: Mapping[int, int]
    lowest: Ids

    def groups_of(self, label: Label) -> Ids:
        """Return the group of each entry, -1 for those that cannot move."""
        return self.group[self.unit[label.ids]]

    def present(self, label: Label) -> list[int]:
        """Return the groups along a label, in the order of their first entries."""
        return [g for g in dict.fromkeys(self.groups_of(label).ravel().tolist()) if g >= 0]

    def spans(self, group: int, label: Label, name: str) -> list[AxisSpan]:
        """Return where the units of `group` are along `label`, as spans of the tensor `name`.

        The axis of a span is the label's, or its first one if it has several, which then count
        as one axis in row-major order.
        """
        ids, slots = label.ids.ravel(), label.slots.ravel()
        unit = self.unit[ids]
        here = np.flatnonzero(self.group[unit] == group)
        if not here.size:
            return []
        rank = self.rank[unit[here]]
        # Sorted by unit, then role, then place: row u of the table has the entries of unit u.
        order = np.lexsort((here, slots[here], self.colour[ids[here]], rank))
        table = here[order].reshape(int(rank.max()) + 1, -1)
        return spans_of(name, label.axes[0], table)


def solve(relations: Relations) -> Units:
    """Find the units, and which of them can be exchanged."""
    ties, inside, pins = list(relations.edges), list(relations.inside), list(relations.pins)
    while True:
        kinds = refine(relations.count, relations.sightings, ties, inside, pins)
        outer, inner = _contents(kinds, inside)
        alone = _alone(kinds, outer, inner)
        if alone.any():
            ties.append(_relation(kinds, outer[alone], inner[alone]))
            continue
        shared = _shared(outer, inner)
        if not any(len(blocks) for blocks in shared):
            return _units(kinds, outer, inner)
        same, within, crossing = shared
        if len(crossing):
            reason = "is in a block that overlaps with another"
            pins.append((kinds.first[np.unique(crossing)], reason))
        if len(same):
            ties.append(_relation(kinds, *same.T))
        if len(within):
            inside.append(_relation(kinds, *within.T))


def _contents(kinds: Kinds, inside: Edges) -> tuple[Ids, Ids]:
    """Return the units of blocks that can move, and of what is directly inside, pair by pair.

    What is tied to its own block is a part of it, not inside.
    """
    none = np.empty(0, np.int64)
    outer = kinds.unit[np.concatenate([none, *(item[0] for item in inside)])]
    inner = kinds.unit[np.concatenate([none, *(item[2] for item in inside)])]
    movable = kinds.free[outer] & (outer != inner)
    pairs = np.unique(np.stack([outer, inner])[:, movable], axis=1)
    n = len(kinds.kind)
    matrix = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(n, n)).tocsr()
    further = (matrix @ matrix).tocoo()
    direct = ~np.isin(pairs[0] * n + pairs[1], further.row.astype(np.int64) * n + further.col)
    return pairs[0][direct], pairs[1][direct]


def _relation(kinds: Kinds, a: Ids, b: Ids) -> tuple[Ids, Ids, Ids, Ids]:
    """Return edges from units a to units b."""
    none = np.zeros_like(a)
    return kinds.first[a], none, kinds.first[b], none


def _alone(kinds: Kinds, outer: Ids, inner: Ids) -> Bool[np.ndarray, " pairs"]:
    """Return which units are alone of their kind in their block: they are a part of it."""
    pairs = np.stack([outer, kinds.kind[inner]])
    _, place, count = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    return count[place.ravel()] == 1


def _shared(outer: Ids, inner: Ids) -> tuple[Ids, Ids, Ids]:
    """Return pairs of blocks that share units: all; those of the second; others of each."""
    content: dict[int, set[int]] = {}
    for block, unit in zip(outer.tolist(), inner.tolist(), strict=True):
        content.setdefault(block, set()).add(unit)
    order = np.argsort(inner, kind="stable")
    outer, inner = outer[order], inner[order]
    both = np.flatnonzero(inner[1:] == inner[:-1])
    same, within, crossing = [], [], _circles(outer, inner)
    for a, b in np.unique(np.stack([outer[both], outer[both + 1]]), axis=1).T.tolist():
        if content[a] == content[b]:
            same.append((a, b))
        elif content[a] > content[b]:
            within.append((a, b))
        elif content[a] < content[b]:
            within.append((b, a))
        else:
            crossing.append((a, b))
    return _pairs(same), _pairs(within), _pairs(crossing)


def _pairs(items: list[tuple[int, int]]) -> Ids:
    """Return pairs as an array (pairs, 2)."""
    return np.array(items, np.int64).reshape(-1, 2)


def _circles(outer: Ids, inner: Ids) -> list[tuple[int, int]]:
    """Return pairs of units that are in each other, if through others."""
    n = 1 + max(outer.max(initial=0), inner.max(initial=0))
    matrix = coo_array((np.ones(len(outer)), (outer, inner)), shape=(n, n))
    _, circle = connected_components(matrix, connection="strong")
    return [
        (a, b)
        for a, b in zip(outer.tolist(), inner.tolist(), strict=True)
        if circle[a] == circle[b]
    ]


def _units(kinds: Kinds, outer: Ids, inner: Ids) -> Units:
    """Number the units of each group, block by block."""
    group = np.where(kinds.free, kinds.kind, -1)
    block = np.full(len(group), -1)
    block[inner] = outer
    inside = np.flatnonzero((block >= 0) & (group >= 0))
    rank = np.zeros_like(group)
    # Ranks of the outermost blocks are right after one round, of what is in them after two.
    for _ in range(1 + _depth(block)):
        rank = _ranks(kinds, group, np.where(block >= 0, rank[block], 0))
    within = dict(zip(group[inside].tolist(), group[block[inside]].tolist(), strict=True))
    return Units(kinds.unit, group, rank, kinds.colour, kinds.reasons, within, kinds.lowest)


def _depth(block: Ids) -> int:
    """Return how many blocks, one in another, there are at most."""
    depth, here = 0, block
    while np.any(here >= 0):
        depth, here = depth + 1, np.where(here >= 0, block[here], -1)
    return depth


def _ranks(kinds: Kinds, group: Ids, before: Ids) -> Ids:
    """Number the units of each group in the order of `before`, then by their first id."""
    order = np.lexsort((kinds.lowest, before, group))
    start = np.searchsorted(group[order], group[order])
    rank = np.empty_like(group)
    rank[order] = np.arange(len(order)) - start
    return rank


def spans_of(name: str, axis: int, table: Ids) -> list[AxisSpan]:
    """Return the spans of a table (units, entries) of which entries of an axis each unit has."""
    table = table[:, np.argsort(table[0])]
    breaks = np.flatnonzero(np.any(np.diff(table, axis=1) != 1, axis=0)) + 1
    return [_span(name, axis, part) for part in np.split(table, breaks, axis=1)]


def _span(name: str, axis: int, table: Ids) -> AxisSpan:
    """One span from a table (units, block) of consecutive entries."""
    block, offset = table.shape[1], int(table[0, 0])
    if np.array_equal(table[:, 0], offset + block * np.arange(len(table))):
        return AxisSpan(name, axis, offset, block)
    return AxisSpan(name, axis, offset, block, tuple(table[:, 0].tolist()))
