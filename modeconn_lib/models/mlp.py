"""Fully connected networks.

images  ->  flatten  ->  (fc1, ReLU)  ->  (fc2, ReLU)  ->  ...  ->  fc  ->  logits

With widths (512, 512, 512) it is the MLP of Git Re-Basin; those of Anokhin & Yarotsky differ in the
initial weights. `residual_mlp` has skip connections.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.models.layers import lecun_normal_


def mlp(
    shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (512, 512, 512)
) -> nn.Sequential:
    """Return an MLP with one ReLU layer for each of `widths`, LeCun-normal, biases zero.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    widths
        Units of each hidden layer, first to last.
    """
    network = fully_connected(shape, classes, widths)
    lecun_normal_(network)
    return network


def fully_connected(
    shape: tuple[int, int, int], classes: int, widths: Sequence[int], bias: bool = True
) -> nn.Sequential:
    """Return a network of linear layers with ReLUs between, initialised as PyTorch does.

    Those of Anokhin & Yarotsky 2020: the weights of a layer with n inputs, and its biases, are
    uniform between -1 and 1 over the root of n.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    widths
        Units of each hidden layer, first to last.
    bias
        Whether the layers have biases.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    inputs = math.prod(shape)
    for i, width in enumerate(widths, start=1):
        layers |= {f"fc{i}": nn.Linear(inputs, width, bias=bias), f"relu{i}": nn.ReLU()}
        inputs = width
    layers["fc"] = nn.Linear(inputs, classes, bias=bias)
    return nn.Sequential(layers)


class ResidualBlock(nn.Module):
    """Two layers on the way beside a stream that only they add to."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Return x + fc2(ReLU(fc1(x)))."""
        out: Tensor = x + self.fc2(self.relu(self.fc1(x)))
        return out


def residual_mlp(
    shape: tuple[int, int, int], classes: int, width: int = 512, blocks: int = 3
) -> nn.Sequential:
    """Return an MLP with one residual stream through all its blocks, LeCun-normal, biases zero.

    The units of the stream are one group that every block reads and writes: the case in which
    weight matching of random weights is known to stop early.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    width
        Units of the stream, and of the hidden layer of each block.
    blocks
        Number of blocks.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    layers["fc1"] = nn.Linear(math.prod(shape), width)
    layers |= {f"block{i}": ResidualBlock(width) for i in range(1, blocks + 1)}
    layers |= {"relu": nn.ReLU(), "fc": nn.Linear(width, classes)}
    network = nn.Sequential(layers)
    lecun_normal_(network)
    return network
