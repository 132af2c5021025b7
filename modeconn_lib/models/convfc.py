"""Conv2FC1: two convolutions and one linear layer, of Anokhin & Yarotsky 2020.

images  ->  2 stages of (conv, ReLU) and a pooling  ->  flatten  ->  fc  ->  logits
"""

from collections import OrderedDict

from torch import nn

from modeconn_lib.core.errors import Refusal


def conv2fc1(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Return the network with 32 and 64 channels, initialised as PyTorch does.

    Its last layer reads the 3136 numbers of a 7 x 7 map (of a 32 x 32 image); the paper's "3136
    neurons in the fully connected layer" are these.

    Parameters
    ----------
    shape
        (channels, height, width) of an image, at least 7 pixels a side.
    classes
        Number of logits.

    Raises
    ------
    Refusal
        If the image is smaller.
    """
    if min(shape[1:]) < 7:
        raise Refusal(f"Conv2FC1 needs images of at least 7 x 7 pixels, got shape {shape}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs, height, width = shape
    for i, channels in enumerate((32, 64), start=1):
        layers[f"conv{i}"] = nn.Conv2d(inputs, channels, 5, padding=2)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(3, 2)
        inputs, height, width = channels, (height - 1) // 2, (width - 1) // 2
    layers |= {"flatten": nn.Flatten(), "fc": nn.Linear(inputs * height * width, classes)}
    return nn.Sequential(layers)
