"""Rules of the operators that only move entries: views, transposes, slices, concatenations.

Values of the arguments  ->  the same labels in other places

Arguments come in the order of ATen's signatures; a rule takes what it needs and drops the rest.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modeconn_lib.permutation.arithmetic import pointwise
from modeconn_lib.permutation.labels import Ids, Label, Relations, Value, without
from modeconn_lib.permutation.reshape import reshape
from modeconn_lib.permutation.rule import Out, alone, others, pin_axes, unknown, values_in


def pad(relations: Relations, out: Out, x: Value, widths: Sequence[int], *_: Any) -> Value:
    """Pad positions; a labelled axis that is padded is pinned."""
    padded = [len(x.shape) - 1 - i // 2 for i, width in enumerate(widths) if width]
    pin_axes(relations, out, x, padded, "is padded by")
    return out.value(*others(x, *padded))


def view(relations: Relations, out: Out, x: Value, *_: Any, **__: Any) -> Value:
    """Any change of shape that keeps the order of entries."""
    return out.value(*reshape(relations, x, out.shape))


def permute(relations: Relations, out: Out, x: Value, dims: Sequence[int]) -> Value:
    """Axis i of the result is axis dims[i] of x."""
    place = {d % len(x.shape): i for i, d in enumerate(dims)}
    return out.value(*(label.on(*(place[a] for a in label.axes)) for label in x.labels))


def transpose(relations: Relations, out: Out, x: Value, i: int = 0, j: int = 1) -> Value:
    """Exchange two axes (the only two, for t())."""
    dims = list(range(len(x.shape)))
    if len(dims) > 1:
        dims[i], dims[j] = dims[j], dims[i]
    return permute(relations, out, x, dims)


def expand(relations: Relations, out: Out, x: Value, *_: Any, **__: Any) -> Value:
    """Repeat axes of size 1, and prepend axes."""
    return pointwise(relations, out, x)


def copy(relations: Relations, out: Out, _: Value, source: Value, *__: Any) -> Value:
    """The source in the place of what was there."""
    return pointwise(relations, out, source)


def concatenate(relations: Relations, out: Out, parts: Sequence[Value], dim: int = 0) -> Value:
    """Put values side by side; unlabelled parts get pinned ids."""
    axis = dim % len(out.shape)
    side_by_side = []
    for part in parts:
        label = alone(relations, part, axis)
        if label is None:
            label = relations.fresh(axis, part.shape[axis])
            relations.pin(label, f"stands for {part.source} in {out.name}")
        side_by_side.append(label)
    joined = Label(
        (axis,),
        np.concatenate([label.ids for label in side_by_side]),
        np.concatenate([label.slots for label in side_by_side]),
    )
    shape = tuple(1 if a == axis else n for a, n in enumerate(out.shape))
    rest = [Value(shape, others(part, axis), part.dynamic) for part in parts]
    kept = pointwise(relations, Out(shape, out.dynamic, out.name), *rest)
    any_label = any(part.label(axis) is not None for part in parts)
    return out.value(*kept.labels, joined if any_label else None)


def take(relations: Relations, out: Out, x: Value, axis: int, index: Ids) -> Value:
    """Some entries along one axis."""
    axis %= len(x.shape)
    label = x.label(axis)
    if label is None:
        return out.value(*x.labels)
    return out.value(*others(x, axis), label.take(label.axes.index(axis), index))


def slice_(relations: Relations, out: Out, x: Value, dim: int = 0, *bounds: Any) -> Value:
    """Every step-th entry from start to stop along one axis."""
    return take(relations, out, x, dim, _stretch(x.shape[dim], bounds))


def _stretch(size: int, bounds: Sequence[int | None]) -> Ids:
    """Return the entries of an axis that a slice takes."""
    start, *rest = bounds or (None,)
    stop, step = (*rest, None, None)[:2]
    return np.arange(size)[slice(start, stop, step)]


def slice_scatter(
    relations: Relations, out: Out, x: Value, source: Value, dim: int = 0, *bounds: Any
) -> Value:
    """Some entries along one axis replaced by others: what is before, in and after the slice."""
    axis = dim % len(x.shape)
    within = _stretch(x.shape[axis], bounds)
    if not within.size or not (x.labels or source.labels):
        return x
    if np.any(np.diff(within) != 1):
        return unknown(relations, out, x, source)
    parts = [_piece(relations, out, x, axis, slice(None, within[0])), source]
    parts.append(_piece(relations, out, x, axis, slice(within[-1] + 1, None)))
    return concatenate(relations, out, [part for part in parts if part.shape[axis]], axis)


def _piece(relations: Relations, out: Out, x: Value, axis: int, which: slice) -> Value:
    """Return a stretch of one axis, with a shape of its own."""
    entries = np.arange(x.shape[axis])[which]
    shape = tuple(len(entries) if a == axis else n for a, n in enumerate(x.shape))
    return take(relations, replace(out, shape=shape), x, axis, entries)


def index(relations: Relations, out: Out, x: Value, indices: Sequence[Value | None]) -> Value:
    """Entries of one axis looked up by number: a table of positions, which stays."""
    found = [axis for axis, index in enumerate(indices) if index is not None]
    if len(found) != 1:
        return unknown(relations, out, x, *values_in(indices))
    (numbers,), (axis,) = values_in(indices), found
    more, why = len(numbers.shape) - 1, "is looked up by number in"
    pin_axes(relations, out, x, [axis], why)
    pin_axes(relations, out, numbers, range(len(numbers.shape)), why)
    return out.value(
        *(label.on(*(a + more * (a > axis) for a in label.axes)) for label in others(x, axis))
    )


def embedding(relations: Relations, out: Out, table: Value, numbers: Value, *_: Any) -> Value:
    """Rows of a table, looked up by number."""
    return index(relations, out, table, [numbers])


def roll(
    relations: Relations, out: Out, x: Value, shifts: Sequence[int], dims: Sequence[int] = ()
) -> Value:
    """Shift axes cyclically."""
    if not dims:
        return unknown(relations, out, x)
    for shift, dim in zip(shifts, dims, strict=True):
        x = take(relations, out, x, dim, np.roll(np.arange(x.shape[dim]), shift))
    return x


def flip(relations: Relations, out: Out, x: Value, dims: Sequence[int]) -> Value:
    """Reverse axes."""
    for dim in dims:
        x = take(relations, out, x, dim, np.arange(x.shape[dim])[::-1])
    return x


def select(relations: Relations, out: Out, x: Value, dim: int, index: int) -> Value:
    """One entry along an axis, which goes away; a unit that is picked by its place stays there."""
    axis = dim % len(x.shape)
    label = x.label(axis)
    if label is None:
        return out.value(*without(x.labels, axis))
    position = label.axes.index(axis)
    one = Label(
        tuple(a for a in label.axes if a != axis),
        label.ids.take([index], position).squeeze(position),
        label.slots.take([index], position).squeeze(position),
    )
    if not one.axes:
        relations.pin(one, f"is picked by its place in {out.name}")
        return out.value(*without(others(x, axis), axis))
    return out.value(*without((*others(x, axis), one), axis))


def split(
    relations: Relations, outs: Sequence[Out], x: Value, _: Any = None, dim: int = 0
) -> list[Value]:
    """Chunk, split and split_with_sizes: the pieces' own shapes say where they lie."""
    pieces, start = [], 0
    for out in outs:
        stop = start + out.shape[dim]
        pieces.append(take(relations, out, x, dim, np.arange(start, stop)))
        start = stop
    return pieces


def unbind(relations: Relations, outs: Sequence[Out], x: Value, dim: int = 0) -> list[Value]:
    """Every entry of an axis as a value of its own."""
    return [select(relations, out, x, dim, i) for i, out in enumerate(outs)]
