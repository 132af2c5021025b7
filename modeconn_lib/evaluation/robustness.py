r"""Loss and accuracy on images as they are and on attacked ones, along a path.

Path, grid of t, image sets, Attack  ->  measure_robust_path  ->  RobustPath for each kind of
batch-norm statistics

A network between two others has no statistics of its own. They are taken anew at every t, once
from clean images and once from attacked ones, and everything is measured with either: every image
is attacked at the network with the very statistics that then classifies it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, untied
from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation.along_path import LabelledBatches, ignore
from modeconn_lib.paths.path import Path
from modeconn_lib.training.attacks import Attack, perturb
from modeconn_lib.training.batchnorm import has_batchnorm, normalise_by_batch, reestimate
from modeconn_lib.training.metrics import Metrics, measure

STATISTICS = ("clean", "attacked")  # which images the batch-norm statistics are taken from


@dataclass(frozen=True)
class Attacked:
    """Labelled batches attacked at one network; the same at every iteration.

    The attack raises the mean cross-entropy. Neither the network nor its statistics change.

    Attributes
    ----------
    params
        The network, on the machine's device.
    machine
        In whose number format the attack looks for its images; its rounding costs the attacker.
    by_batch
        Whether batch norm goes by the batch, as while statistics are gathered, and not by the
        running statistics. All else is in evaluation mode.
    """

    batches: LabelledBatches
    module: nn.Module
    params: Params
    attack: Attack
    machine: Machine
    by_batch: bool = False

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images, labels)."""
        for k, (images, labels) in enumerate(self.batches):
            with mode(self.module, training=False):
                if self.by_batch:
                    normalise_by_batch(self.module)
                found = self._perturbed(images, labels, k)
            yield found, labels

    def _perturbed(self, images: Tensor, labels: Tensor, k: int) -> Tensor:
        # Copies, as training mode writes its running statistics into them.
        weights = {n: value.clone() for n, value in untied(self.module, self.params).items()}

        def loss(batch: Tensor) -> Tensor:
            with self.machine.precision():
                logits = functional_call(self.module, weights, (batch,))
            return nn.functional.cross_entropy(logits.float(), labels)

        return perturb(loss, images, self.attack, generator(0, "attack", k))


@dataclass(frozen=True, slots=True)
class Robustness:
    """Loss and accuracy of one network on images as they are, and on attacked ones."""

    clean: Metrics
    attacked: Metrics


def measure_robustness(
    module: nn.Module,
    params: Params,
    batches: LabelledBatches,
    attack: Attack,
    machine: Machine,
) -> Robustness:
    """Return loss and accuracy of the network in evaluation mode, without and with the attack.

    The attack is computed in the machine's number format; what it found is measured in float32.

    Raises
    ------
    ValueError
        If there are no images.
    """
    found = Attacked(batches, module, params, attack, machine)
    exact = machine.exact()
    return Robustness(
        measure(module, params, batches, exact), measure(module, params, found, exact)
    )


@torch.no_grad()
def withstood(
    module: nn.Module,
    params: Params,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    machine: Machine,
) -> Bool[Tensor, " n"]:
    """Return which images the network classifies correctly after the attack, as one batch."""
    ((found, _),) = Attacked([(images, labels)], module, params, attack, machine)
    with mode(module, training=False):
        logits = functional_call(module, untied(module, params), (found,))
    return logits.argmax(1) == labels


@dataclass(frozen=True)
class RobustProtocol:
    """On what a path is measured, and against which attack.

    Attributes
    ----------
    test
        Images for loss and accuracy, re-iterable.
    statistics
        Images for the batch-norm statistics at every t, re-iterable; their labels are for attacks.
    progress
        Called after each point with 1.
    """

    test: LabelledBatches
    statistics: LabelledBatches
    attack: Attack
    machine: Machine
    progress: Callable[[int], None] = field(default=ignore)


@dataclass(frozen=True, slots=True)
class RobustPath:
    """What a path costs at each t, with one kind of batch-norm statistics.

    Attributes
    ----------
    loss, robust_loss
        Mean cross-entropy on test images and on attacked test images, nats.
    accuracy, robust_accuracy
        Share correct, 0 to 1.
    """

    loss: Float[ndarray, " points"]
    accuracy: Float[ndarray, " points"]
    robust_loss: Float[ndarray, " points"]
    robust_accuracy: Float[ndarray, " points"]


def with_statistics(
    module: nn.Module, point: Params, kind: str, protocol: RobustProtocol
) -> Params:
    """Return the network with statistics taken from clean or from attacked images.

    To gather the latter every batch is attacked while it normalises itself, as in training; so the
    attack needs no statistics that are still to be found. The published code of Tatro et al. lets
    the attack's own steps count, too.

    Parameters
    ----------
    kind
        One of `STATISTICS`.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if kind not in STATISTICS:
        raise ValueError(f"unknown kind of statistics {kind!r}; known: {', '.join(STATISTICS)}")
    batches = protocol.statistics
    if kind == "attacked":
        batches = Attacked(batches, module, point, protocol.attack, protocol.machine, by_batch=True)
    return reestimate(module, point, (x for x, _ in batches), protocol.machine.exact())


def measure_robust_path(
    path: Path, module: nn.Module, ts: Sequence[float], protocol: RobustProtocol
) -> dict[str, RobustPath]:
    """Return loss and accuracy at each of `ts`, by the kind of statistics (`STATISTICS`).

    A network without batch norm has no statistics; both kinds are then one.
    """
    rows: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in STATISTICS}
    kinds = STATISTICS if has_batchnorm(module) else STATISTICS[:1]
    for t in ts:
        point = {name: value.to(protocol.machine.device) for name, value in path.at(t).items()}
        for kind in kinds:
            network = with_statistics(module, point, kind, protocol)
            found = measure_robustness(
                module, network, protocol.test, protocol.attack, protocol.machine
            )
            clean, attacked = found.clean, found.attacked
            rows[kind].append((clean.loss, clean.accuracy, attacked.loss, attacked.accuracy))
        protocol.progress(1)
    return {
        kind: RobustPath(*np.array(rows[kind] or rows[kinds[0]], dtype=np.float64).T)
        for kind in STATISTICS
    }
