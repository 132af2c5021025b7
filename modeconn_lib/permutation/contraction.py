"""Rules of the operators that multiply and sum: matrix products, einsum, attention.

Values of the arguments  ->  their product, entry by entry  ->  summed over the axes that go

Where both factors have heads, the sum is one of every head on its own: heads become blocks of the
dimensions inside them (`Relations.contain`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modeconn_lib.permutation.arithmetic import pointwise, reduction
from modeconn_lib.permutation.labels import Relations, Value
from modeconn_lib.permutation.rule import Out, pin_axes, unknown


def einsum(
    relations: Relations, out: Out, equation: str, operands: Sequence[Value], *_: Any, **__: Any
) -> Value:
    """Sum of products of one or two operands, by the letters of their axes."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    letters = inputs.split(",")
    known = all(
        len(set(axes)) == len(axes) == len(x.shape)
        for axes, x in zip(letters, operands, strict=True)
    )
    if not (known and arrow and set(result) <= set(inputs)):
        return unknown(relations, out, *operands)
    return _contract(relations, out, letters, operands, result)


def _contract(
    relations: Relations,
    out: Out,
    letters: Sequence[str],
    operands: Sequence[Value],
    result: str,
) -> Value:
    """Multiply in the space of all axes, the result's first, and sum over the others."""
    every = result + "".join(sorted(set("".join(letters)) - set(result)))
    placed = [_spread(x, axes, every) for x, axes in zip(operands, letters, strict=True)]
    shape = tuple(max(x.shape[i] for x in placed) for i in range(len(every)))
    product = pointwise(relations, Out(shape, out.dynamic, out.name), *placed)
    if len(every) == len(result):
        return out.value(*product.labels)
    return reduction(relations, out, product, range(len(result), len(every)))


def _spread(x: Value, axes: str, every: str) -> Value:
    """Return the value with its axes at their places among those of all letters."""
    place = [every.index(letter) for letter in axes]
    shape = [1] * len(every)
    for i, n in zip(place, x.shape, strict=True):
        shape[i] = n
    labels = tuple(label.on(*(place[a] for a in label.axes)) for label in x.labels)
    return replace(x, shape=tuple(shape), labels=labels, dynamic=frozenset())


def matmul(relations: Relations, out: Out, x: Value, y: Value) -> Value:
    """Matrix product of the last two axes; the axes before them broadcast."""
    if len(y.shape) < 2 or len(x.shape) < 2:
        return unknown(relations, out, x, y)
    batch = "klmnopqr"[: len(out.shape) - 2]
    letters = [_letters(x, batch, "iz"), _letters(y, batch, "zj")]
    return _contract(relations, out, letters, [x, y], batch + "ij")


def _letters(x: Value, batch: str, last: str) -> str:
    """Return letters for the axes of a factor; `batch` letters for all but the last two."""
    return batch[len(batch) + 2 - len(x.shape) :] + last


def addmm(relations: Relations, out: Out, bias: Value, x: Value, y: Value, **_: Any) -> Value:
    """Matrix product with a bias: bias + x y."""
    return pointwise(relations, out, bias, matmul(relations, out, x, y))


def attention(
    relations: Relations,
    out: Out,
    q: Value,
    k: Value,
    v: Value,
    mask: Value | None = None,
    _: Any = 0.0,
    is_causal: bool = False,
    *,
    enable_gqa: bool = False,
    **__: Any,
) -> Value:
    """softmax(q kᵀ + mask) v, in the last two axes (positions, dimensions)."""
    if enable_gqa:
        return unknown(relations, out, q, k, v, mask)
    if is_causal:  # a mask that nobody gives
        for x in (q, k, v):
            pin_axes(relations, out, x, [-2], "is a position in")
    batch = "klmnopqr"[: len(out.shape) - 2]
    scores = Out((*out.shape[:-1], k.shape[-2]), frozenset(), out.name)
    letters = [_letters(q, batch, "iz"), _letters(k, batch, "jz")]
    weights = _contract(relations, scores, letters, [q, k], batch + "ij")
    if mask is not None:
        weights = pointwise(relations, scores, weights, mask)
    letters = [batch + "ij", _letters(v, batch, "jy")]
    return _contract(relations, out, letters, [weights, v], batch + "iy")
