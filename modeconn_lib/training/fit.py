"""The one training loop.

Objective, batches, Recipe  ->  fit  ->  History

Batch k of epoch e, and every random number used on it, are functions of (seed, e, k) alone, so
a run that was stopped and resumed is bit-identical on one machine to one that never stopped.
Nothing here knows what is being trained.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, Protocol, runtime_checkable

import torch
from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import derive, generator
from modeconn_lib.training import checkpoint
from modeconn_lib.training.checkpoint import Position
from modeconn_lib.training.objectives import Objective, Step
from modeconn_lib.training.schedules import schedule

CHECK_EVERY = 50  # batches between looks at the loss: a look makes a GPU wait


Learned = tuple[Tensor, ...]
P = ParamSpec("P")


class NonFiniteLoss(ArithmeticError):
    """The loss became infinite or not a number."""


class OutOfTime(Exception):
    """The time limit was reached; the run is saved and can be resumed."""


@runtime_checkable
class Batches(Protocol):
    """Batches by position; the same position always gives the same batch."""

    steps: int  # batches in an epoch
    examples: int  # images in an epoch

    def __call__(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of batch `step` of `epoch`."""
        ...


@runtime_checkable
class Constrained(Objective, Protocol):
    """An objective whose learned tensors may not go everywhere.

    Nothing but the learned tensors may change between two batches: they are what a resumed run
    goes on with.
    """

    def after_step(self, rate: float) -> None:
        """Bring the learned tensors back; `rate` is the learning rate of the step just made."""
        ...


