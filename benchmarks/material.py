"""What is timed: TinyTen with fresh weights, and noise in place of images.

Neither what the weights are nor what the images show changes how long a step takes.
"""

import torch
from torch import Tensor, nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.seeds import generator
from modeconn_lib.models.tinyten import tinyten

SHAPE, CLASSES = (3, 32, 32), 10


def networks(count: int) -> list[nn.Sequential]:
    """Return networks with different weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [tinyten(SHAPE, CLASSES) for _ in range(count)]


def fast(module: nn.Module, machine: Machine) -> nn.Module:
    """Return the module on the machine, its kernels in the layout of the images."""
    return module.to(machine.device).to(memory_format=machine.memory_format)


def noise(images: int, machine: Machine, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return normal noise as a batch of images, and random labels, on the machine."""
    random = generator(seed, "benchmark")
    batch = torch.randn(images, *SHAPE, generator=random)
    labels = torch.randint(CLASSES, (images,), generator=random)
    return machine.place(batch), labels.to(machine.device)
