"""A curve the usual way: every layer is rewritten to hold all control points and to mix them.

control points  ->  RewrittenCurve  ->  loss at t, penalty included

This is the slow reference that the library's own curves are timed and checked against. It knows
the layers of TinyTen only; the library's curves need to know none.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from modeconn_lib.core.params import Params
from modeconn_lib.paths.curves import bernstein

Apply = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]


def _conv(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return nn.functional.conv2d(x, weight, bias, layer.stride, layer.padding)


def _batch_norm(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean, var = layer.running_mean, layer.running_var
    return nn.functional.batch_norm(x, mean, var, weight, bias, True, layer.momentum, layer.eps)


def _linear(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return nn.functional.linear(x, weight, bias)


APPLY: dict[type[nn.Module], Apply] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _linear,
}


class Rewritten(nn.Module):
    """One layer with weights and biases of every control point."""

    def __init__(self, copies: Sequence[nn.Module]) -> None:
        super().__init__()
        self.copies, self.apply_to = nn.ModuleList(copies), APPLY[type(copies[0])]
        for end in (copies[0], copies[-1]):
            end.requires_grad_(False)

    def forward(self, x: Tensor, mixture: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Return the layer's result for the mixed weights, and their squared norm."""
        weight = sum(c * copy.weight for c, copy in zip(mixture, self.copies, strict=True))
        bias = sum(c * copy.bias for c, copy in zip(mixture, self.copies, strict=True))
        square = weight.square().sum() + bias.square().sum()
        return self.apply_to(self.copies[0], x, weight, bias), square


class RewrittenCurve(nn.Module):
    """A Bezier curve of networks made of a chain of layers; all but the ends is learned."""

    def __init__(self, networks: Sequence[nn.Sequential], points: Sequence[Params]) -> None:
        """Put the points into the networks, one for each, and take the networks apart."""
        super().__init__()
        for network, point in zip(networks, points, strict=True):
            network.load_state_dict(point)
        self.layers = nn.ModuleList(
            Rewritten(copies) if type(copies[0]) in APPLY else copies[0]
            for copies in zip(*networks, strict=True)
        )

    def loss(self, images: Tensor, labels: Tensor, t: float, penalty: float) -> Tensor:
        """Return the cross-entropy at t and half the penalty times the squared norm of r(t)."""
        x, square, mixture = images, torch.zeros((), device=images.device), self.mixture(t)
        for layer in self.layers:
            if isinstance(layer, Rewritten):
                x, own = layer(x, mixture)
                square = square + own
            else:
                x = layer(x)
        return nn.functional.cross_entropy(x.float(), labels) + 0.5 * penalty * square

    def mixture(self, t: float) -> tuple[float, ...]:
        """Return the weight of every control point."""
        first = next(layer for layer in self.layers if isinstance(layer, Rewritten))
        return bernstein(t, len(first.copies))
