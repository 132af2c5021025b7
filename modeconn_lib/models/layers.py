"""The layers and initialisations that torch lacks, as the published networks use them.

image maps  ->  LayerNorm2d | SameConv2d  ->  image maps;   module  ->  lecun_normal_  ->  module
pre-activations  ->  HuberisedReLU  ->  activations;   module  ->  huberised  ->  its smooth twin

Nothing here knows which network it is part of.
"""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

# Standard deviation of a unit normal that is cut off at two standard deviations.
_TRUNCATED_STD = 0.87962566103423978


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of each pixel, with a scale and a bias per channel.

    This is flax's ``LayerNorm`` on images. It is not ``GroupNorm(1, channels)``, which takes one
    mean and one variance over the whole map.

    Parameters
    ----------
    channels
        Size of axis 1.
    eps
        Added to the variance; flax's default.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Normalise each pixel; free of copies if `x` is in channels-last layout."""
        y = functional.layer_norm(
            x.permute(0, 2, 3, 1), tuple(self.weight.shape), self.weight, self.bias, self.eps
        )
        return y.permute(0, 3, 1, 2)


class SameConv2d(nn.Conv2d):
    """A convolution without bias whose output has ceil(size / stride) pixels a side.

    This is the padding 'SAME' of flax and TensorFlow. Where its total is odd (an even size at
    stride 2), the end gets the extra pixel: with a 3 x 3 kernel no zeros come before the image and
    one after, while ``padding=1`` puts one before and samples every map one pixel earlier.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(
        self, x: Float[Tensor, "batch channel_in height width"]
    ) -> Float[Tensor, "batch channel_out height_out width_out"]:
        """Pad by the size of `x`, then convolve."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        if top == bottom and left == right:  # the convolution's own padding saves a copy
            return functional.conv2d(x, self.weight, None, stride, (top, left))
        return functional.conv2d(
            functional.pad(x, (left, right, top, bottom)), self.weight, None, stride
        )


class HuberisedReLU(nn.Module):
    r"""A ReLU whose corner is rounded off over a width of :math:`\delta`: it has a derivative.

    .. math::

        \sigma_\delta(z) = \begin{cases} 0 & z \le 0 \\
            z^2 / 2\delta & 0 \le z \le \delta \\ z - \delta / 2 & \delta \le z \end{cases}

    Tatro et al. 2020, equation 38. It is at most ReLU, at least ReLU minus :math:`\delta / 2`, and
    like it changes no faster than its input.

    Parameters
    ----------
    delta
        :math:`\delta`, positive.
    """

    def __init__(self, delta: float) -> None:
        super().__init__()
        if not delta > 0:
            raise ValueError(f"a corner is rounded off over a positive width, got {delta=}")
        self.delta = delta

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        r"""Return :math:`c^2 / 2\delta + \max(z - \delta, 0)`, c being z clamped to [0, delta]."""
        corner = x.clamp(0, self.delta)
        return corner.square() / (2 * self.delta) + (x - self.delta).relu()

    def extra_repr(self) -> str:
        """Return what the printed module says of it."""
        return f"delta={self.delta:g}"


def huberised(module: nn.Module, delta: float) -> nn.Module:
    """Return a copy of a module in which every ReLU is a `HuberisedReLU`.

    Parameters and buffers keep their names, so both run on the same `Params`.
    """
    if isinstance(module, nn.ReLU):
        return HuberisedReLU(delta)
    twin = copy.deepcopy(module)
    for name, part in list(twin.named_modules()):
        if isinstance(part, nn.ReLU):
            twin.set_submodule(name, HuberisedReLU(delta))
    return twin


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros 'SAME' puts before and after an axis of `size` pixels.

    Examples
    --------
    >>> same_padding(32, kernel=3, stride=1), same_padding(32, kernel=3, stride=2)
    ((1, 1), (0, 1))
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def lecun_normal_(module: nn.Module) -> None:
    r"""Draw every kernel from flax's LeCun normal, and set every bias to zero.

    Each weight is drawn from a normal law cut off at two of its standard deviations, scaled to
    variance :math:`1 / \text{fan}_\text{in}` after the cut, from torch's current random state.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            std = layer.weight[0].numel() ** -0.5 / _TRUNCATED_STD
            nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
