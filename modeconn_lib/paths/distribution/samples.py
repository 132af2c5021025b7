"""What belongs to one unit, as a vector: its incoming weights, its bias, its outgoing weights.

PermutationSpec, group  ->  butterflies  ->  Units  ->  samples(params, units)  ->  (units, D)
name of a layer         ->  rows         ->

A network with one hidden layer is a sum over such vectors, in any order (Anokhin & Yarotsky 2020,
equations 2 and 3); they call one a butterfly. Which tensor axes belong to the units of a group is
what a `PermutationSpec` says, so every network that has one has butterflies, convolutional and
residual networks included.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from modeconn_lib.core.params import Params
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec


@dataclass(frozen=True, slots=True)
class Units:
    """Units that are samples of one distribution, and where their weights lie.

    Attributes
    ----------
    size
        Number of units.
    spans
        The stretches of tensor axes that they index.
    """

    size: int
    spans: tuple[AxisSpan, ...]


def butterflies(spec: PermutationSpec, group: str, params: Params) -> Units:
    """Return all that is learned of the units of a group: what they read and what reads them.

    Parameters
    ----------
    params
        A network; integer buffers are no part of a sample.

    Raises
    ------
    ValueError
        If there is no such group, or a weight lies between two of its units and belongs to both.
    """
    if group not in spec.spans:
        raise ValueError(f"no group {group!r}; there are: {', '.join(spec.spans)}")
    spans = tuple(s for s in spec.spans[group] if params[s.tensor].is_floating_point())
    axes: dict[str, int] = {}
    for span in spans:
        if axes.setdefault(span.tensor, span.axis) != span.axis:
            raise ValueError(
                f"{span.tensor!r} holds weights from units of {group!r} to units of the same "
                "group: they are no samples of one distribution"
            )
    return Units(spec.sizes[group], spans)


def rows(params: Params, layer: str) -> Units:
    """Return the units of a linear or convolutional layer by what they read, biases included.

    Raises
    ------
    ValueError
        If the network has no such layer.
    """
    names = [name for name in (f"{layer}.weight", f"{layer}.bias") if name in params]
    if f"{layer}.weight" not in names or params[names[0]].ndim < 2:
        known = [n.removesuffix(".weight") for n, v in params.items() if v.ndim > 1]
        raise ValueError(f"no layer {layer!r} with rows of weights; there are: {', '.join(known)}")
    return Units(len(params[names[0]]), tuple(AxisSpan(name, 0) for name in names))


def samples(params: Params, units: Units) -> Float[Tensor, "units _"]:
    """Return one row for each unit: all its weights, tensor after tensor."""
    found = []
    for span in units.spans:
        value = params[span.tensor].movedim(span.axis, 0)
        entries = span.entries(units.size).to(value.device)
        found.append(value[entries].reshape(units.size, -1))
    return torch.cat(found, 1)


def with_samples(params: Params, units: Units, values: Float[Tensor, "units _"]) -> Params:
    """Return the network whose units are `values`, in the coordinates of `samples`.

    Raises
    ------
    ValueError
        If there are not as many units or coordinates as the network has.
    """
    out = dict(params)
    widths = [_width(params, span) for span in units.spans]
    if values.shape != (units.size, sum(widths)):
        raise ValueError(
            f"the network has {units.size} units of {sum(widths)} coordinates, got values of "
            f"shape {tuple(values.shape)}"
        )
    for span, part in zip(units.spans, values.split(widths, 1), strict=True):
        value = out[span.tensor].movedim(span.axis, 0).clone()
        entries = span.entries(units.size).to(value.device)
        value[entries] = part.reshape(units.size, span.block, *value.shape[1:]).to(value.dtype)
        out[span.tensor] = value.movedim(0, span.axis).contiguous()
    return out


def _width(params: Params, span: AxisSpan) -> int:
    """Return how many coordinates a span gives each unit."""
    value = params[span.tensor]
    return span.block * (value.numel() // value.shape[span.axis])
