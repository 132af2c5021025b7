"""Changing the values of a whole batch of images at once.

uint8 images  ->  adjust_contrast, adjust_saturation  ->  uint8 images  ->  normalise  ->  float32

Image i is treated with entry i of the factors; nothing here is random.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # torchvision's weights of red, green and blue


def normalise(
    images: UInt8[Tensor, "batch channels height width"],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Float[Tensor, "batch channels height width"]:
    r"""Return :math:`(x / 255 - \mu) / \sigma` in float32, channel by channel.

    A single mean and deviation stand for every channel.

    Raises
    ------
    ValueError
        If there are neither one nor as many means and deviations as channels.
    """
    channels = images.shape[1]
    if len(mean) not in (1, channels) or len(std) != len(mean):
        raise ValueError(
            f"{channels} channel(s) need 1 or {channels} means and as many deviations, "
            f"got mean {mean!r} and std {std!r}"
        )
    centre = torch.tensor(mean, device=images.device).view(-1, 1, 1) * 255
    width = torch.tensor(std, device=images.device).view(-1, 1, 1) * 255
    return images.float().sub_(centre).div_(width)


def grey(
    images: UInt8[Tensor, "batch channels height width"],
) -> UInt8[Tensor, "batch 1 height width"]:
    """Return the brightness of each pixel; images of one channel are their own."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    bright = red.float().mul_(LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
    return bright.byte()


def blend(
    images: UInt8[Tensor, "batch channels height width"],
    other: Float[Tensor, "batch 1 #height #width"],
    factors: Float[Tensor, " batch"],
) -> UInt8[Tensor, "batch channels height width"]:
    r"""Return :math:`f x + (1 - f)\,y`, cut to 0..255 and rounded down as torchvision does."""
    weight = factors.view(-1, 1, 1, 1)
    return (weight * images + (1 - weight) * other).clamp_(0, 255).byte()


def adjust_contrast(
    images: UInt8[Tensor, "batch channels height width"], factors: Float[Tensor, " batch"]
) -> UInt8[Tensor, "batch channels height width"]:
    """Move every pixel away from (factor > 1) or towards the mean brightness of its image."""
    mean = grey(images).float().mean((2, 3), keepdim=True)
    return blend(images, mean, factors)


def adjust_saturation(
    images: UInt8[Tensor, "batch channels height width"], factors: Float[Tensor, " batch"]
) -> UInt8[Tensor, "batch channels height width"]:
    """Move every pixel away from (factor > 1) or towards its own grey; grey images stay."""
    if images.shape[1] == 1:
        return images
    return blend(images, grey(images).float(), factors)
