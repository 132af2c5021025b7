"""The random steps of an augmentation: each draws its numbers and moves or colours a batch.

generator  ->  a step's random numbers  ->  `geometry`, `colour`  ->  uint8 batch

Numbers are drawn on the CPU and moved, so that every device sees the same images.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from modeconn_lib.datasets import colour, geometry


@dataclass(frozen=True, slots=True)
class PadCrop:
    """Shift by up to `pad` pixels each way: pad with black, crop the old size at random."""

    pad: int

    def __call__(
        self, images: UInt8[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> UInt8[Tensor, "batch channels height width"]:
        """Return the images, each shifted."""
        offsets = torch.randint(2 * self.pad + 1, (len(images), 2), generator=generator)
        return geometry.crop_padded(images, self.pad, offsets.to(images.device))


@dataclass(frozen=True, slots=True)
class Flip:
    """Mirror left and right, half of the time."""

    def __call__(
        self, images: UInt8[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> UInt8[Tensor, "batch channels height width"]:
        """Return the images, some mirrored."""
        mask = torch.rand(len(images), generator=generator) < 0.5
        return geometry.mirror(images, mask)


@dataclass(frozen=True, slots=True)
class Affine:
    """Rotate by up to `degrees` either way and enlarge by a factor from `scale`."""

    degrees: float
    scale: tuple[float, float] = (1.0, 1.0)

    def __call__(
        self, images: UInt8[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> UInt8[Tensor, "batch channels height width"]:
        """Return the images, each turned and scaled."""
        angles = uniform(len(images), -self.degrees, self.degrees, generator)
        scales = uniform(len(images), *self.scale, generator)
        return geometry.rotate_scale(images, angles.to(images.device), scales.to(images.device))


@dataclass(frozen=True, slots=True)
class Resample:
    """Crop at a zoom and place, mirror half of the time, rotate; one bilinear resampling.

    This is augmax 0.2's chain of RandomSizedCrop, HorizontalFlip and Rotate, which Ainsworth et
    al. use. The zoom is drawn uniformly on a logarithmic scale.
    """

    zoom: tuple[float, float]
    degrees: float

    def __call__(
        self, images: UInt8[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> UInt8[Tensor, "batch channels height width"]:
        """Return the images, each zoomed, perhaps mirrored, and turned."""
        n, device = len(images), images.device
        low, high = (math.log(zoom) for zoom in self.zoom)
        zooms = uniform(n, low, high, generator).exp()
        places = torch.rand(n, 2, generator=generator) * 2 - 1
        mirrored = torch.rand(n, generator=generator) < 0.5
        angles = uniform(n, -self.degrees, self.degrees, generator)
        return geometry.resample(
            images, zooms.to(device), places.to(device), mirrored.to(device), angles.to(device)
        )


@dataclass(frozen=True, slots=True)
class Jitter:
    """Change contrast and saturation by up to these fractions, in either order by chance."""

    contrast: float
    saturation: float

    def __call__(
        self, images: UInt8[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> UInt8[Tensor, "batch channels height width"]:
        """Return the images, each in other colours."""
        n, device = len(images), images.device
        contrasts = uniform(n, 1 - self.contrast, 1 + self.contrast, generator).to(device)
        saturations = uniform(n, 1 - self.saturation, 1 + self.saturation, generator).to(device)
        before = torch.rand(n, generator=generator) < 0.5
        # Every image takes both steps once: contrast in the first or in the last line.
        images = contrast_where(before, images, contrasts)
        images = colour.adjust_saturation(images, saturations)
        return contrast_where(~before, images, contrasts)


Step = PadCrop | Flip | Affine | Resample | Jitter


def contrast_where(
    chosen: Bool[Tensor, " batch"],
    images: UInt8[Tensor, "batch channels height width"],
    factors: Float[Tensor, " batch"],
) -> UInt8[Tensor, "batch channels height width"]:
    """Return the images, the chosen ones with another contrast."""
    places = chosen.nonzero()[:, 0].to(images.device)
    return images.index_copy(0, places, colour.adjust_contrast(images[places], factors[places]))


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Float[Tensor, " {n}"]:
    """Return n numbers uniform in [low, high), drawn on the CPU."""
    return torch.rand(n, generator=generator) * (high - low) + low
