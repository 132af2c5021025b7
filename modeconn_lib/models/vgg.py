"""VGG16 for small images, of any width: Git Re-Basin's with layer norm per pixel, and one without.

images  ->  5 stages of (conv, norm, ReLU) and a pooling  ->  flatten  ->  fc1, fc2, fc  ->  logits

The five poolings turn a 32 x 32 image into one pixel. Smaller images (28 x 28) are continued by
copies of their edge up to 32 pixels a side; larger ones keep a map of floor(side / 32) pixels.
"""

from collections import OrderedDict

from torch import nn

from modeconn_lib.models.layers import LayerNorm2d, lecun_normal_

_STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # channels over the base width, convolutions
_SIDE = 32  # what five poolings turn into one pixel


def vgg16_layernorm(
    shape: tuple[int, int, int], classes: int, width: int = 64, hidden: int = 0
) -> nn.Sequential:
    """Return VGG16 with LeCun-normal weights and zero biases.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    width
        Channels of the first stage; 64 is VGG16's own.
    hidden
        Units of the two hidden layers of the classifier; 0 for as many as the last stage has
        channels. The VGG16 that Git Re-Basin counts in its table 1 has 4096.

    Raises
    ------
    ValueError
        If `width` is not positive or `hidden` negative.
    """
    if width < 1 or hidden < 0:
        raise ValueError(f"a VGG16 needs width >= 1 and hidden >= 0, got {width=}, {hidden=}")
    layers, features = _convolutions(shape, width, norm=True)
    hidden = hidden or _STAGES[-1][0] * width
    layers |= {"fc1": nn.Linear(features, hidden), "fc_relu1": nn.ReLU()}
    layers |= {"fc2": nn.Linear(hidden, hidden), "fc_relu2": nn.ReLU()}
    layers["fc"] = nn.Linear(hidden, classes)
    network = nn.Sequential(layers)
    lecun_normal_(network)
    return network


def vgg16(shape: tuple[int, int, int], classes: int, width: int = 64) -> nn.Sequential:
    """Return VGG16 without normalisation and with dropout before the hidden layers.

    Anokhin & Yarotsky 2020's, after Garipov et al. 2018: the weights of a convolution whose
    kernels have k entries a channel and which puts out n channels are normal with variance
    2 / (k n), their biases zero; the linear layers are initialised as PyTorch does.

    Parameters
    ----------
    shape
        (channels, height, width) of an image.
    classes
        Number of logits.
    width
        Channels of the first stage; 64 is VGG16's own.

    Raises
    ------
    ValueError
        If `width` is not positive.
    """
    if width < 1:
        raise ValueError(f"a VGG16 needs width >= 1, got {width=}")
    layers, features = _convolutions(shape, width, norm=False)
    hidden = _STAGES[-1][0] * width
    layers |= {"drop1": nn.Dropout(), "fc1": nn.Linear(features, hidden), "fc_relu1": nn.ReLU()}
    layers |= {"drop2": nn.Dropout(), "fc2": nn.Linear(hidden, hidden), "fc_relu2": nn.ReLU()}
    layers["fc"] = nn.Linear(hidden, classes)
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return nn.Sequential(layers)


def _convolutions(
    shape: tuple[int, int, int], width: int, norm: bool
) -> tuple[OrderedDict[str, nn.Module], int]:
    """Return VGG16's layers up to the flatten, and how many features these give."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    sides = [max(side, _SIDE) for side in shape[1:]]
    if list(shape[1:]) != sides:
        layers["border"] = _border(shape, sides)
    inputs, count = shape[0], 0
    for i, (factor, convolutions) in enumerate(_STAGES, start=1):
        for _ in range(convolutions):
            count, outputs = count + 1, factor * width
            layers[f"conv{count}"] = nn.Conv2d(inputs, outputs, 3, padding=1)
            if norm:
                layers[f"norm{count}"] = LayerNorm2d(outputs)
            layers[f"relu{count}"] = nn.ReLU()
            inputs = outputs
        layers[f"pool{i}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    return layers, inputs * (sides[0] // _SIDE) * (sides[1] // _SIDE)


def _border(shape: tuple[int, int, int], sides: list[int]) -> nn.ReplicationPad2d:
    """Return the layer that puts the image into the middle of a larger one.

    Not of zeros: where a whole neighbourhood is 0, the first layer norm has no variance to divide
    by, and a gradient through it is multiplied by up to 1 / sqrt(eps) = 1000.
    """
    rows, columns = (side - own for side, own in zip(sides, shape[1:], strict=True))
    return nn.ReplicationPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
