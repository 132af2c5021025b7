"""Fully connected networks.

images  ->  flatten  ->  (fc1, ReLU)  ->  (fc2, ReLU)  ->  ...  ->  fc  ->  logits

With widths (512, 512, 512) it is the MLP of Git Re-Basin.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

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
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    inputs = math.prod(shape)
    for i, width in enumerate(widths, start=1):
        layers[f"fc{i}"] = nn.Linear(inputs, width)
        layers[f"relu{i}"] = nn.ReLU()
        inputs = width
    layers["fc"] = nn.Linear(inputs, classes)
    network = nn.Sequential(layers)
    lecun_normal_(network)
    return network
