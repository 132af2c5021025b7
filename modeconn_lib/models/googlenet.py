"""GoogLeNet for small images, as the neuron alignment paper trains it.

images  ->  3 convolutions, 9 inception blocks  ->  mean over the map  ->  fc  ->  logits
                in training: two auxiliary heads on the way  ->  two more logits

It is torchvision's network, down to the names of its tensors, without the stride of the first
convolution and without the first and the last pooling: a 32 x 32 image becomes an 8 x 8 map.
The branch that is called 5 x 5 has a 3 x 3 kernel there and here.
"""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_SIDE = 32  # of the images that the maps are made for

# Channels that the convolutions of each block make: of branch 1; the two of branch 2; the two of
# branch 3; of branch 4.
_BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}

Outputs = Float[Tensor, "batch classes"] | tuple[Float[Tensor, "batch classes"], ...]


class Inception(nn.Module):
    """Four branches side by side: their channels are those of the result, in this order."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, before_two, two, before_three, three, four = widths
        self.branch1 = _layer(inputs, one)
        self.branch2 = nn.Sequential(_layer(inputs, before_two), _layer(before_two, two, 3))
        self.branch3 = nn.Sequential(_layer(inputs, before_three), _layer(before_three, three, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _layer(inputs, four))

    def forward(
        self, x: Float[Tensor, "batch channel_in height width"]
    ) -> Float[Tensor, "batch channel_out height width"]:
        """Return what the branches make of `x`, one after another along the channels."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class Resize(nn.Module):
    """Bring images to 32 x 32 pixels; each is a weighted mean of what lies around it."""

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel 32 32"]:
        """Interpolate as an image library does: without aliases."""
        return functional.interpolate(x, (_SIDE, _SIDE), mode="bilinear", antialias=True)


class GoogLeNet(nn.Module):
    """The network; `googlenet` builds it with fresh weights."""

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()

        def wide(channels: int) -> int:
            return channels * width // 64

        self.resize = Resize() if max(shape[1:]) > _SIDE else nn.Identity()
        self.conv1 = _layer(shape[0], wide(64), 7)
        self.conv2 = _layer(wide(64), wide(64))
        self.conv3 = _layer(wide(64), wide(192), 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        inputs = wide(192)
        for name, channels in _BLOCKS.items():
            one, _, two, _, three, four = widths = tuple(map(wide, channels))
            self.add_module(f"inception{name}", Inception(inputs, widths))
            inputs = one + two + three + four
        self.aux1 = _head(wide(512), wide(128), wide(1024), classes)
        self.aux2 = _head(wide(528), wide(128), wide(1024), classes)
        self.avgpool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Outputs:
        """Return the logits; in training a tuple of these and both auxiliary heads' logits."""
        x = self.maxpool2(self.conv3(self.conv2(self.conv1(self.resize(x)))))
        early = self._blocks(self.maxpool3(self._blocks(x, "3a", "3b")), "4a")
        late = self._blocks(early, "4b", "4c", "4d")
        x = self.avgpool(self._blocks(late, "4e", "5a", "5b"))
        logits: Tensor = self.fc(self.dropout(self.flatten(x)))
        return (logits, self.aux1(early), self.aux2(late)) if self.training else logits

    def _blocks(self, x: Tensor, *names: str) -> Tensor:
        """Run some inception blocks, one after another."""
        for name in names:
            x = self.get_submodule(f"inception{name}")(x)
        return x


def googlenet(shape: tuple[int, int, int], classes: int, width: int = 64) -> GoogLeNet:
    """Return GoogLeNet with weights that are normal up to two standard deviations of 0.01.

    Parameters
    ----------
    shape
        (channels, height, width) of an image. Larger ones than 32 x 32 are brought to that size
        first, as the authors' code does when it loads them.
    classes
        Number of logits, of the auxiliary heads, too.
    width
        Channels of the first convolution; 64 is GoogLeNet's own. All others are in proportion.

    Raises
    ------
    ValueError
        If `width` is not a multiple of 8: the channels of some branches would not be whole.
    """
    if width < 8 or width % 8:
        raise ValueError(f"the width of a GoogLeNet is a multiple of 8, got {width}")
    network = GoogLeNet(shape, classes, width)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)
    return network


def _layer(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size of the map, batch norm, and a ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            bn=nn.BatchNorm2d(outputs, eps=1e-3),
            relu=nn.ReLU(),
        )
    )


def _head(inputs: int, channels: int, hidden: int, classes: int) -> nn.Sequential:
    """Return an auxiliary classifier of a map, which it first makes one of 4 x 4."""
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(4),
            conv=_layer(inputs, channels),
            flatten=nn.Flatten(),
            fc1=nn.Linear(16 * channels, hidden),
            relu=nn.ReLU(),
            dropout=nn.Dropout(0.7),
            fc2=nn.Linear(hidden, classes),
        )
    )
