"""What the batched image functions compute, one image and one pixel at a time.

Slow and plain, to be checked by eye; images are (channels, height, width) arrays.
"""

import math

import numpy as np


def crop_one(image, pad, top, left):
    """Pad with black, cut the old size out at (top, left)."""
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2 * pad, width + 2 * pad), np.uint8)
    padded[:, pad : pad + height, pad : pad + width] = image
    return padded[:, top : top + height, left : left + width]


def mirror_one(image):
    """Swap left and right."""
    out = np.empty_like(image)
    for column in range(image.shape[2]):
        out[:, :, column] = image[:, :, image.shape[2] - 1 - column]
    return out


def resample_one(image, zoom, place, mirrored, degrees):
    """Crop at (zoom, place), mirror, rotate, as augmax composes them; values before rounding.

    A pixel of the result is carried back through rotation, mirror and crop, in this order.
    """
    _, height, width = image.shape
    angle = math.radians(degrees)
    out = np.empty(image.shape, np.float64)
    for row in range(height):
        for column in range(width):
            y, x = row - (height - 1) / 2, column - (width - 1) / 2
            y, x = (
                math.cos(angle) * y - math.sin(angle) * x,
                math.sin(angle) * y + math.cos(angle) * x,
            )
            x = -x if mirrored else x
            x = (x + place[0] * (zoom - 1) * width / 2) / zoom
            y = (y + place[1] * (zoom - 1) * height / 2) / zoom
            out[:, row, column] = bilinear(image, y + (height - 1) / 2, x + (width - 1) / 2)
    return out


def bilinear(image, y, x):
    """Mean of the four pixels around a point by their nearness; the edge goes on outside."""
    y = min(max(y, 0.0), image.shape[1] - 1.0)
    x = min(max(x, 0.0), image.shape[2] - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, image.shape[1] - 1), min(left + 1, image.shape[2] - 1)
    down, over = y - top, x - left
    return (
        (1 - down) * (1 - over) * image[:, top, left]
        + (1 - down) * over * image[:, top, right]
        + down * (1 - over) * image[:, bottom, left]
        + down * over * image[:, bottom, right]
    )
