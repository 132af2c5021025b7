"""What a layer reads, one row for each value that each of its outputs is computed from.

module, Params, layer, images  ->  inputs  ->  (samples, features)

A linear layer reads one row an image. A convolution reads a patch a position, in the order in which
its weights are stored, so that ``inputs @ weight.flatten(1).T`` is what it puts out without bias.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, untied
from modeconn_lib.training.batchnorm import normalise_by_batch, unused_statistics


class _Reached(Exception):
    """The layer has been reached; what comes after it need not be computed."""


def layer_of(module: nn.Module, name: str) -> nn.Linear | nn.Conv2d:
    """Return a layer whose outputs are linear in its inputs, row by row.

    Raises
    ------
    ValueError
        If it is no linear layer, or no convolution with zero padding and one group.
    """
    layer = dict(module.named_modules()).get(name)
    if isinstance(layer, nn.Linear | nn.Conv2d):
        plain = nn.Linear if isinstance(layer, nn.Linear) else nn.Conv2d
        if type(layer).forward is not plain.forward:
            raise ValueError(
                f"{name!r} is a {type(layer).__name__}, which computes something of its own; "
                "inputs are listed for torch's own linear layers and convolutions"
            )
    if isinstance(layer, nn.Linear):
        return layer
    if isinstance(layer, nn.Conv2d):
        if layer.groups == 1 and layer.padding_mode == "zeros" and layer.padding != "same":
            return layer
        raise ValueError(
            f"{name!r} has {layer.groups} groups and padding {layer.padding_mode!r}, "
            f"{layer.padding!r}; its inputs are listed for one group and zeros, counted, only"
        )
    known = [n for n, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    raise ValueError(f"{name!r} is no linear layer or convolution; there are: {', '.join(known)}")


@torch.no_grad()
def inputs(
    module: nn.Module,
    params: Params,
    name: str,
    images: Tensor,
    positions: int = 0,
    *,
    by_batch: bool = False,
) -> Float[Tensor, "samples features"]:
    """Return what the layer reads in evaluation mode; what lies behind it is not computed.

    Parameters
    ----------
    positions
        Of a convolution's output, how many rows and columns to look at, at the least, evenly
        spread; 0 for all.
    by_batch
        Whether batch norm takes its statistics from these images, as it must on a path, where those
        of neither end are right. The parameters' own are neither read nor changed.

    Raises
    ------
    ValueError
        As `layer_of`, or if the network does not come by the layer.
    """
    layer = layer_of(module, name)
    found: list[Tensor] = []
    if by_batch:
        params = params | unused_statistics(module, params)
    with mode(module, training=False), _watched(layer, found):
        if by_batch:
            normalise_by_batch(module)
        try:
            functional_call(module, untied(module, params), (images,))
        except _Reached:
            x = found[0]
            return (
                x.flatten(0, -2) if isinstance(layer, nn.Linear) else _patches(layer, x, positions)
            )
    raise ValueError(f"the network computes its outputs without layer {name!r}")


@contextmanager
def _watched(layer: nn.Module, found: list[Tensor]) -> Iterator[None]:
    """Stop the network where it comes by the layer for the first time, and keep what it brings."""

    def stop(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        found.append(arguments[0])
        raise _Reached

    handle = layer.register_forward_pre_hook(stop)
    try:
        yield
    finally:
        handle.remove()


def _patches(layer: nn.Conv2d, x: Tensor, positions: int) -> Float[Tensor, "samples features"]:
    """Return the patch that each looked-at position of the output is computed from."""
    padding = (0, 0) if layer.padding == "valid" else layer.padding
    assert not isinstance(padding, str)  # as `layer_of` has seen to
    unfolded = nn.functional.unfold(x, layer.kernel_size, layer.dilation, padding, layer.stride)
    rows, columns = (
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, pad, dilation, kernel, stride in zip(
            x.shape[2:], padding, layer.dilation, layer.kernel_size, layer.stride, strict=True
        )
    )
    grid = unfolded.movedim(1, -1).unflatten(1, (rows, columns))
    return grid[:, _spread(rows, positions)][:, :, _spread(columns, positions)].flatten(0, 2)


def _spread(size: int, positions: int) -> slice:
    """Return every so many of `size` places: at least `positions` of them, if there are so many."""
    return slice(None, None, max(1, size // positions) if positions else 1)
