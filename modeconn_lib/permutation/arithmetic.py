"""Rules of the operators that calculate: pointwise, products, convolutions, norms, reductions.

Values of the arguments  ->  relations between their entries  ->  Value of the result

Arguments come in the order of ATen's signatures; a rule takes what it needs and drops the rest.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modeconn_lib.permutation.labels import Label, Relations, Value, without
from modeconn_lib.permutation.rule import (
    Out,
    alone,
    along,
    meet,
    others,
    pin_axes,
    unknown,
    values_in,
)

KERNEL = "is a position in the kernel of"  # so common a reason that reports leave it out


def pointwise(relations: Relations, out: Out, *args: Any, **kwargs: Any) -> Value:
    """Each entry of the result depends on the entries at its own place, with broadcasting."""
    operands = values_in((args, tuple(kwargs.values())))
    found: dict[tuple[int, ...], Label] = {}
    for value in operands:
        shift = len(out.shape) - len(value.shape)
        for label in value.labels:
            moved = Label(tuple(a + shift for a in label.axes), label.ids, label.slots)
            sizes = zip(moved.axes, moved.ids.shape, strict=True)
            if any(n != out.shape[axis] for axis, n in sizes):
                relations.pin(moved, f"is one entry for a whole axis in {out.name}")
            elif moved.axes in found:
                relations.equate(found[moved.axes], moved, f"meets another size in {out.name}")
            else:
                found[moved.axes] = moved
    labels = _nested(relations, out, list(found.values()))
    kept = [label for label in labels if _stays(relations, out, label, operands)]
    return replace(out.value(*kept), repeated=_repeated(out, operands))


def _repeated(out: Out, operands: list[Value]) -> frozenset[int]:
    """Return the axes along which no operand has entries that differ."""
    differ = {
        axis + len(out.shape) - len(value.shape)
        for value in operands
        for axis, n in enumerate(value.shape)
        if n != 1 and axis not in value.repeated
    }
    return frozenset(a for a, n in enumerate(out.shape) if n != 1 and a not in differ)


def _nested(relations: Relations, out: Out, labels: list[Label]) -> list[Label]:
    """Let labels of some of another label's axes be its blocks; pin those that overlap else."""
    kept = []
    for label in labels:
        rest = [other for other in labels if other is not label]
        overlapping = [other for other in rest if set(label.axes) & set(other.axes)]
        wider = [other for other in overlapping if set(label.axes) < set(other.axes)]
        for other in wider:
            relations.nest(label, other)
        if any(
            not set(label.axes) < set(o.axes) and not set(o.axes) < set(label.axes)
            for o in overlapping
        ):
            relations.pin(label, f"meets differently split axes in {out.name}")
        elif not wider:
            kept.append(label)
    return kept


def _stays(relations: Relations, out: Out, label: Label, operands: list[Value]) -> bool:
    """Hold a label against operands with entries of their own along its axes; False if pinned."""
    for value in operands:
        own = _own_axes(value, label.axes, len(out.shape))
        if own == label.axes:
            relations.pin(label, f"meets {value.source} in {out.name}")
            return False
        if own:  # heads times positions: only what is at the same position can be exchanged
            places = np.indices(label.ids.shape)[[label.axes.index(axis) for axis in own]]
            sizes = [label.ids.shape[label.axes.index(axis)] for axis in own]
            relations.distinguish(label, np.ravel_multi_index(tuple(places), tuple(sizes)))
    return True