def _sgd(learned: Learned, recipe: "Recipe") -> torch.optim.Optimizer:
    return torch.optim.SGD(
        learned,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def _adam(learned: Learned, recipe: "Recipe") -> torch.optim.Optimizer:
    return torch.optim.Adam(learned, recipe.learning_rate, weight_decay=recipe.weight_decay)


def _adamw(learned: Learned, recipe: "Recipe") -> torch.optim.Optimizer:
    return torch.optim.AdamW(learned, recipe.learning_rate, weight_decay=recipe.weight_decay)


OPTIMISERS: dict[str, Callable[[Learned, "Recipe"], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; by default with stochastic gradient descent and Nesterov momentum.

    Attributes
    ----------
    epochs
        Passes over the data.
    learning_rate
        Peak rate; the schedule's factor multiplies it.
    schedule
        A name of `training.schedules.SCHEDULES`.
    weight_decay
        Coefficient of the optimiser's L2 penalty on everything learned (decoupled for adamw).
    momentum, nesterov
        Of sgd; the others do not use them.
    optimiser
        A name of `OPTIMISERS`.
    """

    epochs: int
    learning_rate: float = 0.1
    schedule: str = "one_cycle"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    optimiser: str = "sgd"

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        schedule(self.schedule)
        if self.optimiser not in OPTIMISERS:
            known = ", ".join(OPTIMISERS)
            raise Refusal(f"unknown optimiser {self.optimiser!r}; known: {known}")
        for name in ("epochs", "learning_rate"):
            if not getattr(self, name) > 0:
                raise Refusal(f"{name} must be positive, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class History:
    """What training gave, epoch by epoch: mean loss of its batches (nats), share correct."""

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    seconds: float


def never() -> bool:
    """Return False: no time limit."""
    return False


def silent(count: int) -> None:
    """Report nothing."""


def _own_random_numbers(function: Callable[P, History]) -> Callable[P, History]:
    """Let torch's random numbers, a GPU's included, go on afterwards as they would have."""

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> History:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            return function(*arguments, **options)

    return call


@_own_random_numbers
def fit(
    objective: Objective,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    *,
    folder: Path | None = None,
    save_every: float = 20.0,
    out_of_time: Callable[[], bool] = never,
    progress: Callable[[int], None] = silent,
    after_epoch: Callable[[int], None] = silent,
) -> History:
    """Minimise `objective` by the recipe; its learned tensors are updated in place.

    Where the objective is `Constrained`, its learned tensors are brought back after every step.

    Parameters
    ----------
    folder
        Where to keep the checkpoint; a run found there is resumed. None keeps nothing.
    save_every
        Seconds between checkpoints.
    out_of_time
        Asked before every batch.
    progress
        Called with the number of examples newly done (at once with all of a resumed run's).
    after_epoch
        Called with the number of epochs done, each time one more is; a resumed run may call it
        again for the last one.

    Raises
    ------
    NonFiniteLoss
        If the loss is infinite or not a number.
    OutOfTime
        If `out_of_time` says so; the checkpoint is saved first.
    DamagedFile
        If the checkpoint in `folder` is damaged.
    """
    optimiser = OPTIMISERS[recipe.optimiser](objective.learned, recipe)
    position = _resume(objective, optimiser, folder)
    progress(position.epoch * batches.examples + position.examples)
    factor, clock = schedule(recipe.schedule), _Clock(position.seconds, save_every)
    constrained = objective if isinstance(objective, Constrained) else None
    while position.epoch < recipe.epochs:
        totals = _Totals.of(position, objective.learned[0].device)
        for step in range(position.step, batches.steps):
            late = out_of_time()
            due = late or clock.save_is_due()  # asked once: position and tensors must agree
            if due or step % CHECK_EVERY == 0:
                position = totals.at(position, step, clock.seconds())
                _refuse_non_finite(position, recipe)
            if folder is not None and due:
                checkpoint.save(folder, position, _tensors(objective, optimiser))
                clock.saved()
            if late:
                raise OutOfTime(f"stopped in epoch {position.epoch + 1} of {recipe.epochs}")
            rate = factor(position.epoch + step / batches.steps, recipe.epochs)
            optimiser.param_groups[0]["lr"] = recipe.learning_rate * rate
            images, labels = batches(position.epoch, step)
            random = generator(seed, "step", position.epoch, step)
            torch.manual_seed(derive(seed, "layers", position.epoch, step))  # dropout's
            totals.add(objective.gradient(images, labels, random), len(labels))
            optimiser.step()
            if constrained is not None:
                constrained.after_step(recipe.learning_rate * rate)
            progress(len(labels))
        position = totals.at(position, batches.steps, clock.seconds())
        _refuse_non_finite(position, recipe)
        position = position.next_epoch()
        after_epoch(position.epoch)
    return History(position.losses, position.accuracies, clock.seconds())


class _Clock:
    """Seconds of the whole run, and whether a checkpoint is due."""

    def __init__(self, before: float, save_every: float) -> None:
        self.started = time.monotonic() - before
        self.save_every, self.last = save_every, time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def save_is_due(self) -> bool:
        return time.monotonic() - self.last > self.save_every

    def saved(self) -> None:
        self.last = time.monotonic()


@dataclass(slots=True)
class _Totals:
    """Sums over the batches of an epoch, kept on the device so that no step waits for them."""

    loss_sum: Tensor
    correct: Tensor
    examples: int

    @staticmethod
    def of(position: Position, device: torch.device) -> "_Totals":
        return _Totals(
            torch.tensor(position.loss_sum, dtype=torch.float64, device=device),
            torch.tensor(position.correct, device=device),
            position.examples,
        )

    def add(self, step: Step, examples: int) -> None:
        self.loss_sum += step.loss.double() * examples
        self.correct += step.correct
        self.examples += examples

    def at(self, position: Position, step: int, seconds: float) -> Position:
        return replace(
            position,
            step=step,
            loss_sum=float(self.loss_sum),
            correct=int(self.correct),
            examples=self.examples,
            seconds=seconds,
        )


def _refuse_non_finite(position: Position, recipe: Recipe) -> None:
    if not math.isfinite(position.loss_sum):
        raise NonFiniteLoss(
            f"the loss became {position.loss_sum} in epoch {position.epoch + 1} of "
            f"{recipe.epochs}, by batch {position.step}, at peak learning rate "
            f"{recipe.learning_rate}; train with a smaller one"
        )


def _tensors(objective: Objective, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    moments = {
        f"optimiser/{i}/{name}": value
        for i, tensor in enumerate(objective.learned)
        for name, value in optimiser.state[tensor].items()
        if isinstance(value, Tensor)
    }
    return {**{f"state/{name}": value for name, value in objective.state().items()}, **moments}


def _resume(
    objective: Objective, optimiser: torch.optim.Optimizer, folder: Path | None
) -> Position:
    """Copy a saved run into the objective and the optimiser, and return its position."""
    found = checkpoint.load(folder) if folder is not None else None
    if found is None:
        return Position()
    position, tensors = found
    for name, value in objective.state().items():
        value.copy_(tensors[f"state/{name}"])
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, i, entry = name.split("/")
            tensor = objective.learned[int(i)]
            device = "cpu" if entry == "step" else tensor.device  # where torch keeps its counter
            optimiser.state[tensor][entry] = value.to(device)
    return position
