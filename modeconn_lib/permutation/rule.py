"""What every operator's rule is made of.

A rule gets (relations, what comes out, the arguments as Values) and returns the Value(s) that come
out. It is right if permuting entries within the relations it leaves behind permutes its result as
its labels say. Where it cannot promise that, it pins.

Nothing here knows an operator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modeconn_lib.permutation.labels import Label, Relations, Value

Rule = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Out:
    """What is known beforehand of the result: its shape, and the name of its node."""

    shape: tuple[int, ...]
    dynamic: frozenset[int]
    name: str

    def value(self, *labels: Label | None) -> Value:
        """Return the result with these labels."""
        return Value(self.shape, tuple(x for x in labels if x is not None), self.dynamic)


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
