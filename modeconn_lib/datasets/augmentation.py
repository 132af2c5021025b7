"""What each protocol does to a training batch, as data: random steps, then normalisation.

name, DatasetInfo  ->  augmentation  ->  augment(batch, generator)  ->  float32 batch

Which batch gets which generator is decided in `batches`.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.colour import normalise
from modeconn_lib.datasets.info import DatasetInfo
from modeconn_lib.datasets.steps import Affine, Flip, Jitter, PadCrop, Resample, Step


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The steps of a protocol, in its order, and the normalisation after them.

    Attributes
    ----------
    steps
        Applied in this order to uint8 images.
    mean, std
        Of each channel, in units where white is 1; empty means those of the data set, filled in
        by `augmentation`.
    """

    steps: tuple[Step, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def plain(self) -> "Augmentation":
        """Return the normalisation alone, for measuring."""
        return replace(self, steps=())

    @property
    def is_raw(self) -> bool:
        """Whether pixels stay in [0, 1]."""
        return (self.mean, self.std) == ((0.0,), (1.0,))

    def unnormalised(self) -> "Augmentation":
        """Return the same steps with pixels left in [0, 1], for attacks in pixel space."""
        return replace(self, mean=(0.0,), std=(1.0,))


CIFAR10 = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.247, 0.243, 0.261)}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

_NORMALISED: dict[str, Augmentation] = {
    "none": Augmentation(),
    "scaled": Augmentation(mean=(0.0,), std=(1.0,)),  # x / 255 and nothing else
    "shift_flip": Augmentation((PadCrop(4), Flip())),
    # Tatro et al. use CIFAR-10's constants for CIFAR-100, too.
    "neuron_alignment": Augmentation((Affine(15.0), Flip(), PadCrop(4)), **CIFAR10),
    "neuron_alignment_tiny": Augmentation(
        (Flip(), PadCrop(8), Affine(30.0, (0.8, 1.2)), Jitter(0.25, 0.25)), **IMAGENET
    ),
    "git_rebasin": Augmentation((Resample((0.8, 1.2), 30.0),), **IMAGENET),
    "distribution": Augmentation((Flip(), PadCrop(4)), **IMAGENET),
}
# For attacks in pixel space: the same steps, and nothing after them.
AUGMENTATIONS: dict[str, Augmentation] = _NORMALISED | {
    f"{name}_raw": _NORMALISED[name].unnormalised()
    for name in ("shift_flip", "neuron_alignment", "neuron_alignment_tiny")
}


def augmentation(name: str, info: DatasetInfo) -> Augmentation:
    """Return the augmentation called `name`, ready for the data set.

    Where the protocol has no constants, or has them for another number of channels, the mean and
    deviation of the data set are used.

    Raises
    ------
    Refusal
        If there is no such augmentation, naming the known ones.
    """
    if name not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        raise Refusal(f"unknown augmentation {name!r}; known: {known}")
    found = AUGMENTATIONS[name]
    if len(found.mean) in (1, info.shape[0]):
        return found
    return replace(found, mean=info.mean, std=info.std)


def augment(
    images: UInt8[Tensor, "batch channels height width"],
    augmentation: Augmentation,
    generator: torch.Generator,
) -> Float[Tensor, "batch channels height width"]:
    """Return a batch after the random steps and the normalisation, in float32."""
    for step in augmentation.steps:
        images = step(images, generator)
    return normalise(images, augmentation.mean, augmentation.std)
