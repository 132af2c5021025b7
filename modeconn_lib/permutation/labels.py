"""Which entry of every tensor belongs to which unit: the algebra of labels.

fresh ids for parameter axes  ->  operators pass labels on and relate ids  ->  `units` solves

Every axis entry of every parameter gets an id of its own. A value computed from parameters
carries `Label`s: for one axis, or several axes taken together, the id of each entry. Where an
operator makes two entries move together (a weight's input axis and the channels it reads), it
relates their ids; where it cannot let entries move, it pins them and says why. Nothing is decided
here: related ids become units only when the whole graph has been read.

A slot tells apart the entries of one unit: a channel that is flattened from an h x w map
fills h * w entries, which all have the channel's id, and slots 1 .. h * w. Slot 0 is no slot.

Entries can also be *inside* a block: the dimensions of a head of attention are exchangeable among
themselves, and the heads among each other, each with all that is inside.

Nothing here knows an operator.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

Ids = Int[np.ndarray, "..."]


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """The unit that each entry along some axes of a value belongs to.

    Attributes
    ----------
    axes
        The labelled axes, ascending. Mostly one; after a split of an axis into several (heads of
        attention, groups of a channel shuffle) all of them together.
    ids
        Id of each entry; one array axis per labelled axis.
    slots
        Which of its unit's entries this is.
    """

    axes: tuple[int, ...]
    ids: Ids
    slots: Ids

    def on(self, *axes: int) -> "Label":
        """Return the label moved to `axes`, which replace the old ones in their order."""
        order = sorted(range(len(axes)), key=axes.__getitem__)
        return Label(
            tuple(axes[i] for i in order), self.ids.transpose(order), self.slots.transpose(order)
        )

    def take(self, position: int, index: Ids) -> "Label":
        """Return the label of the entries `index` along the label's axis number `position`."""
        return Label(self.axes, self.ids.take(index, position), self.slots.take(index, position))


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What is known of one tensor of the graph.

    Attributes
    ----------
    shape
        Its sizes for the example input.
    labels
        Labels of disjoint axes. An axis in none of them is fixed: its entries stay in place.
    dynamic
        Axes whose size changes with the number of samples.
    source
        What an axis without label is, for the reasons of pins.
    repeated
        Axes along which all entries are equal: an axis of size 1 that was expanded.
    """

    shape: tuple[int, ...]
    labels: tuple[Label, ...] = ()
    dynamic: frozenset[int] = frozenset()
    source: str = "an axis that is fixed"
    repeated: frozenset[int] = frozenset()

    def label(self, axis: int) -> Label | None:
        """Return the label that contains `axis` (which may count from the end)."""
        axis %= len(self.shape)
        return next((label for label in self.labels if axis in label.axes), None)


@dataclass(slots=True)
class Relations:
    """Everything the operators found out about ids, collected in the order of the graph.

    Attributes
    ----------
    count
        Number of ids given out.
    edges
        (ids, slots, ids, slots) of entries that move together, one item per relation.
    inside
        (ids, slots, ids, slots) of blocks and of entries inside them: where a block goes, its
        entries go, in any order.
    pins
        (ids, reason) of entries that must stay.
    sightings
        (ids, classes): ids that can be told apart from others because of where they were seen.
        Entries are exchangeable only if they were seen in the same places as the same class.
    """

    count: int = 0
    edges: list[tuple[Ids, Ids, Ids, Ids]] = field(default_factory=list)
    inside: list[tuple[Ids, Ids, Ids, Ids]] = field(default_factory=list)
    pins: list[tuple[Ids, str]] = field(default_factory=list)
    sightings: list[tuple[Ids, Ids]] = field(default_factory=list)
    _slots: dict[tuple[int, int], int] = field(default_factory=dict)
    _parents: list[int] = field(default_factory=lambda: [0])

    def fresh(self, axis: int, size: int) -> Label:
        """Return a label of new ids for one axis."""
        ids = np.arange(self.count, self.count + size)
        self.count += size
        return Label((axis,), ids, np.zeros_like(ids))

    def pin(self, label: Label | None, reason: str) -> None:
        """Keep the labelled entries in place."""
        if label is not None:
            self.pins.append((label.ids.ravel(), reason))

    def equate(self, a: Label | None, b: Label | None, reason: str) -> None:
        """Let two labels' entries move together, position by position; pin one that is alone."""
        if a is None or b is None:
            self.pin(a or b, reason)
        elif a.ids.shape != b.ids.shape:
            self.pin(a, reason)
            self.pin(b, reason)
        elif a.ids is not b.ids:
            self.edges.append((a.ids.ravel(), a.slots.ravel(), b.ids.ravel(), b.slots.ravel()))

    def see(self, value: Value) -> None:
        """Note that the entries of `value` are there: only its own entries can replace them."""
        for label in value.labels:
            self.sightings.append((label.ids.ravel(), label.slots.ravel()))

    def distinguish(self, label: Label, classes: Ids) -> None:
        """Note that only entries of the same class can replace each other."""
        self.sightings.append((label.ids.ravel(), classes.ravel()))

    def nest(self, outer: Label, inner: Label) -> None:
        """Let `outer`'s entries, along some of `inner`'s axes, be blocks of `inner`'s."""
        index = tuple(slice(None) if axis in outer.axes else None for axis in inner.axes)
        ids = np.broadcast_to(outer.ids[index], inner.ids.shape).ravel()
        slots = np.broadcast_to(outer.slots[index], inner.ids.shape).ravel()
        self.inside.append((ids, slots, inner.ids.ravel(), inner.slots.ravel()))

    def contain(self, label: Label, axes: Sequence[int]) -> Label:
        """Return a label of `axes`, some of the label's, whose units are blocks of its entries.

        This is what an operator leaves that treats the other axes as one, in any order, and
        these axes each on its own: a sum over the dimensions of every head.
        """
        places = [label.axes.index(axis) for axis in axes]
        front = list(range(len(places)))
        ids, slots = (np.moveaxis(x, places, front) for x in (label.ids, label.slots))
        shape = ids.shape[: len(places)]
        entries = ids.reshape(math.prod(shape), -1) * (1 + len(self._parents))
        rows = np.sort(entries + slots.reshape(len(entries), -1), axis=1)
        # Rows of the same entries are the same block: the heads of every sample of a batch.
        different, row = np.unique(rows, axis=0, return_inverse=True)
        order = np.unique(row, return_index=True)[1].argsort().argsort()
        block = self.fresh(0, len(different))
        outer = Label(
            tuple(axes), block.ids[order[row.ravel()]].reshape(shape), np.zeros(shape, int)
        )
        self.nest(outer, label)
        return outer

    def within(self, slots: Ids, positions: Ids) -> Ids:
        """Return the slots of the entries at `positions` within the entries `slots`."""
        pairs, inverse = np.unique(
            np.stack([slots.ravel(), positions.ravel()]), axis=1, return_inverse=True
        )
        numbers = [self._slot(int(slot), int(position)) for slot, position in pairs.T]
        return np.array(numbers, dtype=np.int64)[inverse.ravel()].reshape(slots.shape)

    def _slot(self, parent: int, position: int) -> int:
        key = (parent, position)
        if key not in self._slots:
            self._slots[key] = len(self._parents)
            self._parents.append(parent)
        return self._slots[key]

    def whole(self, slots: Ids) -> Ids:
        """Return the slots that `slots` are positions within: the inverse of `within`."""
        return np.array(self._parents, dtype=np.int64)[slots]

    def blocks(self, label: Label, axis: int) -> Label:
        """Return a label of `axis` alone whose units each hold a block of `label`'s entries.

        Entries at the same index of `axis` are tied together: the price of an operator that
        treats the other axes as positions.
        """
        if label.axes == (axis,):
            return label
        position = label.axes.index(axis)
        ids = np.moveaxis(label.ids, position, 0).reshape(label.ids.shape[position], -1)
        slots = np.moveaxis(label.slots, position, 0).reshape(ids.shape)
        unit = self.fresh(axis, len(ids))
        owner, place = np.indices(ids.shape)
        inner = self.within(np.zeros_like(ids), place)
        self.edges.append((unit.ids[owner].ravel(), inner.ravel(), ids.ravel(), slots.ravel()))
        return unit


def without(labels: Iterable[Label], axis: int) -> tuple[Label, ...]:
    """Return the labels of the value that is left when an unlabelled axis is removed."""
    return tuple(
        Label(tuple(a - (a > axis) for a in label.axes), label.ids, label.slots) for label in labels
    )
