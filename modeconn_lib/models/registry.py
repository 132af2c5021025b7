"""Every architecture the experiments may name, in one table.

name  ->  Architecture  ->  build(shape, classes)  ->  module with fresh weights
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.convfc import conv2fc1
from modeconn_lib.models.googlenet import googlenet
from modeconn_lib.models.mlp import fully_connected, mlp, residual_mlp
from modeconn_lib.models.resnet import resnet, resnet_layernorm
from modeconn_lib.models.tinyten import tinyten
from modeconn_lib.models.vgg import vgg16, vgg16_layernorm


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a network, and what the paper it comes from calls it.

    Attributes
    ----------
    build
        Called with the (channels, height, width) of an image and the number of classes; returns
        freshly initialised weights, drawn from torch's current random state.
    title
        Its name in figures and tables.
    source
        Citation key in ``book/references.bib``; empty for our own.
    has_batchnorm
        Whether statistics must be re-estimated after the weights are changed by hand.
    auxiliary
        What the loss of each auxiliary head counts in training, where the network gives their
        logits after its own; 0 where it has none.
    """

    build: Callable[[tuple[int, int, int], int], nn.Module]
    title: str
    source: str
    has_batchnorm: bool
    auxiliary: float = 0.0


def _wide(name: str, title: str, width: int) -> tuple[str, str]:
    """Return name and title of a network `width` times as wide; width 1 goes without saying."""
    return (name, title) if width == 1 else (f"{name}_x{width}", f"{title} × {width}")


def _resnet(depth: int, width: int) -> tuple[str, Architecture]:
    """Return the table row of a batch norm ResNet."""
    name, title = _wide(f"resnet{depth}", f"ResNet{depth}", width)
    build = partial(resnet, depth=depth, width=width)
    return name, Architecture(build, title, "tatro2020optimizing", has_batchnorm=True)


def _resnet_layernorm(depth: int, width: int) -> tuple[str, Architecture]:
    """Return the table row of a layer norm ResNet."""
    name, title = _wide(f"resnet{depth}_layernorm", f"ResNet{depth} (layer norm)", width)
    build = partial(resnet_layernorm, depth=depth, width=width)
    return name, Architecture(build, title, "ainsworth2023git", has_batchnorm=False)


def _vgg16_layernorm(width: int) -> tuple[str, Architecture]:
    """Return the table row of a layer norm VGG16 whose first stage has `width` channels."""
    factor = {8: " × 1/8", 16: " × 1/4", 32: " × 1/2", 64: "", 128: " × 2", 256: " × 4"}[width]
    build = partial(vgg16_layernorm, width=width)
    title = f"VGG16 (layer norm){factor}"
    return f"vgg16_layernorm_w{width}", Architecture(
        build, title, "ainsworth2023git", has_batchnorm=False
    )


def _googlenet(width: int) -> tuple[str, Architecture]:
    """Return the table row of a GoogLeNet whose first convolution has `width` channels."""
    name, title = {64: ("googlenet", "GoogLeNet"), 8: ("googlenet_w8", "GoogLeNet × 1/8")}[width]
    build = partial(googlenet, width=width)
    return name, Architecture(
        build, title, "tatro2020optimizing", has_batchnorm=True, auxiliary=0.3
    )


def _mlp(width: int) -> tuple[str, Architecture]:
    """Return the table row of an MLP with three layers of `width` units."""
    build = partial(mlp, widths=(width,) * 3)
    return f"mlp_w{width}", Architecture(build, f"MLP 3 × {width}", "", has_batchnorm=False)


def _one_hidden(width: int) -> tuple[str, Architecture]:
    """Return the table row of a network with one hidden layer of `width` units."""
    build = partial(fully_connected, widths=(width,))
    title = f"one hidden layer of {width}"
    return f"one_hidden_w{width}", Architecture(build, title, "anokhin2020low", has_batchnorm=False)


def _fully_connected(name: str, title: str, widths: tuple[int, ...]) -> tuple[str, Architecture]:
    """Return the table row of a deep fully connected network, which has no biases."""
    build = partial(fully_connected, widths=widths, bias=False)
    return name, Architecture(build, title, "anokhin2020low", has_batchnorm=False)


def _vgg16(width: int) -> tuple[str, Architecture]:
    """Return the table row of a VGG16 without normalisation."""
    name, title = {64: ("vgg16", "VGG16"), 8: ("vgg16_w8", "VGG16 × 1/8")}[width]
    build = partial(vgg16, width=width)
    return name, Architecture(build, title, "anokhin2020low", has_batchnorm=False)


def _resnet50(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return torchvision's ResNet50; its stem takes the channels that the images have."""
    network: nn.Module = torchvision().models.resnet50(num_classes=classes)
    if shape[0] != 3:
        network.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
    return network


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(mlp, "MLP 3 × 512", "ainsworth2023git", has_batchnorm=False),
    "mlp_small": Architecture(
        partial(mlp, widths=(64, 32)), "MLP 64-32", source="", has_batchnorm=False
    ),
    **dict(_mlp(width) for width in (16, 32, 64, 128)),
    "residual_mlp": Architecture(
        residual_mlp, "residual MLP 3 × 512", source="", has_batchnorm=False
    ),
    "residual_mlp_deep": Architecture(
        partial(residual_mlp, width=64, blocks=8), "residual MLP 8 × 64", "", has_batchnorm=False
    ),
    "tinyten": Architecture(tinyten, "TinyTen", "tatro2020optimizing", has_batchnorm=True),
    "resnet50": Architecture(_resnet50, "ResNet50", "he2016deep", has_batchnorm=True),
    **dict([_resnet(8, 1)]),
    **dict(_resnet(20, width) for width in (1, 2, 4, 8, 16, 32)),
    **dict(_resnet(32, width) for width in (1, 2, 4)),
    **dict(_googlenet(width) for width in (8, 64)),
    **dict(_one_hidden(width) for width in (20, 100, 500, 1000, 2000, 5000)),
    **dict(
        _fully_connected(*row)
        for row in (
            ("fc3", "FC3", (6144, 2000)),
            ("fc3_small", "FC3 256-128", (256, 128)),
            ("fc5_small", "FC5 256-128-64-64", (256, 128, 64, 64)),
            ("fc7_small", "FC7 256-128-64-64-64-64", (256, 128, 64, 64, 64, 64)),
            ("fc5", "FC5", (6144, 2000, 1000, 1000)),
            ("fc7", "FC7", (6144, 2000, 1000, 1000, 1000, 1000)),
        )
    ),
    "conv2fc1": Architecture(conv2fc1, "Conv2FC1", "anokhin2020low", has_batchnorm=False),
    **dict(_vgg16(width) for width in (8, 64)),
    **dict(_resnet_layernorm(20, width) for width in (1, 2, 4, 8, 16, 32)),
    **dict(_vgg16_layernorm(width) for width in (8, 16, 32, 64, 128, 256)),
    "vgg16_layernorm_4096": Architecture(
        partial(vgg16_layernorm, hidden=4096),
        "VGG16 (layer norm, 4096 units)",
        source="ainsworth2023git",
        has_batchnorm=False,
    ),
}


def outline(name: str) -> nn.Module:
    """Return a network for colour images of 32 x 32 and ten classes; nothing is allocated for it.

    Raises
    ------
    Refusal
        If there is no such architecture.
    """
    with torch.device("meta"):
        return architecture(name).build((3, 32, 32), 10)


def architecture(name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises
    ------
    Refusal
        If there is none, naming those there are.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise Refusal(f"unknown architecture {name!r}; known: {known}") from None
