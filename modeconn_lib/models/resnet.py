"""Residual networks for small images, of any depth 6n + 2 and any width.

images  ->  stem  ->  3 stages of n blocks (16w, 32w, 64w channels)  ->  mean  ->  fc  ->  logits

block:  x  ->  conv1, norm1, ReLU, conv2, norm2  ->  + shortcut(x)  ->  ReLU

The neuron alignment paper's networks have batch norm and a 1 x 1 convolution as the shortcut into
a new stage (`resnet`). Git Re-Basin's have layer norm over the channels of each pixel, 'SAME'
padding, and a 3 x 3 convolution there (`resnet_layernorm`).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.models.layers import LayerNorm2d, SameConv2d, lecun_normal_

_STAGES = ((16, 1), (32, 2), (64, 2))  # channels at width 1 and stride of each stage


@dataclass(frozen=True, slots=True)
class _Style:
    """What the two families differ in.

    Attributes
    ----------
    convolution
        Called with (inputs, outputs, kernel, stride); has no bias.
    norm
        Called with the number of channels.
    shortcut_kernel
        Kernel of the convolution on the shortcut into a new stage.
    """

    convolution: Callable[[int, int, int, int], nn.Module]
    norm: Callable[[int], nn.Module]
    shortcut_kernel: int


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, which is the identity where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int, style: _Style) -> None:
        super().__init__()
        self.conv1 = style.convolution(inputs, outputs, 3, stride)
        self.norm1 = style.norm(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = style.convolution(outputs, outputs, 3, 1)
        self.norm2 = style.norm(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            convolution = style.convolution(inputs, outputs, style.shortcut_kernel, stride)
            self.shortcut = nn.Sequential(OrderedDict(conv=convolution, norm=style.norm(outputs)))
        self.relu2 = nn.ReLU()

    def forward(
        self, x: Float[Tensor, "batch channel_in height width"]
    ) -> Float[Tensor, "batch channel_out height_out width_out"]:
        """Return ReLU(convolutions(x) + shortcut(x))."""
        y = self.relu1(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        out: Tensor = self.relu2(y + self.shortcut(x))
        return out


def resnet(shape: tuple[int, int, int], classes: int, depth: int, width: int = 1) -> nn.Sequential:
    """Return a ResNet with batch norm; convolutions are Kaiming-normal by their fan-out.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    depth
        Layers with weights along the longest way: 20, 32, 44, ...
    width
        Multiplies the channels of every stage.

    Raises
    ------
    ValueError
        If `depth` is not 6n + 2.
    """
    style = _Style(_padded_convolution, nn.BatchNorm2d, shortcut_kernel=1)
    network = _resnet(shape[0], classes, depth, width, style)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


def resnet_layernorm(
    shape: tuple[int, int, int], classes: int, depth: int, width: int = 1
) -> nn.Sequential:
    """Return Git Re-Basin's ResNet: layer norm per pixel, 'SAME' padding, LeCun-normal weights.

    Parameters as for `resnet`.

    Raises
    ------
    ValueError
        If `depth` is not 6n + 2.
    """
    style = _Style(SameConv2d, LayerNorm2d, shortcut_kernel=3)
    network = _resnet(shape[0], classes, depth, width, style)
    lecun_normal_(network)
    return network


def _resnet(channels: int, classes: int, depth: int, width: int, style: _Style) -> nn.Sequential:
    """Put the stem, the stages and the head together."""
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"a ResNet for small images has 6n + 2 layers (20, 32, ...), got {depth}")
    inputs = _STAGES[0][0] * width
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=style.convolution(channels, inputs, 3, 1), norm1=style.norm(inputs), relu1=nn.ReLU()
    )
    for i, (base, stride) in enumerate(_STAGES, start=1):
        outputs = base * width
        first = Block(inputs, outputs, stride, style)
        others = (Block(outputs, outputs, 1, style) for _ in range(blocks - 1))
        layers[f"layer{i}"] = nn.Sequential(first, *others)
        inputs = outputs
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["fc"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)


def _padded_convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
    """Return a convolution with kernel // 2 zeros on every side and no bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
