"""Rules of the operators that calculate: pointwise, products, convolutions, norms, reductions.

Values of the arguments  ->  relations between their entries  ->  Value of the result

Arguments come in the order of ATen's signatures; a rule takes what it needs and drops the rest.
"""

from collections.abc import Sequence
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
            if moved.axes in found:
                relations.equate(found[moved.axes], moved, "")
            else:
                found[moved.axes] = moved
    kept = []
    for axes, label in found.items():
        clash = next((v for v in operands if _fixes(v, axes, len(out.shape))), None)
        overlaps = any(set(axes) & set(other) for other in found if other != axes)
        if clash is not None or overlaps:
            source = "differently split axes" if clash is None else clash.source
            relations.pin(label, f"meets {source} in {out.name}")
        else:
            kept.append(label)
    return out.value(*kept)


def _fixes(value: Value, axes: tuple[int, ...], ndim: int) -> bool:
    """Return whether the value has entries of its own, without the same label, along `axes`."""
    own = tuple(a - (ndim - len(value.shape)) for a in axes)
    if all(a < 0 or value.shape[a] == 1 for a in own):
        return False
    return all(label.axes != own for label in value.labels)


def linear(
    relations: Relations, out: Out, x: Value, weight: Value, bias: Value | None = None
) -> Value:
    """Matrix product y = x Wᵀ + b on the last axis."""
    meet(relations, out, x, -1, weight, 1)
    label = weight.label(0)
    if bias is not None:
        meet(relations, out, weight, 0, bias, 0)
    return out.value(*others(x, -1), along(label, len(out.shape) - 1))


def matmul(relations: Relations, out: Out, x: Value, y: Value) -> Value:
    """Matrix product of the last two axes; the axes before them broadcast."""
    if len(y.shape) < 2 or len(x.shape) < 2:
        return unknown(relations, out, x, y)
    meet(relations, out, x, -1, y, -2)
    rows = Value((*x.shape[:-1], 1), others(x, -1), x.dynamic)
    columns = Value((*y.shape[:-2], 1, y.shape[-1]), others(y, -2), y.dynamic)
    return pointwise(relations, out, rows, columns)


def addmm(relations: Relations, out: Out, bias: Value, x: Value, y: Value, **_: Any) -> Value:
    """Matrix product with a bias: bias + x y."""
    return pointwise(relations, out, bias, matmul(relations, out, x, y))


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
    unit = relations.fresh(0, groups)
    for label in (source, target):
        ids, slots = label.ids.reshape(groups, -1), label.slots.reshape(groups, -1)
        owner, place = np.indices(ids.shape)
        inner = relations.within(np.zeros_like(ids), place)
        relations.edges.append((unit.ids[owner].ravel(), inner.ravel(), ids.ravel(), slots.ravel()))


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
    """Channels can be exchanged within their group."""
    channel_norm(relations, out, x, weight, bias)
    label = alone(relations, x, 1)
    if label is not None and groups > 1:
        relations.distinguish(label, np.arange(label.ids.size) * groups // label.ids.size)
    return out.value(*x.labels)


def normalise(relations: Relations, out: Out, x: Value, axes: Sequence[int]) -> Value:
    """Divide by a sum over axes, and the like: the order of entries there does not matter."""
    within = {axis % len(x.shape) for axis in axes}
    for label in x.labels:
        if within & set(label.axes) and not within >= set(label.axes):
            relations.pin(label, f"is combined in part by {out.name}")
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
    normalise(relations, out, x, sorted(axes))  # a part of a label's axes cannot be reduced
    labels = tuple(label for label in x.labels if not axes & set(label.axes))
    if len(out.shape) < ndim:
        for axis in sorted(axes, reverse=True):
            labels = without(labels, axis)
    return out.value(*labels)


def pooling(relations: Relations, out: Out, x: Value, *_: Any, **__: Any) -> Value:
    """Each channel on its own; the rest are positions."""
    positions = range(2, len(x.shape)) if len(x.shape) > 3 else range(1, len(x.shape))
    pin_axes(relations, out, x, positions, "is a position in")
    return out.value(*others(x, *positions))


def constant(relations: Relations, out: Out, *_: Any, **__: Any) -> Value:
    """A new tensor that depends on no value."""
    return out.value()
