"""VGG16 for small images, with layer norm per pixel, of any width: Git Re-Basin's.

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
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    sides = [max(side, _SIDE) for side in shape[1:]]
    if list(shape[1:]) != sides:
        layers["border"] = _border(shape, sides)
    inputs, count = shape[0], 0
    for i, (factor, convolutions) in enumerate(_STAGES, start=1):
        for _ in range(convolutions):
            count, outputs = count + 1, factor * width
            layers[f"conv{count}"] = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers[f"norm{count}"] = LayerNorm2d(outputs)
            layers[f"relu{count}"] = nn.ReLU()
            inputs = outputs
        layers[f"pool{i}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    features, hidden = inputs * (sides[0] // _SIDE) * (sides[1] // _SIDE), hidden or inputs
    layers |= {"fc1": nn.Linear(features, hidden), "fc_relu1": nn.ReLU()}
    layers |= {"fc2": nn.Linear(hidden, hidden), "fc_relu2": nn.ReLU()}
    layers["fc"] = nn.Linear(hidden, classes)
    network = nn.Sequential(layers)
    lecun_normal_(network)
    return network


def _border(shape: tuple[int, int, int], sides: list[int]) -> nn.ReplicationPad2d:
    """Return the layer that puts the image into the middle of a larger one.

    Not of zeros: where a whole neighbourhood is 0, the first layer norm has no variance to divide
    by, and a gradient through it is multiplied by up to 1 / sqrt(eps) = 1000.
    """
    rows, columns = (side - own for side, own in zip(sides, shape[1:], strict=True))
    return nn.ReplicationPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
