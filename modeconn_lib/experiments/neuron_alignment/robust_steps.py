"""The steps of the chapter on robust networks and curves.

train_robust_endpoint -> align -> learn_robust_curve -> measure_robustly | check

The tasks that name them are built in `robust_tasks`; the alignment is the step of all chapters,
and sees clean images.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from torch import Tensor

from modeconn_lib.evaluation.along_path import barrier, grid
from modeconn_lib.evaluation.independent_attacks import survivors
from modeconn_lib.evaluation.robustness import (
    RobustProtocol,
    measure_robust_path,
    measure_robustness,
    with_statistics,
    withstood,
)
from modeconn_lib.experiments import path_inputs
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.training.attacks import Attack
from modeconn_lib.training.objectives import TrainNetwork


def train_robust_endpoint(work: Work) -> Outcome:
    """Train one network on attacked images; its weights and statistics are the tensors.

    Its test accuracies are those with the running statistics of training, which come from
    attacked images.
    """
    module, start = work.fresh_network(work.config["seed"])
    objective = TrainNetwork(module, start, work.machine, work.loss(), _attack(work))
    history = work.fit(objective)
    params = objective.network.params()
    images = work.in_order("test", work.config["test_examples"])
    found = measure_robustness(module, work.here(params), images, _attack(work), work.machine)
    return Outcome(
        scalars={
            "test_loss": found.clean.loss,
            "test_accuracy": found.clean.accuracy,
            "robust_loss": found.attacked.loss,
            "robust_accuracy": found.attacked.accuracy,
            "train_loss": history.losses[-1],
            "train_seconds": history.seconds,
        },
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors=params,
    )


def learn_robust_curve(work: Work) -> Outcome:
    """Learn the inner point of a quadratic Bezier curve on attacked images.

    Every batch is attacked at the network of its t. The point's parameters are the tensors.
    """
    a, b, _ = path_inputs.ends(work)
    module = work.network()
    objective = LearnCurve(
        module,
        bezier(a, midpoint(a, b), b),
        work.machine,
        work.config["penalty"],
        work.loss(),
        attack=_attack(work),
    )
    history = work.fit(objective)
    point = objective.result().points[1]
    return Outcome(
        scalars={
            "train_loss": history.losses[-1],
            "train_accuracy": history.accuracies[-1],
            "train_seconds": history.seconds,
        },
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors={name: point[name] for name, _ in module.named_parameters()},
    )


def measure_robustly(work: Work) -> Outcome:
    """Measure the curve that the inputs make, at evenly spaced t, with either statistics.

    Series: ``t``, and for each kind of statistics ``<kind> accuracy``, ``… robust_accuracy``,
    ``… loss``, ``… robust_loss``. Scalars: for each kind the barriers of both losses.
    """
    points, path = work.config["points"], path_inputs.path(work)
    ts = grid(points, path.breakpoints)
    found = measure_robust_path(path, work.network(), ts, _protocol(work, points))
    series: dict[str, list[Any]] = {"t": list(ts)}
    scalars = {}
    for kind, values in found.items():
        series |= {f"{kind} {name}": value.tolist() for name, value in asdict(values).items()}
        scalars[f"{kind} barrier"] = barrier(values.loss)
        scalars[f"{kind} robust_barrier"] = barrier(values.robust_loss)
    return Outcome(scalars=scalars, series=series)


def check(work: Work) -> Outcome:
    """Attack networks of the curve by others' attacks, on the first test images.

    Statistics are clean. Series, with a value for each t: ``own``, the share of images that our
    attack leaves correctly classified; ``clean``, that without an attack; and then, by the attacks'
    names, what each of theirs and those before it leave. ``own alone`` is the share of images that
    our attack has and all of theirs have not.
    """
    config, path, module = work.config, path_inputs.path(work), work.network()
    protocol = _protocol(work, len(config["t"]))
    images, labels = work.in_order("test", config["examples"]).whole()
    series: dict[str, list[Any]] = {}
    for t in config["t"]:
        point = with_statistics(module, work.here(path.at(t)), "clean", protocol)
        own = withstood(module, point, images, labels, protocol.attack, work.machine)
        theirs = survivors(
            module,
            point,
            images,
            labels,
            epsilon=protocol.attack.epsilon,
            iterations=config["iterations"],
            queries=config["queries"],
            seed=config["seed"],
        )
        alone = theirs[list(theirs)[-1]] & ~own
        for name, left in {"own": own, **theirs, "own alone": alone}.items():
            series.setdefault(name, []).append(float(left.double().mean()))
        protocol.progress(1)
    return Outcome(
        scalars={"toolbox_version": version(config["toolbox"])},
        series={"t": config["t"], **series},
    )


@dataclass(frozen=True)
class _Labelled:
    """Batches of images with the labels that go with them, in order."""

    inputs: Iterable[Tensor]
    labels: Tensor

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        at = 0
        for images in self.inputs:
            yield images, self.labels[at : at + len(images)]
            at += len(images)


def _attack(work: Work) -> Attack:
    return Attack(**work.config["attack"])


def _protocol(work: Work, parts: int) -> RobustProtocol:
    """Return the task's image sets and attack; each of `parts` measured points is progress."""
    labels = work.images("train", work.config["statistics_examples"]).labels
    return RobustProtocol(
        test=work.in_order("test", work.config["test_examples"]),
        statistics=_Labelled(work.statistics(), labels.to(work.machine.device)),
        attack=_attack(work),
        machine=work.machine,
        progress=lambda points: work.progress(points * work.cost // parts),
    )


STEPS: dict[str, Step] = {
    "robust_endpoint": train_robust_endpoint,
    "robust_curve": learn_robust_curve,
    "robust_along": measure_robustly,
    "robust_check": check,
}
