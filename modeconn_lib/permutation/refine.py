"""Which units are alike: colour refinement.

Relations, ties, pins  ->  units (connected entries)  ->  colours of entries  ->  kinds of units

Entries that are tied together, directly or through others, move as one: a unit. Two units
can be exchanged if everything seen of one was seen of the other: in the same places, tied in the
same way, in blocks and with contents of the same kind. Colour refinement decides that: start from
where each entry was seen, and mix in the colours of the entries it is related to until nothing new
is told apart. On trees, which blocks and their contents are, it tells apart all that differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from modeconn_lib.permutation.labels import Ids

Hashes = UInt64[np.ndarray, "..."]
Edges = Sequence[tuple[Ids, Ids, Ids, Ids]]
_BLOCKS = np.uint64(1) << np.uint64(62)  # tells being inside from being tied


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Which entries are one unit, and which units are alike.

    Attributes
    ----------
    unit
        Unit of each id.
    colour
        Role of each id in its unit, the same in all units of a kind.
    kind
        Number of each unit's kind.
    free
        Whether a unit can move: it is not pinned, and not the only one of its kind.
    first, lowest
        Of each unit the id with the smallest colour (the same role in all units of a kind), and
        the smallest id.
    reasons
        Why each pinned unit cannot move.
    """

    unit: Ids
    colour: Hashes
    kind: Ids
    free: Bool[np.ndarray, " units"]
    first: Ids
    lowest: Ids
    reasons: Mapping[int, str]


def refine(
    n: int,
    sightings: Sequence[tuple[Ids, Ids]],
    ties: Edges,
    inside: Edges,
    pins: Sequence[tuple[Ids, str]],
) -> Kinds:
    """Return the units that `ties` make of n ids, and their kinds."""
    i, _, j, _ = _columns(ties, 4)
    count, unit = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(n, n)), False)
    unit = unit.astype(np.int64)
    reasons: dict[int, str] = {}
    for ids, reason in pins:
        for pinned in np.unique(unit[ids]).tolist():
            reasons.setdefault(pinned, reason)
    fixed = np.zeros(count, bool)
    fixed[list(reasons)] = True
    colour = _colours(sightings, ties, inside, np.where(fixed[unit], unit + 1, 0))
    _, kind, sizes = np.unique(
        _sum_by(unit, _mix(colour), count), return_inverse=True, return_counts=True
    )
    ids = np.arange(n)
    return Kinds(
        unit=unit,
        colour=colour,
        kind=kind,
        free=(sizes[kind] > 1) & ~fixed,
        first=_first_by(unit, np.lexsort((ids, colour, unit))),
        lowest=_first_by(unit, np.lexsort((ids, unit))),
        reasons=reasons,
    )


def _first_by(unit: Ids, order: Ids) -> Ids:
    """Return the first id of each unit in an order that has the units one after the other."""
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    return order[starts]


def _colours(
    sightings: Sequence[tuple[Ids, Ids]], ties: Edges, inside: Edges, fixed: Ids
) -> Hashes:
    """Refine the colours of ids, kept as 64-bit hashes; pinned ids have one of their own."""
    n = len(fixed)
    ids, classes = _columns(sightings, 2)
    colour = _sum_by(ids, _mix(_hash(classes) + _numbers(sightings)), n)
    colour = colour + np.where(fixed > 0, _hash(fixed), np.uint64(0))
    a, a_slots, b, b_slots = (
        np.concatenate(pair) for pair in zip(_columns(ties, 4), _columns(inside, 4), strict=True)
    )
    kind = _hash(a_slots) + _mix(_hash(b_slots))
    kind += np.concatenate([_numbers(ties), _numbers(inside) ^ _BLOCKS])
    told_apart = 0
    while (now := len(np.unique(colour))) > told_apart:
        told_apart = now
        from_a, from_b = _mix(_mix(colour[a]) + kind), _mix(_mix(colour[b]) - kind)
        colour = _mix(colour) + _sum_by(a, from_b, n) + _sum_by(b, from_a, n)
    return colour


def _columns(items: Sequence[tuple[Ids, ...]], width: int) -> list[Ids]:
    """Join a list of tuples of arrays into one long array for each place in the tuple."""
    empty = np.empty(0, np.int64)
    return [np.concatenate([empty, *(item[c] for item in items)]) for c in range(width)]


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
