"""What a change of shape does to labels.

labels of a value  ->  segments of axes that are merged or split together  ->  labels of the result

A merge of a labelled axis with positions gives every position of a unit its own slot; a split of
a labelled axis labels the new axes together, so that splitting, transposing and merging again
(a channel shuffle) loses nothing.
"""

import math

import numpy as np

from modeconn_lib.permutation.labels import Ids, Label, Relations, Value

Segment = tuple[tuple[int, ...], tuple[int, ...]]


def segments(old: tuple[int, ...], new: tuple[int, ...]) -> list[Segment]:
    """Return the finest split of both shapes into consecutive axes with equal products.

    Examples
    --------
    >>> segments((2, 64, 7, 7), (2, 3136))
    [((0,), (0,)), ((1, 2, 3), (1,))]
    """
    out: list[Segment] = []
    i = j = 0
    while i < len(old) or j < len(new):
        start_i, start_j = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while math.prod(old[start_i:i]) != math.prod(new[start_j:j]):
            if math.prod(old[start_i:i]) < math.prod(new[start_j:j]):
                i += 1
            else:
                j += 1
        out.append((tuple(range(start_i, i)), tuple(range(start_j, j))))
    return out


def reshape(relations: Relations, x: Value, shape: tuple[int, ...]) -> tuple[Label, ...]:
    """Return the labels of `x` viewed as `shape`."""
    parts = segments(x.shape, shape)
    taken: set[int] = set()
    out = []
    for label in sorted(x.labels, key=lambda label: -len(np.unique(label.ids))):
        touched = [part for part in parts if set(part[0]) & set(label.axes)]
        old = [axis for part in touched for axis in part[0]]
        new = [axis for part in touched for axis in part[1]]
        if taken & set(new):
            relations.pin(label, "is merged with another labelled axis")
            continue
        taken |= set(new)
        out.append(_move(relations, x, label, old, new, shape))
    return tuple(label for label in out if label.axes)


def _move(
    relations: Relations,
    x: Value,
    label: Label,
    old: list[int],
    new: list[int],
    shape: tuple[int, ...],
) -> Label:
    """Spread one label over all the old axes, view it as the new ones, drop constant axes."""
    sizes = [x.shape[axis] for axis in old]
    index = tuple(slice(None) if axis in label.axes else None for axis in old)
    ids = np.broadcast_to(label.ids[index], sizes)
    slots = np.broadcast_to(label.slots[index], sizes)
    # Samples do not count as positions: nothing ever tells one sample from another.
    positions = [
        axis
        for axis in old
        if axis not in label.axes and axis not in x.dynamic and x.shape[axis] > 1
    ]
    if positions:
        slots = relations.within(slots, _positions(x, old, positions))
    target = [shape[axis] for axis in new]
    return _squeeze(relations, Label(tuple(new), ids.reshape(target), slots.reshape(target)))


def _positions(x: Value, old: list[int], axes: list[int]) -> Ids:
    """Number the entries along `axes`, the same for all entries along the other old axes."""
    counted = np.arange(math.prod(x.shape[axis] for axis in axes)).reshape(
        [x.shape[axis] if axis in axes else 1 for axis in old]
    )
    return np.broadcast_to(counted, [x.shape[axis] for axis in old])


def _squeeze(relations: Relations, label: Label) -> Label:
    """Drop the axes along which the units do not change."""
    for axis in label.axes:
        position = label.axes.index(axis)
        if label.ids.shape[position] > 1 and np.any(label.ids != label.ids.take([0], position)):
            continue
        slots = label.slots
        if np.any(slots != slots.take([0], position)):
            slots = relations.whole(slots)
            if np.any(slots != slots.take([0], position)):
                continue
        label = Label(
            tuple(a for a in label.axes if a != axis),
            label.ids.take([0], position).squeeze(position),
            slots.take([0], position).squeeze(position),
        )
    return label
