"""What a step is given, and what it gives back.

Task, store, machine  ->  Work  ->  step  ->  Outcome

A step asks `Work` for images, networks and inputs; it never opens files or reads the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, params_of
from modeconn_lib.core.seeds import derive
from modeconn_lib.datasets.augmentation import Augmentation, augmentation
from modeconn_lib.datasets.images import Images, load
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.datasets.subsets import subset
from modeconn_lib.evaluation.along_path import Protocol
from modeconn_lib.experiments.feeds import Augmented, InOrder, Inputs, TrainFeed
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.trace import Traced, trace
from modeconn_lib.results.record import Record
from modeconn_lib.training.fit import History, Recipe, fit, silent
from modeconn_lib.training.objectives import Loss, Objective, cross_entropy, with_auxiliary

STATISTICS_BATCH = 500  # images: many enough for a batch to be normalised by steady statistics
# Where nothing depends on the batch but rounding, its size is a matter of speed: a CPU's caches
# hold the maps of few images (TinyTen is 1.4 times as fast by 125 as by 500), a GPU wants many.
MEASURING_BATCH = {"cpu": 125, "cuda": 1_000}

EXAMPLE = 4  # images on which a permuted network must equal the original


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step found: single numbers, small arrays as lists, and tensors to keep beside."""

    scalars: Mapping[str, float | int | str | bool | None]
    series: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One task under way.

    Attributes
    ----------
    config
        The task's configuration.
    records, tensors
        The input records, in the task's order, and a function that reads the tensors of one.
    folder
        Where an interrupted run leaves its checkpoint.
    out_of_time
        Whether to stop now, in good order.
    cost, progress
        The work expected, and a function called with what is newly done of it.
    """

    config: Mapping[str, Any]
    records: tuple[Record, ...]
    tensors: Callable[[Record], dict[str, Tensor]]
    machine: Machine
    data: Path | None
    folder: Path
    cost: int
    out_of_time: Callable[[], bool]
    progress: Callable[[int], None]

    def images(self, split: str, examples: int) -> Images:
        """Return the first `examples` images of a split of the task's data set."""
        return _load(self.config["dataset"], split, self.data).first(examples)

    @property
    def exact(self) -> Machine:
        """The machine in float32, on which everything is measured."""
        return self.machine.exact()

    def augmentation(self) -> Augmentation:
        """Return how this task's training images are changed and normalised."""
        return augmentation(self.config["augmentation"], dataset(self.config["dataset"]))

    def in_order(self, split: str, examples: int, batch: int | None = None) -> InOrder:
        """Return normalised batches of the first `examples` images of a split."""
        batch = batch or MEASURING_BATCH[self.machine.device.type]
        return InOrder(self.images(split, examples), batch, self.augmentation(), self.exact)

    def inputs(self, split: str, examples: int, batch: int | None = None) -> Inputs:
        """Return the images of `in_order` without their labels."""
        return Inputs(self.in_order(split, examples, batch))

    def statistics(self) -> Augmented:
        """Return the augmented training images that batch-norm statistics are taken from."""
        images = self.images("train", self.config["statistics_examples"])
        return Augmented(images, STATISTICS_BATCH, self.augmentation(), self.exact)

    def protocol(self, parts: int) -> Protocol:
        """Return the task's image sets; each of `parts` measured points counts as progress."""
        return Protocol(
            train=self.in_order("train", self.config["measure_examples"]),
            test=self.in_order("test", self.config["test_examples"]),
            statistics=self.statistics(),
            machine=self.exact,
            progress=lambda points: self.progress(points * self.cost // parts),
        )

    def feed(self) -> TrainFeed:
        """Return the task's training images, augmented, in batches."""
        config = self.config
        images = self.images("train", config["train_examples"])
        if "subset" in config:
            images = subset(images, config["subset"])
        return TrainFeed(
            images, config["batch_size"], self.augmentation(), config["seed"], self.machine
        )

    def fit(self, objective: Objective, after_epoch: Callable[[int], None] = silent) -> History:
        """Train by the task's recipe on its feed; resumes."""
        return fit(
            objective,
            self.feed(),
            Recipe(**self.config["recipe"]),
            self.config["seed"],
            folder=self.folder,
            out_of_time=self.out_of_time,
            progress=self.progress,
            after_epoch=after_epoch,
        )

    def loss(self) -> Loss:
        """Return what networks of the task's architecture are trained to minimise."""
        weight = architecture(self.config["architecture"]).auxiliary
        return with_auxiliary(weight) if weight else cross_entropy

    def here(self, params: Params) -> Params:
        """Return the network on the machine's device."""
        return {name: value.to(self.machine.device) for name, value in params.items()}

    def trace(self) -> Traced:
        """Return the symmetries and activation sites of the task's architecture."""
        info = dataset(self.config["dataset"])
        return _trace(self.config["architecture"], info.shape, info.classes)

    def network(self) -> nn.Module:
        """Return a module of the task's architecture; its weights are not to be used."""
        return self.fresh_network(0)[0]

    def fresh_network(self, seed: int) -> tuple[nn.Module, Params]:
        """Return a module and freshly drawn weights; leaves torch's random state alone."""
        info = dataset(self.config["dataset"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "initial weights"))
            module = architecture(self.config["architecture"]).build(info.shape, info.classes)
        return module, params_of(module)


@cache
def _load(name: str, split: str, data: Path | None) -> Images:
    """Load a split once per process."""
    return load(name, split, data)


@cache
def _trace(name: str, shape: tuple[int, int, int], classes: int) -> Traced:
    """Trace an architecture once per process; its symmetries do not depend on its weights."""
    module = architecture(name).build(shape, classes)
    return trace(module.eval(), torch.zeros(2, *shape))


Step = Callable[[Work], Outcome]
