"""What augmenting a training batch costs, a protocol at a time.

128 images (64 x 64 for Tiny ImageNet's protocol, else 32 x 32), from the bytes of the data set to
the normalised batch, as `training_batch` makes it. The baseline is a batch that is only taken and
normalised. `image by image` is shift_flip as a data loader does it, with torchvision on pictures.
"""

from collections.abc import Callable
from itertools import count

import torch
import typer
from torch import Tensor

from benchmarks.timing import report
from modeconn_lib.core.hardware import Machine, torchvision
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.augmentation import AUGMENTATIONS, augmentation
from modeconn_lib.datasets.batches import batch_indices, training_batch
from modeconn_lib.datasets.images import Images
from modeconn_lib.datasets.registry import dataset

BATCH, IMAGES = 128, 2048
SETS = {"neuron_alignment_tiny": "tiny_imagenet"}  # the others are for 32 x 32


def noise(name: str, machine: Machine) -> Images:
    """Return random images of the size of a data set."""
    info, random = dataset(name), generator(0, "benchmark")
    pixels = torch.randint(256, (IMAGES, *info.shape), generator=random, dtype=torch.uint8)
    labels = torch.randint(info.classes, (IMAGES,), generator=random)
    return Images(info, "train", pixels, labels).to(machine.device)


def batched(name: str, machine: Machine) -> Callable[[], Tensor]:
    """Return a step that makes the next training batch of a protocol."""
    data, steps = noise(SETS.get(name, "cifar10"), machine), count()
    order, rule = batch_indices(IMAGES, BATCH, 0, 0), augmentation(name, data.info)

    def step() -> Tensor:
        k = next(steps)
        images, _ = training_batch(data, order[k % len(order)], rule, 0, 0, k)
        return machine.place(images)

    return step


def image_by_image(machine: Machine) -> Callable[[], Tensor]:
    """Return a step that makes a batch of shift_flip from pictures, one after another."""
    tools, data, steps = torchvision().transforms, noise("cifar10", machine), count()
    pictures = [tools.functional.to_pil_image(image) for image in data.images.cpu()]
    order = batch_indices(IMAGES, BATCH, 0, 0)
    rule = tools.Compose(
        [
            tools.RandomCrop(32, padding=4),
            tools.RandomHorizontalFlip(),
            tools.ToTensor(),
            tools.Normalize(data.info.mean, data.info.std),
        ]
    )

    def step() -> Tensor:
        indices = order[next(steps) % len(order)].tolist()
        return machine.place(torch.stack([rule(pictures[i]) for i in indices]))

    return step


def main(rounds: int = 100, threads: int = 0) -> None:
    """Print and keep the cost of a batch under every protocol."""
    if threads:
        torch.set_num_threads(threads)
    machine = Machine.detect()
    steps: dict[str, Callable[[], Tensor]] = {
        name: batched(name, machine) for name in AUGMENTATIONS
    }
    steps["image by image"] = image_by_image(machine)
    report("augmentation", steps, "none", rounds, machine, {"batch": BATCH})


if __name__ == "__main__":
    typer.run(main)
