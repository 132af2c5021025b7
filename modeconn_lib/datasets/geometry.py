"""Moving the pixels of a whole batch at once, with the random numbers as arguments.

uint8 images, offsets | mask | angles, scales | zooms, places  ->  uint8 images

Image i is treated with entry i of the numbers, on the device of the images. `steps` draws the
numbers; nothing here is random. Nearest pixels are indexed, not sampled by ``grid_sample``: that
takes floats only, and more than twice the time.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor


def take_pixels(
    images: UInt8[Tensor, "batch channels height width"],
    places: Int64[Tensor, "batch rows columns"],
) -> UInt8[Tensor, "batch channels rows columns"]:
    """Return pixels of each image by their place in it, ``y * width + x``, in every channel."""
    batch, channels = images.shape[:2]
    index = places.view(batch, 1, -1).expand(batch, channels, -1)
    pixels = images.reshape(batch, channels, -1).gather(2, index)
    return pixels.view(batch, channels, *places.shape[1:])


def crop_padded(
    images: UInt8[Tensor, "batch channels height width"],
    pad: int,
    offsets: Int64[Tensor, "batch 2"],
) -> UInt8[Tensor, "batch channels height width"]:
    """Pad with `pad` black pixels on every side and cut the old size out at (top, left)."""
    height, width = images.shape[2:]
    device = images.device
    y = offsets[:, :1] + torch.arange(height, device=device)  # (batch, height)
    x = offsets[:, 1:] + torch.arange(width, device=device)  # (batch, width)
    places = (y * (width + 2 * pad)).unsqueeze(2) + x.unsqueeze(1)
    return take_pixels(F.pad(images, (pad,) * 4), places)


def mirror(
    images: UInt8[Tensor, "batch channels height width"], mask: Bool[Tensor, " batch"]
) -> UInt8[Tensor, "batch channels height width"]:
    """Mirror left and right the images whose `mask` is true.

    The mask may stay on the CPU: counting it there does not make a GPU wait.
    """
    chosen = mask.nonzero()[:, 0].to(images.device)
    return images.index_copy(0, chosen, images[chosen].flip(3))


def rotate_scale(
    images: UInt8[Tensor, "batch channels height width"],
    degrees: Float[Tensor, " batch"],
    scales: Float[Tensor, " batch"],
) -> UInt8[Tensor, "batch channels height width"]:
    r"""Rotate clockwise and enlarge about the centre: nearest pixel, black outside.

    Pixel (x, y), counted from the centre, shows the old pixel
    :math:`s^{-1} R(-\alpha)\,(x, y)`, as in torchvision's ``RandomAffine``.
    """
    height, width = images.shape[2:]
    x, y = sources(degrees, scales, height, width)
    x, y = x.round_(), y.round_()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # Places are whole numbers below 2**24, exact in float32: one conversion instead of two.
    places = y.clamp_(0, height - 1).mul_(width).add_(x.clamp_(0, width - 1)).long()
    return take_pixels(images, places).mul_(inside.unsqueeze(1))


def sources(
    degrees: Float[Tensor, " batch"], scales: Float[Tensor, " batch"], height: int, width: int
) -> tuple[Float[Tensor, "batch {height} {width}"], Float[Tensor, "batch {height} {width}"]]:
    """Return the column and row that each pixel of a turned and enlarged image comes from."""
    turn = torch.deg2rad(degrees)
    cos, sin = (turn.cos() / scales).view(-1, 1), (turn.sin() / scales).view(-1, 1)
    mid_x, mid_y = (width - 1) / 2, (height - 1) / 2
    x = torch.arange(width, device=degrees.device) - mid_x
    y = torch.arange(height, device=degrees.device) - mid_y
    column = (cos * x + mid_x).unsqueeze(1) + (sin * y).unsqueeze(2)
    row = (cos * y + mid_y).unsqueeze(2) - (sin * x).unsqueeze(1)
    return column, row


def resample(
    images: UInt8[Tensor, "batch channels height width"],
    zooms: Float[Tensor, " batch"],
    places: Float[Tensor, "batch 2"],
    mirrored: Bool[Tensor, " batch"],
    degrees: Float[Tensor, " batch"],
) -> UInt8[Tensor, "batch channels height width"]:
    r"""Crop at a zoom and a place, mirror, then rotate; all in one bilinear resampling.

    With :math:`q = F R(-\alpha)\,p`, pixel p, counted from the centre, shows the old point
    :math:`(q + c) / z`; c takes the crop from edge to edge of the enlarged image as its place
    (horizontal, vertical) goes from -1 to 1. Outside, the pixels of the edge are repeated.
    """
    height, width = images.shape[2:]
    turn, ratio = torch.deg2rad(degrees), height / width
    cos, sin = turn.cos(), turn.sin()
    side = torch.where(mirrored, -1.0, 1.0)
    reach = (zooms - 1)[:, None] * places
    # In the coordinates of affine_grid both edges are at 1, so height : width enters.
    from_x = torch.stack([side * cos, side * sin * ratio, reach[:, 0]], 1)
    from_y = torch.stack([-sin / ratio, cos, reach[:, 1]], 1)
    theta = torch.stack([from_x, from_y], 1) / zooms[:, None, None]  # (batch, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    sampled = F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled.add_(0.5).byte()  # rounds: the values are not negative
