"""Images for methods that look at activations: a known data set, or a folder of the user's.

--data, --examples, the network's shape, a Normalisation  ->  Inputs  ->  normalised batches, Feed
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from modeconn_lib.commands.normalisation import USUAL, Normalisation
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.batches import batch_indices
from modeconn_lib.datasets.colour import normalise
from modeconn_lib.datasets.folder import pictures
from modeconn_lib.datasets.images import MissingData, load
from modeconn_lib.datasets.pictures import decode
from modeconn_lib.datasets.registry import DATASETS
from modeconn_lib.datasets.sources import VARIABLE

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
    colours
        How they are normalised.
    title
        What they are, for the report.
    """

    pixels: UInt8[Tensor, "n channels height width"]
    labels: Int64[Tensor, " n"]
    classes: int
    colours: Normalisation
    title: str

    @property
    def parts(self) -> int:
        """Return the number of batches, whose sizes differ by one at most.

        A single image left over could not be normalised by its batch, and batch-norm statistics
        are the mean over batches.
        """
        return -(-len(self.labels) // BATCH)

    @property
    def described(self) -> str:
        """Return the title, and how the images are normalised."""
        return f"{self.title}, {self.colours}"

    def normalised(
        self, pixels: UInt8[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return pixels as the network wants them."""
        return normalise(pixels, self.colours.mean, self.colours.std)

    def __iter__(self) -> Iterator[Float[Tensor, "batch channels height width"]]:
        """Yield normalised images, some at a time."""
        return map(self.normalised, self.pixels.tensor_split(self.parts))

    def labelled(self) -> list[tuple[Tensor, Tensor]]:
        """Return all batches with their labels."""
        return list(zip(self, self.labels.tensor_split(self.parts), strict=True))


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
        return self.images.normalised(self.images.pixels[chosen]), self.images.labels[chosen]


def known_shape(data: str) -> tuple[int, int, int] | None:
    """Return the shape of the images of a data set of the registry; None for a folder or none."""
    return DATASETS[data].shape if data in DATASETS else None


def inputs(
    data: str,
    examples: int,
    shape: tuple[int, ...],
    *,
    imagenet: bool,
    seed: int,
    colours: Normalisation | None = None,
) -> Inputs:
    """Return at most `examples` training images for a network that takes inputs of `shape`.

    Parameters
    ----------
    data
        Name of a data set, or a folder with pictures in ``train/<class>``.
    imagenet
        Whether the network wants ImageNet's normalisation, as torchvision's do. A folder has no
        other of its own.
    colours
        In the place of what is usual for the network and the data.

    Raises
    ------
    Refusal
        If the data are not there, or the network does not take their images.
    """
    if examples < 2:
        raise Refusal(f"matching activations needs at least 2 examples, got --examples {examples}")
    if colours is not None and len(colours.mean) not in (1, shape[0]):
        raise Refusal(f"the network takes {shape[0]} channels, but --mean has {len(colours.mean)}")
    if data not in DATASETS:
        found = _of_folder(Path(data), examples, shape, seed, colours or USUAL)
    else:
        found = _of_registry(data, examples, shape, seed, colours, imagenet=imagenet)
    if len(found.labels) < 2:
        raise Refusal(f"at least 2 images are needed, {data} has {len(found.labels)}")
    return found


def _of_registry(
    data: str,
    examples: int,
    shape: tuple[int, ...],
    seed: int,
    colours: Normalisation | None,
    *,
    imagenet: bool,
) -> Inputs:
    """Return some images of a known data set, by its own constants unless told otherwise."""
    try:
        found = load(data, "train")
    except MissingData:
        raise Refusal(
            f"the train images of {data} were not found; set {VARIABLE} to the folder that holds "
            f"{data}/, or run `modeconn data fetch {data}`"
        ) from None
    if found.info.shape != shape:
        raise Refusal(
            f"the images of {data} have shape {found.info.shape}, the network takes {shape!r}"
        )
    chosen = _chosen(len(found), examples, seed)
    own = Normalisation(found.info.mean, found.info.std)
    colours = colours or (USUAL if imagenet and shape[0] == 3 else own)
    title = f"{len(chosen)} training images of {found.info.title}"
    labels, classes = found.labels[chosen], found.info.classes
    return Inputs(found.images[chosen], labels, classes, colours, title)


def _of_folder(
    path: Path, examples: int, shape: tuple[int, ...], seed: int, colours: Normalisation
) -> Inputs:
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
        colours,
        f"{len(chosen)} pictures of {path}",
    )


def _chosen(n: int, examples: int, seed: int) -> Int64[Tensor, " _"]:
    """Return some of n positions: a folder's pictures come class by class."""
    return torch.randperm(n, generator=generator(seed, "matching images"))[:examples]
