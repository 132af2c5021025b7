r"""Loss and accuracy along a path.

Path, grid of t, image sets  ->  measure_path  ->  PathMetrics  ->  average, minimum, barrier

Batch-norm statistics are estimated anew at every t, the endpoints included, from one stated set
of images; a network between two others has no statistics of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params
from modeconn_lib.paths.path import Path
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.metrics import measure

LabelledBatches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class PathMetrics:
    """What a path costs at each t.

    Attributes
    ----------
    t
        Where the path was measured, rising from 0 to 1.
    train_loss, test_loss
        Mean cross-entropy, nats.
    train_accuracy, test_accuracy
        Share correct, 0 to 1.
    arc
        Euclidean length of the measured polygon from t = 0, parameters only (no buffers).
    """

    t: Float[ndarray, " points"]
    train_loss: Float[ndarray, " points"]
    train_accuracy: Float[ndarray, " points"]
    test_loss: Float[ndarray, " points"]
    test_accuracy: Float[ndarray, " points"]
    arc: Float[ndarray, " points"]


def grid(points: int, breakpoints: Sequence[float] = (0.0, 1.0)) -> tuple[float, ...]:
    """Return `points` evenly spaced values of t from 0 to 1, and every breakpoint.

    Raises
    ------
    ValueError
        If fewer than two points are asked for.
    """
    if points < 2:
        raise ValueError(f"a path is measured at 2 points or more, got {points}")
    found = [i / (points - 1) for i in range(points)]
    for b in breakpoints:
        if min(abs(b - t) for t in found) > 1e-9:
            found.append(b)
    return tuple(sorted(found))


def ignore(points: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Protocol:
    """On what a path is measured.

    Attributes
    ----------
    train, test
        Image sets for loss and accuracy, as re-iterable batches of (images, labels).
    statistics
        Image batches for the batch-norm statistics at every t.
    progress
        Called after each point with 1.
    """

    train: LabelledBatches
    test: LabelledBatches
    statistics: Iterable[Tensor]
    machine: Machine
    progress: Callable[[int], None] = field(default=ignore)


def at_point(
    path: Path, t: float, module: nn.Module, statistics: Iterable[Tensor], machine: Machine
) -> Params:
    """Return the network at `t` on the machine, with its batch-norm statistics estimated anew."""
    point = {name: value.to(machine.device) for name, value in path.at(t).items()}
    return reestimate(module, point, statistics, machine)


def measure_path(
    path: Path, module: nn.Module, ts: Sequence[float], protocol: Protocol
) -> PathMetrics:
    """Return train and test loss and accuracy at each of `ts`.

    Raises
    ------
    ValueError
        If `ts` leaves out a breakpoint of the path, or does not rise.
    """
    missing = [b for b in path.breakpoints if min(abs(b - t) for t in ts) > 1e-9]
    if missing:
        raise ValueError(f"the grid leaves out the path's breakpoints {missing}; use grid(...)")
    if any(later <= earlier for earlier, later in pairwise(ts)):
        raise ValueError(f"values of t must rise, got {tuple(ts)}")
    rows, arc, before = [], [0.0], None
    names = [name for name, _ in module.named_parameters()]
    for t in ts:
        point = at_point(path, t, module, protocol.statistics, protocol.machine)
        flat = torch.cat([point[name].reshape(-1) for name in names]).double()
        if before is not None:
            arc.append(arc[-1] + float((flat - before).norm()))
        before = flat
        train = measure(module, point, protocol.train, protocol.machine)
        test = measure(module, point, protocol.test, protocol.machine)
        rows.append((train.loss, train.accuracy, test.loss, test.accuracy))
        protocol.progress(1)
    train_loss, train_accuracy, test_loss, test_accuracy = np.array(rows, dtype=np.float64).T
    return PathMetrics(
        t=np.array(ts, dtype=np.float64),
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        test_loss=test_loss,
        test_accuracy=test_accuracy,
        arc=np.array(arc),
    )


def uniform_average(values: Float[ndarray, " points"], t: Float[ndarray, " points"]) -> float:
    r"""Return :math:`\int_0^1 v(t)\,dt` by the trapezoid rule."""
    return float(np.trapezoid(values, t))


def arc_average(values: Float[ndarray, " points"], arc: Float[ndarray, " points"]) -> float:
    r"""Return :math:`\int v\,\lVert r' \rVert dt \,/ \int \lVert r' \rVert dt`, trapezoid rule.

    The published tables of Tatro et al. are averages by arc length (their equation 1).
    A path of no length has only one network; its value is returned.
    """
    return float(np.trapezoid(values, arc) / arc[-1]) if arc[-1] > 0 else float(values[0])


def barrier(losses: Float[ndarray, " points"]) -> float:
    r"""Return :math:`\max_t L(t) - \tfrac12 (L(0) + L(1))` in nats.

    Ainsworth et al. 2022, definition 2.2. Positive by the endpoints' difference alone where they
    differ: the mean of the endpoints is subtracted, not their maximum.
    """
    return float(losses.max() - 0.5 * (losses[0] + losses[-1]))


def excess(losses: Float[ndarray, " points"], t: Float[ndarray, " points"]) -> float:
    r"""Return :math:`\max_t L(t) - ((1 - t) L(0) + t L(1))` in nats, at least 0.

    Entezari et al. 2022, definition 1. Zero where the loss sags between its ends, also where these
    differ; `barrier` is then half their difference.
    """
    return float((losses - (1 - t) * losses[0] - t * losses[-1]).max())
