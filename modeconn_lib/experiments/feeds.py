"""Images as the loops want them: by position for training, in order for measuring.

Images  ->  TrainFeed(epoch, step)  |  InOrder, Inputs  ->  batches on the machine
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.augmentation import Augmentation, augment
from modeconn_lib.datasets.batches import batch_indices, plain_batches, training_batch
from modeconn_lib.datasets.images import Images


class TrainFeed:
    """Augmented batches; batch k of epoch e depends on the seed, e and k alone."""

    def __init__(
        self,
        data: Images,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        machine: Machine,
    ) -> None:
        """Put the images on the machine, as bytes."""
        self.data, self.machine = data.to(machine.device), machine
        self.batch_size, self.augmentation, self.seed = batch_size, augmentation, seed
        self.examples = len(data)
        self.steps = -(-self.examples // batch_size)
        self._epoch = -1
        self._order: tuple[Tensor, ...] = ()

    def __call__(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of batch `step` of `epoch`."""
        if self._epoch != epoch:
            self._order = batch_indices(self.examples, self.batch_size, self.seed, epoch)
            self._epoch = epoch
        images, labels = training_batch(
            self.data, self._order[step], self.augmentation, self.seed, epoch, step
        )
        return self.machine.place(images), labels


@dataclass(frozen=True)
class InOrder:
    """Normalised batches, the same at every iteration; not augmented."""

    data: Images
    batch_size: int
    augmentation: Augmentation
    machine: Machine

    def whole(self) -> tuple[Tensor, Tensor]:
        """Return all images and all labels as one batch."""
        images, labels = zip(*self, strict=True)
        return torch.cat(images), torch.cat(labels)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images, labels)."""
        data = self.data.to(self.machine.device)
        for images, labels in plain_batches(data, self.augmentation, self.batch_size):
            yield self.machine.place(images), labels


@dataclass(frozen=True)
class Augmented:
    """Augmented images without labels, the same at every iteration: for batch-norm statistics.

    Statistics of images as the network was trained on them. Those of plain images differ where
    the augmentation changes the mean picture, as black borders do, and cost accuracy.
    """

    data: Images
    batch_size: int
    augmentation: Augmentation
    machine: Machine

    def __iter__(self) -> Iterator[Tensor]:
        """Yield images."""
        data = self.data.to(self.machine.device)
        for k, pixels in enumerate(data.images.split(self.batch_size)):
            yield self.machine.place(
                augment(pixels, self.augmentation, generator(0, "statistics", k))
            )


@dataclass(frozen=True)
class Inputs:
    """The images alone of labelled batches, the same at every iteration."""

    batches: InOrder

    def __iter__(self) -> Iterator[Tensor]:
        """Yield images."""
        for images, _ in self.batches:
            yield images
