"""What each tensor operator does to labels: one table, one short rule a family.

(relations, what comes out, arguments as Values)  ->  rule  ->  Value(s) that come out

A rule is right if permuting entries within the relations it leaves behind permutes its result
as its labels say. Where it cannot promise that, it pins. An operator that is not in the table is
treated by `unknown`, which pins everything it reads.

Adding an operator is adding a row to `RULES`, and a rule if no family fits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modeconn_lib.permutation.labels import Label, Relations, Value, without
from modeconn_lib.permutation.reshape import reshape


@dataclass(frozen=True, slots=True)
class Out:
    """What is known beforehand of the result: its shape, and the name of its node."""

    shape: tuple[int, ...]
    dynamic: frozenset[int]
    name: str

    def value(self, *labels: Label | None) -> Value:
        """Return the result with these labels."""
        return Value(self.shape, tuple(x for x in labels if x is not None), self.dynamic)


Rule = Callable[..., Any]


def unknown(relations: Relations, out: Out, *args: Any, **kwargs: Any) -> Value:
    """Pin everything that goes in; nothing that comes out is labelled."""
    for value in values_in((args, tuple(kwargs.values()))):
        for label in value.labels:
            relations.pin(label, f"goes into {out.name}, which permutations are not known for")
    return out.value()


def values_in(item: Any) -> list[Value]:
    """Return all values within nested lists and tuples."""
    if isinstance(item, Value):
        return [item]
    if isinstance(item, list | tuple):
        return [value for part in item for value in values_in(part)]
    return []


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


def alone(relations: Relations, value: Value, axis: int) -> Label | None:
    """Return the label of `axis` alone; entries of axes labelled with it are tied to it."""
    label = value.label(axis)
    return None if label is None else relations.blocks(label, axis % len(value.shape))


def meet(relations: Relations, out: Out, x: Value, i: int, y: Value, j: int) -> None:
    """Let axis i of x and axis j of y, which are indexed together, move together."""
    a, b = alone(relations, x, i), alone(relations, y, j)
    other = x if a is None else y
    relations.equate(a, b, f"meets {other.source} in {out.name}")


def pin_axes(relations: Relations, out: Out, x: Value, axes: Sequence[int], why: str) -> None:
    """Keep the entries of some axes in place."""
    for axis in axes:
        relations.pin(x.label(axis), f"{why} {out.name}")


def along(label: Label | None, axis: int) -> Label | None:
    """Return a one-axis label moved to `axis`."""
    return None if label is None else label.on(axis)


def others(value: Value, *axes: int) -> tuple[Label, ...]:
    """Return the labels that touch none of `axes`."""
    gone = {axis % len(value.shape) for axis in axes}
    return tuple(label for label in value.labels if not gone & set(label.axes))


def linear(
    relations: Relations, out: Out, x: Value, weight: Value, bias: Value | None = None
) -> Value:
    """y = x Wᵀ + b on the last axis."""
    meet(relations, out, x, -1, weight, 1)
    label = weight.label(0)
    if bias is not None:
        meet(relations, out, weight, 0, bias, 0)
    return out.value(*others(x, -1), along(label, len(out.shape) - 1))


def convolution(
    relations: Relations,
    out: Out,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    *_: Any,
    groups: int = 1,
) -> Value:
    """A convolution of any dimension; channels are axis 1."""
    pin_axes(relations, out, x, range(2, len(x.shape)), "is a position in")
    pin_axes(relations, out, weight, range(2, len(weight.shape)), "is a position in the kernel of")
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


def conv_args(relations: Relations, out: Out, x: Value, weight: Value, *rest: Any) -> Value:
    """aten.conv1d/2d/3d(x, weight, bias, stride, padding, dilation, groups)."""
    bias = rest[0] if rest else None
    return convolution(relations, out, x, weight, bias, groups=rest[4] if len(rest) > 4 else 1)


def convolution_args(relations: Relations, out: Out, x: Value, weight: Value, *rest: Any) -> Value:
    """aten.convolution(x, weight, bias, stride, padding, dilation, transposed, out_pad, groups)."""
    if rest[4]:
        return unknown(relations, out, x, weight, rest[0])
    return convolution(relations, out, x, weight, rest[0], groups=rest[6])


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
    for vector in (weight, bias):
        for axis in range(len(shape)) if vector is not None else ():
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


def reduction(
    relations: Relations, out: Out, x: Value, dim: Any = None, keepdim: Any = False, *_: Any, **__: Any
) -> Value:
    """Sum, mean, variance, maximum over axes: none depends on the order of what it reduces."""
    ndim = len(x.shape)
    axes = {a % ndim for a in ([dim] if isinstance(dim, int) else dim or range(ndim))}
    labels = []
    for label in x.labels:
        left = set(label.axes) - axes
        if left and left != set(label.axes):
            relations.pin(label, f"is reduced in part by {out.name}")
        elif left:
            labels.append(label)
    if len(out.shape) == ndim:
        return out.value(*labels)
    for axis in sorted(axes, reverse=True):
        labels = list(without(labels, axis))
    return out.value(*labels)


def variance(relations: Relations, out: Out, x: Value, dim: Any = None, *_: Any, **__: Any) -> Value:
    """aten.var.correction(x, dim, *, correction, keepdim) and std."""
    return reduction(relations, out, x, dim)


def normalise(relations: Relations, out: Out, x: Value, axes: Sequence[int]) -> Value:
    """Divide by a sum over axes, and the like: the order of entries there does not matter."""
    within = {axis % len(x.shape) for axis in axes}
    for label in x.labels:
        if within & set(label.axes) and not within >= set(label.axes):
            relations.pin(label, f"is normalised in part by {out.name}")
    return out.value(*x.labels)


def softmax(relations: Relations, out: Out, x: Value, dim: int, *_: Any, **__: Any) -> Value:
    """aten.softmax(x, dim, dtype)."""
    return normalise(relations, out, x, [dim])


def pooling(relations: Relations, out: Out, x: Value, *_: Any, **__: Any) -> Value:
    """Each channel on its own; the rest are positions."""
    positions = range(2, len(x.shape)) if len(x.shape) > 3 else range(1, len(x.shape))
    pin_axes(relations, out, x, positions, "is a position in")
    return out.value(*others(x, *positions))


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
    rest = [
        Value(tuple(1 if a == axis else n for a, n in enumerate(p.shape)), others(p, axis), p.dynamic)
        for p in parts
    ]
    kept = pointwise(relations, Out(shape, out.dynamic, out.name), *rest)
    any_label = any(part.label(axis) is not None for part in parts)
    return out.value(*kept.labels, joined if any_label else None)


def take(relations: Relations, out: Out, x: Value, axis: int, index: np.ndarray) -> Value:
    """Some entries along one axis."""
    axis %= len(x.shape)
    label = x.label(axis)
    if label is None:
        return out.value(*x.labels)
    return out.value(*others(x, axis), label.take(label.axes.index(axis), index))


def slice_(
    relations: Relations, out: Out, x: Value, dim: int = 0, *bounds: Any
) -> Value:
    """aten.slice(x, dim, start, end, step)."""
    index = np.arange(x.shape[dim])[slice(*bounds)] if bounds else np.arange(x.shape[dim])
    return take(relations, out, x, dim, index)


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
        label.ids.take(index, position),
        label.slots.take(index, position),
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


def matmul(relations: Relations, out: Out, x: Value, y: Value) -> Value:
    """Matrix product of the last two axes; the axes before them broadcast."""
    if len(y.shape) < 2 or len(x.shape) < 2:
        return unknown(relations, out, x, y)
    meet(relations, out, x, -1, y, -2)
    rows = Value((*x.shape[:-1], 1), others(x, -1), x.dynamic)
    columns = Value((*y.shape[:-2], 1, y.shape[-1]), others(y, -2), y.dynamic)
    return pointwise(relations, out, rows, columns)


def addmm(relations: Relations, out: Out, bias: Value, x: Value, y: Value, **_: Any) -> Value:
    """bias + x y."""
    return pointwise(relations, out, bias, matmul(relations, out, x, y))


def constant(relations: Relations, out: Out, *_: Any, **__: Any) -> Value:
    """A new tensor that depends on no value."""
    return out.value()


def first_of(rule: Rule) -> Rule:
    """Return the rule of an operator with several results, of which only the first is used."""

    def with_rest(relations: Relations, outs: Sequence[Out], *args: Any, **kwargs: Any) -> list[Value]:
        first = rule(relations, outs[0], *args, **kwargs)
        return [first, *(out.value() for out in outs[1:])]

    return with_rest


def _rows(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


# Nonlinear functions of one entry: where a unit's pre- and post-activation are.
NONLINEARITIES = frozenset(
    "relu relu6 hardtanh leaky_relu prelu elu selu celu gelu silu mish hardswish softplus "
    "tanh sigmoid hardsigmoid log_sigmoid rrelu softsign".split()
)

RULES: dict[str, Rule] = {
    **_rows(pointwise, " ".join(sorted(NONLINEARITIES - {"prelu"}))),
    **_rows(
        pointwise,
        "add sub mul div neg abs exp log sqrt rsqrt reciprocal square pow clamp clamp_min clamp_max "
        "maximum minimum erf sign where dropout native_dropout feature_dropout alpha_dropout clone "
        "contiguous to _to_copy detach alias lift_fresh_copy type_as zeros_like ones_like "
        "bernoulli floor round",
    ),
    **_rows(linear, "linear"),
    **_rows(conv_args, "conv1d conv2d conv3d"),
    **_rows(convolution_args, "convolution"),
    **_rows(channel_norm, "batch_norm instance_norm"),
    **_rows(prelu, "prelu"),
    **_rows(first_of(channel_norm), "_native_batch_norm_legit_no_training"),
    **_rows(layer_norm, "layer_norm rms_norm"),
    **_rows(first_of(layer_norm), "native_layer_norm"),
    **_rows(group_norm, "group_norm"),
    **_rows(reduction, "mean sum amax amin logsumexp"),
    **_rows(variance, "var std"),
    **_rows(softmax, "softmax log_softmax _softmax _log_softmax"),
    **_rows(
        pooling,
        "max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mean_pool2d "
        "upsample_nearest2d upsample_bilinear2d",
    ),
    **_rows(first_of(pooling), "max_pool2d_with_indices"),
    **_rows(pad, "pad constant_pad_nd"),
    **_rows(
        view,
        "view reshape flatten unflatten squeeze unsqueeze _unsafe_view _reshape_copy",
    ),
    **_rows(permute, "permute"),
    **_rows(transpose, "transpose t"),
    **_rows(expand, "expand broadcast_to"),
    **_rows(concatenate, "cat concat"),
    **_rows(slice_, "slice"),
    **_rows(select, "select"),
    **_rows(flip, "flip"),
    **_rows(split, "split split_with_sizes chunk"),
    **_rows(unbind, "unbind"),
    **_rows(matmul, "matmul mm bmm"),
    **_rows(addmm, "addmm"),
    **_rows(constant, "arange zeros ones full empty scalar_tensor"),
}
