"""TinyTen, the small convolutional network of the neuron alignment paper.

images  ->  8 x (conv, batch norm, ReLU)  ->  mean over the map  ->  fc  ->  logits

The same network serves every image size: the two strides and the unpadded seventh convolution
turn a 32 x 32 image into 6 x 6 maps, whose mean is taken.

The authors' networks for 64 x 64 images had one seventh convolution for the endpoints and another
one for the curve; here a curve and its endpoints are the same network, as the paper says.
"""

from collections import OrderedDict

from torch import nn

from modeconn_lib.core.errors import Refusal

# (channels out, kernel, stride, padding) of each convolution
_CONVOLUTIONS = (
    (16, 3, 1, 1),
    (16, 3, 1, 1),
    (32, 3, 2, 1),
    (32, 3, 1, 1),
    (32, 3, 1, 1),
    (64, 3, 2, 1),
    (64, 3, 1, 0),
    (64, 1, 1, 0),
)


def tinyten(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Return TinyTen with Xavier-normal weights and zero biases.

    Parameters
    ----------
    shape
        (channels, height, width) of an image; a side must have at least 9 pixels.
    classes
        Number of logits.

    Raises
    ------
    Refusal
        If the image is too small for the seventh convolution.
    """
    if min(shape[1:]) < 9:
        raise Refusal(f"TinyTen needs images of at least 9 x 9 pixels, got shape {shape!r}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = shape[0]
    for i, (outputs, kernel, stride, padding) in enumerate(_CONVOLUTIONS, start=1):
        layers[f"conv{i}"] = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        layers[f"bn{i}"] = nn.BatchNorm2d(outputs)
        layers[f"relu{i}"] = nn.ReLU()
        inputs = outputs
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["fc"] = nn.Linear(inputs, classes)
    network = nn.Sequential(layers)
    _initialise(network)
    return network


def _initialise(network: nn.Module) -> None:
    """Xavier-normal weights and zero biases; batch norm is the identity already."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