def _own_axes(value: Value, axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Return which of `axes` the value has entries along that are not labelled."""
    shift = ndim - len(value.shape)
    labelled = {a + shift for label in value.labels for a in label.axes}
    equal = {a + shift for a in value.repeated}
    return tuple(
        a for a in axes if a >= shift and value.shape[a - shift] != 1 and a not in labelled | equal
    )


def linear(
    relations: Relations, out: Out, x: Value, weight: Value, bias: Value | None = None
) -> Value:
    """Matrix product y = x Wᵀ + b on the last axis."""
    meet(relations, out, x, -1, weight, 1)
    label = weight.label(0)
    if bias is not None:
        meet(relations, out, weight, 0, bias, 0)
    return out.value(*others(x, -1), along(label, len(out.shape) - 1))


def conv(relations: Relations, out: Out, x: Value, weight: Value, *rest: Any) -> Value:
    """Convolution by aten.conv1d, 2d or 3d(..., bias, stride, padding, dilation, groups)."""
    bias = rest[0] if rest else None
    return _channels(relations, out, x, weight, bias, rest[4] if len(rest) > 4 else 1)


def convolution(relations: Relations, out: Out, x: Value, weight: Value, *rest: Any) -> Value:
    """Convolution by aten.convolution(..., bias, _, _, _, transposed, _, groups)."""
    bias, transposed, groups = rest[0], rest[4], rest[6]
    if transposed:
        return unknown(relations, out, x, weight, bias)
    return _channels(relations, out, x, weight, bias, groups)


def _channels(
    relations: Relations, out: Out, x: Value, weight: Value, bias: Value | None, groups: int
) -> Value:
    """Tie the channels (axis 1) of a convolution of any dimension to its weights."""
    pin_axes(relations, out, x, range(2, len(x.shape)), "is a position in")
    pin_axes(relations, out, weight, range(2, len(weight.shape)), KERNEL)
    if bias is not None:
        meet(relations, out, weight, 0, bias, 0)
    if groups == 1:
        meet(relations, out, x, 1, weight, 1)
    else:
        _grouped(relations, out, x, weight, groups)
    return out.value(along(weight.label(0), 1))


def _grouped(relations: Relations, out: Out, x: Value, weight: Value, groups: int) -> None:
    """Tie the inputs and outputs of each group to one unit; depthwise is one input a group."""
    pin_axes(relations, out, weight, (1,), "is shared by all groups of")
    source, target = alone(relations, x, 1), weight.label(0)
    if source is None or target is None:
        reason = f"meets {x.source} in {out.name}"
        relations.pin(source, reason)
        relations.pin(target, reason)
        return
    if source.ids.size == groups == target.ids.size:
        relations.equate(source, target, "")
        return
    unit = relations.fresh(1, groups)
    ids, slots = source.ids.reshape(groups, -1), source.slots.reshape(groups, -1)
    owner, place = np.indices(ids.shape)
    inner = relations.within(np.zeros_like(ids), place)
    relations.edges.append((unit.ids[owner].ravel(), inner.ravel(), ids.ravel(), slots.ravel()))
    relations.nest(unit, _in_groups(target, groups))


def _in_groups(label: Label, groups: int) -> Label:
    """Return the label of a channel axis that is split into groups and channels within them."""
    return Label((1, 2), label.ids.reshape(groups, -1), label.slots.reshape(groups, -1))


def channel_norm(relations: Relations, out: Out, x: Value, *args: Any) -> Value:
    """Batch norm and its like: every channel (axis 1) on its own, with vectors of parameters."""
    for vector in args:
        if isinstance(vector, Value):
            meet(relations, out, x, 1, vector, 0)
    return out.value(*x.labels)


def prelu(relations: Relations, out: Out, x: Value, weight: Value) -> Value:
    """A slope for each channel, or one for all."""
    return channel_norm(relations, out, x, *([weight] if weight.shape != (1,) else []))


def layer_norm(
    relations: Relations,
    out: Out,
    x: Value,
    shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    *_: Any,
) -> Value:
    """Mean and variance over the last axes do not depend on the order of entries there."""
    for vector in [v for v in (weight, bias) if isinstance(v, Value)]:
        for axis in range(len(shape)):
            meet(relations, out, x, axis - len(shape), vector, axis)
    return normalise(relations, out, x, range(-len(shape), 0))


def group_norm(
    relations: Relations,
    out: Out,
    x: Value,
    groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    *_: Any,
) -> Value:
    """Channels can be exchanged within their group, and groups with all their channels."""
    channel_norm(relations, out, x, weight, bias)
    label = alone(relations, x, 1)
    if label is not None and groups > 1:
        relations.contain(_in_groups(label, groups), [1])
    return out.value(*x.labels)


def normalise(relations: Relations, out: Out, x: Value, axes: Sequence[int]) -> Value:
    """Divide by a sum over axes, and the like: the order of entries there does not matter."""
    within = {axis % len(x.shape) for axis in axes}
    for label in x.labels:
        rest = [axis for axis in label.axes if axis not in within]
        if len(rest) < len(label.axes) and rest:
            relations.contain(label, rest)
    return out.value(*x.labels)


def softmax(relations: Relations, out: Out, x: Value, dim: int, *_: Any, **__: Any) -> Value:
    """Softmax along one axis."""
    return normalise(relations, out, x, [dim])


def reduction(
    relations: Relations, out: Out, x: Value, dim: Any = None, *_: Any, **__: Any
) -> Value:
    """Sum, mean, variance, maximum over axes: none depends on the order of what it reduces."""
    ndim = len(x.shape)
    if isinstance(dim, bool):  # aten.var(x, unbiased), over all axes
        dim = None
    axes = {a % ndim for a in ([dim] if isinstance(dim, int) else dim or range(ndim))}
    labels: tuple[Label, ...] = ()
    for label in x.labels:
        rest = [axis for axis in label.axes if axis not in axes]
        if len(rest) == len(label.axes):
            labels += (label,)
        elif rest:
            labels += (relations.contain(label, rest),)
    if len(out.shape) < ndim:
        for axis in sorted(axes, reverse=True):
            labels = without(labels, axis)
    return out.value(*labels)


def vector_norm(
    relations: Relations, out: Out, x: Value, _: Any = 2, dim: Any = None, *__: Any, **___: Any
) -> Value:
    """Norm over axes: aten.linalg_vector_norm(x, ord, dim)."""
    return reduction(relations, out, x, dim)


def pooling(relations: Relations, out: Out, x: Value, *_: Any, **__: Any) -> Value:
    """Each channel on its own; the rest are positions."""
    positions = range(2, len(x.shape)) if len(x.shape) > 3 else range(1, len(x.shape))
    pin_axes(relations, out, x, positions, "is a position in")
    return out.value(*others(x, *positions))


def constant(relations: Relations, out: Out, *_: Any, **__: Any) -> Value:
    """A new tensor that depends on no value."""
    return out.value()
