"""The steps that make records; each is a plain function of its `Work`.

train_endpoint -> align -> learn_curve -> measure_along | compare_units

The tasks that name them are built in `tasks`. A step that comes to mean something else gets a
higher version there.
"""

from dataclasses import asdict
from typing import Any

from modeconn_lib.alignment.activations import (
    SIMILARITIES,
    Alignment,
    Similarity,
    align_activations,
    correlation,
    gather_moments,
    mean_correlation,
)
from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.along_path import (
    arc_average,
    at_point,
    barrier,
    grid,
    measure_path,
    uniform_average,
)
from modeconn_lib.experiments import path_inputs
from modeconn_lib.experiments.beyond import coverage_steps
from modeconn_lib.experiments.distribution import (
    chain_steps,
    connection_steps,
    ensemble_steps,
    map_steps,
)
from modeconn_lib.experiments.git_rebasin import (
    counterexample_steps,
    matching_steps,
    merging_steps,
    steepest_steps,
    symmetries_steps,
)
from modeconn_lib.experiments.neuron_alignment import (
    cost_steps,
    pam_steps,
    plane_steps,
    robust_steps,
    theory_steps,
)
from modeconn_lib.experiments.work import EXAMPLE, Outcome, Step, Work
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.permutation.sites import Stage
from modeconn_lib.training.metrics import measure
from modeconn_lib.training.objectives import TrainNetwork


def train_endpoint(work: Work) -> Outcome:
    """Train one network; its weights and batch-norm statistics are the tensors."""
    module, start = work.fresh_network(work.config["seed"])
    objective = TrainNetwork(module, start, work.machine, work.loss())
    history = work.fit(objective)
    params = objective.network.params()
    images = work.in_order("test", work.config["test_examples"])
    test = measure(module, work.here(params), images, work.exact)
    return Outcome(
        scalars={
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "train_loss": history.losses[-1],
            "train_seconds": history.seconds,
        },
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors=params,
    )


def align(work: Work) -> Outcome:
    """Match the units of input 1 to those of input 0; the permutations are the tensors.

    Correlations are given on the training images that the matching saw, and on test images.
    """
    a, b = (work.tensors(record) for record in work.records)
    similarity, stage = SIMILARITIES[work.config["similarity"]], work.config["stage"]
    found, test = _match(work, a, b, similarity, stage)
    return Outcome(
        scalars={"equivalence_error": found.equivalence_error, "align_seconds": found.seconds},
        series={
            **test,
            "units": [group.units for group in found.groups],
            "train_before": [group.correlation_before for group in found.groups],
            "train_after": [group.correlation_after for group in found.groups],
        },
        tensors=dict(found.permutations),
    )


def learn_curve(work: Work) -> Outcome:
    """Learn the inner point of a quadratic Bezier curve; its parameters are the tensors.

    The inputs are the two ends and, for an aligned curve, the alignment of the second.
    """
    a, b, _ = path_inputs.ends(work)
    module = work.network()
    start = bezier(a, midpoint(a, b), b)
    objective = LearnCurve(module, start, work.machine, work.config["penalty"], work.loss())
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


def measure_along(work: Work) -> Outcome:
    """Measure the path that the inputs make, at evenly spaced t."""
    path, module = path_inputs.path(work), work.network()
    found = measure_path(
        path,
        module,
        grid(work.config["points"], path.breakpoints),
        work.protocol(work.config["points"]),
    )
    accuracy = found.test_accuracy
    return Outcome(
        scalars={
            "average_accuracy_arc": arc_average(accuracy, found.arc),
            "average_accuracy_uniform": uniform_average(accuracy, found.t),
            "minimum_accuracy": float(accuracy.min()),
            "midpoint_accuracy": float(accuracy[abs(found.t - 0.5).argmin()]),
            "average_loss_arc": arc_average(found.test_loss, found.arc),
            "barrier_test": barrier(found.test_loss),
            "barrier_train": barrier(found.train_loss),
        },
        series={name: values.tolist() for name, values in asdict(found).items()},
    )


def compare_units(work: Work) -> Outcome:
    """Compare the units at a path's midpoint with those at one of its ends (Fig. 1 b, c)."""
    path, module = path_inputs.path(work), work.network()
    statistics = work.statistics()
    end, middle = (
        at_point(path, t, module, statistics, work.exact) for t in (float(work.config["end"]), 0.5)
    )
    _, test = _match(work, end, middle)
    means = {f"mean_{name[5:]}": sum(v) / len(v) for name, v in test.items() if name != "group"}
    return Outcome(scalars=means, series=test)


def _match(
    work: Work,
    a: Params,
    b: Params,
    similarity: Similarity = correlation,
    stage: Stage = "post",
) -> tuple[Alignment, dict[str, list[Any]]]:
    """Match b's units to a's on training images; mean correlations per group on test images."""
    config, traced = work.config, work.trace()
    a, b = work.here(a), work.here(b)
    images = work.inputs("train", config["align_examples"])
    example = next(iter(images))[:EXAMPLE]
    found = align_activations(traced, a, b, images, example, similarity=similarity, stage=stage)
    seen = gather_moments(traced, a, b, work.inputs("test", config["test_examples"]))
    groups = [group.name for group in found.groups]
    series: dict[str, list[Any]] = {
        "group": groups,
        "test_before": [mean_correlation(seen[name]) for name in groups],
        "test_after": [mean_correlation(seen[name], found.permutations[name]) for name in groups],
    }
    return found, series


STEPS: dict[str, Step] = {
    **matching_steps.STEPS,
    **merging_steps.STEPS,
    **counterexample_steps.STEPS,
    **symmetries_steps.STEPS,
    **steepest_steps.STEPS,
    **coverage_steps.STEPS,
    **cost_steps.STEPS,
    **plane_steps.STEPS,
    **pam_steps.STEPS,
    **robust_steps.STEPS,
    **theory_steps.STEPS,
    **connection_steps.STEPS,
    **chain_steps.STEPS,
    **map_steps.STEPS,
    **ensemble_steps.STEPS,
    "endpoint": train_endpoint,
    "alignment": align,
    "curve": learn_curve,
    "along": measure_along,
    "units": compare_units,
}
