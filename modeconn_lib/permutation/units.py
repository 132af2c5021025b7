"""From related entries to groups of exchangeable units.

Relations  ->  units (connected entries)  ->  groups  ->  the spans of a group along any label

Entries that are tied together, directly or through others, move as one: a unit. Two units
can be exchanged if everything seen of one was seen of the other: in the same places, tied in the
same way. Colour refinement decides that: start from where each entry was seen, and mix in the
colours of the entries it is tied to until nothing new is told apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from modeconn_lib.permutation.labels import Ids, Label, Relations
from modeconn_lib.permutation.spec import AxisSpan

Hashes = UInt64[np.ndarray, "..."]


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
        Place of each unit within its group: by the first of its ids.
    colour
        Role of each id in its unit, the same in all units of a group.
    reasons
        Why each pinned unit cannot move.
    """

    unit: Ids
    group: Ids
    rank: Ids
    colour: Hashes
    reasons: Mapping[int, str]

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
        table = table[:, np.argsort(table[0])]
        breaks = np.flatnonzero(np.any(np.diff(table, axis=1) != 1, axis=0)) + 1
        return [_span(name, label.axes[0], part) for part in np.split(table, breaks, axis=1)]


def solve(relations: Relations) -> Units:
    """Find the units, and which of them can be exchanged."""
    n = relations.count
    i, _, j, _ = _columns(relations.edges, 4)
    count, unit = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(n, n)), False)
    reasons: dict[int, str] = {}
    for ids, reason in relations.pins:
        for pinned in np.unique(unit[ids]).tolist():
            reasons.setdefault(pinned, reason)
    colour = _colours(relations)
    key = _sum_by(unit, _mix(colour), count)
    _, group, sizes = np.unique(key, return_inverse=True, return_counts=True)
    group = np.where(sizes[group] < 2, -1, group)
    group[list(reasons)] = -1
    return Units(unit.astype(np.int64), group, _ranks(unit, group), colour, reasons)


def _span(name: str, axis: int, table: Ids) -> AxisSpan:
    """One span from a table (units, block) of consecutive entries."""
    block, offset = table.shape[1], int(table[0, 0])
    if np.array_equal(table[:, 0], offset + block * np.arange(len(table))):
        return AxisSpan(name, axis, offset, block)
    return AxisSpan(name, axis, offset, block, tuple(table[:, 0].tolist()))


def _ranks(unit: Ids, group: Ids) -> Ids:
    """Number the units of each group by their first id."""
    _, first = np.unique(unit, return_index=True)
    order = np.lexsort((first, group))
    start = np.searchsorted(group[order], group[order])
    rank = np.empty_like(group)
    rank[order] = np.arange(len(order)) - start
    return rank


def _columns(items: Sequence[tuple[Ids, ...]], width: int) -> list[Ids]:
    """Join a list of tuples of arrays into one long array for each place in the tuple."""
    empty = np.empty(0, np.int64)
    return [np.concatenate([empty, *(item[c] for item in items)]) for c in range(width)]


def _colours(relations: Relations) -> Hashes:
    """Refine the colours of ids, kept as 64-bit hashes."""
    n = relations.count
    ids, classes = _columns(relations.sightings, 2)
    colour = _sum_by(ids, _mix(_hash(classes) + _numbers(relations.sightings)), n)
    a, a_slots, b, b_slots = _columns(relations.edges, 4)
    kind = _hash(a_slots) + _mix(_hash(b_slots)) + _numbers(relations.edges)
    told_apart = 0
    while (now := len(np.unique(colour))) > told_apart:
        told_apart = now
        from_a, from_b = _mix(_mix(colour[a]) + kind), _mix(_mix(colour[b]) - kind)
        colour = _mix(colour) + _sum_by(a, from_b, n) + _sum_by(b, from_a, n)
    return colour


def _numbers(items: Sequence[tuple[Ids, ...]]) -> Hashes:
    """Return for each entry of the joined items the hash of its item's number."""
    return _hash(np.repeat(np.arange(1, len(items) + 1) << 20, [len(item[0]) for item in items]))


def _hash(x: Ids) -> Hashes:
    """Spread integers over 64 bits."""
    return _mix(x.astype(np.uint64))


def _mix(x: Hashes) -> Hashes:
    """splitmix64's finaliser: other inputs practically always give other outputs."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _sum_by(index: Ids, values: Hashes, size: int) -> Hashes:
    """Sum, modulo 2**64, the values with equal index."""
    out = np.zeros(size, np.uint64)
    np.add.at(out, index, values)
    return out
