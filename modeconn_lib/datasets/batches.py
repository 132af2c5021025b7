"""Which images make up which batch, and the batches themselves.

Images, seed, epoch  ->  batch_indices  ->  training_batch  ->  (float32 images, labels)

Batch k of epoch e depends on (seed, e, k) alone, never on what was drawn before it, so that a run
resumed in the middle of an epoch continues with exactly the batches it would have had.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.augmentation import Augmentation, augment
from modeconn_lib.datasets.colour import normalise
from modeconn_lib.datasets.images import Images


def batch_indices(
    n: int, batch_size: int, seed: int, epoch: int
) -> tuple[Int64[Tensor, " _"], ...]:
    """Return which of n examples each batch of an epoch holds: every example once.

    The last batch is smaller where `batch_size` does not divide n.

    Raises
    ------
    ValueError
        If there is no example, or a batch would be empty.
    """
    if n < 1 or batch_size < 1:
        raise ValueError(f"batches need n >= 1 and batch_size >= 1, got n={n}, {batch_size=}")
    return torch.randperm(n, generator=generator(seed, "epoch", epoch)).split(batch_size)


def training_batch(
    data: Images,
    indices: Int64[Tensor, " batch"],
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    k: int,
) -> tuple[Float[Tensor, "batch channels height width"], Int64[Tensor, " batch"]]:
    """Return batch k of an epoch, augmented by its own generator, on the device of the data."""
    indices = indices.to(data.images.device)
    images, labels = data.images[indices], data.labels[indices]
    return augment(images, augmentation, generator(seed, "augment", epoch, k)), labels


def training_batches(
    data: Images,
    augmentation: Augmentation,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
) -> Iterator[tuple[Float[Tensor, "batch channels height width"], Int64[Tensor, " batch"]]]:
    """Yield the batches of one epoch, from batch `start` on."""
    parts = batch_indices(len(data), batch_size, seed, epoch)
    for k in range(start, len(parts)):
        yield training_batch(data, parts[k], augmentation, seed, epoch, k)


def plain_batches(
    data: Images, augmentation: Augmentation, batch_size: int
) -> Iterator[tuple[Float[Tensor, "batch channels height width"], Int64[Tensor, " batch"]]]:
    """Yield every image once in its own order, normalised and not augmented, for measuring."""
    for at in range(0, len(data), batch_size):
        images = data.images[at : at + batch_size]
        yield (
            normalise(images, augmentation.mean, augmentation.std),
            data.labels[at : at + batch_size],
        )
