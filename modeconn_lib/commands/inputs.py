"""Images for methods that look at activations: a known data set, or a folder of the user's.

--data, --examples, the network's shape  ->  Inputs  ->  normalised batches, Feed
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.augmentation import IMAGENET
from modeconn_lib.datasets.batches import batch_indices
from modeconn_lib.datasets.colour import normalise
from modeconn_lib.datasets.folder import pictures
from modeconn_lib.datasets.images import load
from modeconn_lib.datasets.pictures import decode
from modeconn_lib.datasets.registry import DATASETS

BATCH = 100


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Training images in a random order, the same at every iteration.

    Attributes
    ----------
    pixels, labels
        Pixels from 0 to 255, and classes from 0.
    classes
        How many classes the whole set has.
    mean, std
        Of each channel, in units where white is 1.
    title
        What they are, for the report.
    """

    pixels: UInt8[Tensor, "n channels height width"]
    labels: Int64[Tensor, " n"]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    title: str

    def __iter__(self) -> Iterator[Float[Tensor, "batch channels height width"]]:
        """Yield normalised images, some at a time."""
        for part in self.pixels.split(BATCH):
            yield normalise(part, self.mean, self.std)

    def labelled(self) -> list[tuple[Tensor, Tensor]]:
        """Return all batches with their labels."""
        return list(zip(self, self.labels.split(BATCH), strict=True))


class Feed:
    """The images as the training loop wants them: in another random order every epoch."""

    def __init__(self, images: Inputs, seed: int) -> None:
        """Only whole batches: a single image cannot be normalised by its batch."""
        self.images, self.seed = images, seed
        self.size = min(BATCH, len(images.labels))
        self.steps = len(images.labels) // self.size
        self.examples = self.steps * self.size

    def __call__(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of batch `step` of `epoch`."""
        chosen = batch_indices(len(self.images.labels), self.size, self.seed, epoch)[step]
        pixels, labels = self.images.pixels[chosen], self.images.labels[chosen]
        return normalise(pixels, self.images.mean, self.images.std), labels


def known_shape(data: str) -> tuple[int, int, int] | None:
    """Return the shape of the images of a data set of the registry; None for a folder or none."""
    return DATASETS[data].shape if data in DATASETS else None


def inputs(
    data: str, examples: int, shape: tuple[int, ...], *, imagenet: bool, seed: int
) -> Inputs:
    """Return at most `examples` training images for a network that takes inputs of `shape`.

    Parameters
    ----------
    data
        Name of a data set, or a folder with pictures in ``train/<class>``.
    imagenet
        Whether the network wants ImageNet's normalisation, as torchvision's do. A folder has no
        other.

    Raises
    ------
    Refusal
        If the data are not there, or the network does not take their images.
    """
    if examples < 2:
        raise Refusal(f"matching activations needs at least 2 examples, got --examples {examples}")
    if data not in DATASETS:
        return _of_folder(Path(data), examples, shape, seed)
    found = load(data, "train")
    if found.info.shape != shape:
        raise Refusal(
            f"the images of {data} have shape {found.info.shape}, the network takes {shape!r}"
        )
    chosen = _chosen(len(found), examples, seed)
    mean, std = found.info.mean, found.info.std
    if imagenet and shape[0] == 3:
        mean, std = IMAGENET["mean"], IMAGENET["std"]
    title = f"{len(chosen)} training images of {found.info.title}"
    labels, classes = found.labels[chosen], found.info.classes
    return Inputs(found.images[chosen], labels, classes, mean, std, title)


def _of_folder(path: Path, examples: int, shape: tuple[int, ...], seed: int) -> Inputs:
    """Decode some pictures of an ImageFolder."""
    if not path.is_dir():
        known = ", ".join(DATASETS)
        raise Refusal(f"--data {str(path)!r} is neither a folder nor a known data set: {known}")
    if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
        raise Refusal(f"pictures of a folder become square and RGB; the network takes {shape!r}")
    classes = pictures(path, "train")
    files = [file for found in classes.values() for file in found]
    labels = [label for label, found in enumerate(classes.values()) for _ in found]
    chosen = _chosen(len(files), examples, seed)
    pixels = torch.from_numpy(decode([files[i] for i in chosen.tolist()], shape[1]))
    return Inputs(
        pixels.permute(0, 3, 1, 2).contiguous(),
        torch.tensor(labels)[chosen],
        len(classes),
        **IMAGENET,
        title=f"{len(chosen)} pictures of {path}",
    )


def _chosen(n: int, examples: int, seed: int) -> Int64[Tensor, " _"]:
    """Return some of n positions: a folder's pictures come class by class."""
    return torch.randperm(n, generator=generator(seed, "matching images"))[:examples]
