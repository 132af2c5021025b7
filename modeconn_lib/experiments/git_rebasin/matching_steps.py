"""Steps of Git Re-Basin's chapters that match two networks, or follow them while they train.

match_by_weights, estimate  ->  permutations;    train_snapshots  ->  follow_onset  ->  barriers

The tasks that name them are built in `matching_tasks`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from modeconn_lib.alignment.straight_through import Judge, learn_permutation
from modeconn_lib.alignment.weights import learnable, match_weights
from modeconn_lib.core.files import load_tensors, save_tensors
from modeconn_lib.core.params import Params, dot
from modeconn_lib.evaluation.along_path import barrier, grid, measure_path
from modeconn_lib.experiments.work import EXAMPLE, Outcome, Step, Work
from modeconn_lib.paths.curves import segment
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.spec import Permutations
from modeconn_lib.training.fit import Recipe
from modeconn_lib.training.objectives import TrainNetwork


def match_by_weights(work: Work) -> Outcome:
    """Match the units of input 1 to those of input 0 by their weights (Algorithm 1)."""
    a, b = (work.here(work.tensors(record)) for record in work.records)
    module, traced = work.network(), work.trace()
    mine, other = learnable(module, a), learnable(module, b)
    config = work.config
    found = match_weights(traced.spec, mine, other, orders=config["orders"], seed=config["seed"])
    example = next(iter(work.inputs("test", EXAMPLE)))
    return Outcome(
        scalars={
            "objective": found.objective,
            "start": found.start,
            "sweeps": found.sweeps,
            "match_seconds": found.seconds,
            "distance_before": _distance(mine, other, found.start),
            "distance_after": _distance(mine, other, found.objective),
            "moved": moved(found.permutations),
            "equivalence_error": check_equivalence(traced, b, found.permutations, example),
        },
        series={"objectives": found.objectives},
        tensors=dict(found.permutations),
    )


def estimate(work: Work) -> Outcome:
    """Learn the permutation of input 1 whose midpoint with input 0 has the smallest loss.

    Input 2 is the weight matching it begins at. Permutations are judged on the first training
    images, not augmented.
    """
    a, b, start = (work.tensors(record) for record in work.records)
    config = work.config
    judge = Judge(work.in_order("train", config["measure_examples"]))
    found = learn_permutation(
        work.network(),
        work.trace().spec,
        work.here(a),
        work.here(b),
        work.feed(),
        judge,
        work.machine,
        Recipe(**config["recipe"]),
        seed=config["seed"],
        start=start,
        folder=work.folder,
        out_of_time=work.out_of_time,
        progress=work.progress,
    )
    return Outcome(
        scalars={
            "start_loss": found.losses[0],
            "best_loss": found.losses[found.best],
            "best_epoch": found.best_epoch,
            "moved": moved(found.permutations),
            "train_seconds": found.history.seconds,
        },
        series={
            "losses": found.losses,
            "epochs": found.epochs,
            "train_loss": found.history.losses,
        },
        tensors=dict(found.permutations),
    )


def train_snapshots(work: Work) -> Outcome:
    """Train one network and keep it after each of the task's epochs, 0 being the fresh one."""
    module, start = work.fresh_network(work.config["seed"])
    objective = TrainNetwork(module, start, work.machine, work.loss())
    wanted = work.config["epochs"]
    if 0 in wanted:
        _keep(work, 0, start)

    def after_epoch(epoch: int) -> None:
        if epoch in wanted:  # on disk: a run that is stopped here goes on without this epoch
            _keep(work, epoch, objective.network.params())

    history = work.fit(objective, after_epoch)
    return Outcome(
        scalars={"train_seconds": history.seconds},
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors={
            f"{epoch}/{name}": value
            for epoch in wanted
            for name, value in _kept(work, epoch).items()
        },
    )


def follow_onset(work: Work) -> Outcome:
    """Measure the line between two networks epoch by epoch, as they are and matched by weights."""
    of_a, of_b = (work.tensors(record) for record in work.records)
    module, traced, config = work.network(), work.trace(), work.config
    series: dict[str, list[Any]] = {"epochs": list(config["epochs"])}
    on = work.protocol(config["points"] * 2 * len(config["epochs"]))
    for epoch in config["epochs"]:
        a, b = (work.here(snapshot(tensors, epoch)) for tensors in (of_a, of_b))
        found = match_weights(
            traced.spec,
            learnable(module, a),
            learnable(module, b),
            orders=config["orders"],
            seed=config["seed"],
        )
        for name, end in (("naive", b), ("weights", permute(b, traced.spec, found.permutations))):
            line = measure_path(segment(a, end), module, grid(config["points"]), on)
            for split, losses, right in (
                ("train", line.train_loss, line.train_accuracy),
                ("test", line.test_loss, line.test_accuracy),
            ):
                series.setdefault(f"{name}_{split}_barrier", []).append(barrier(losses))
                series.setdefault(f"{name}_{split}_loss", []).append(losses.tolist())
                series.setdefault(f"{name}_{split}_accuracy", []).append(right.tolist())
    return Outcome(scalars={"last_barrier": series["weights_test_barrier"][-1]}, series=series)


def snapshot(tensors: Mapping[str, Tensor], epoch: int) -> Params:
    """Return the network of one epoch from the tensors of `train_snapshots`."""
    prefix = f"{epoch}/"
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}


def moved(permutations: Permutations) -> float:
    """Return the share of units that change their place, 0 to 1."""
    units = sum(len(p) for p in permutations.values())
    away = sum(
        int((p != torch.arange(len(p), device=p.device)).sum()) for p in permutations.values()
    )
    return away / max(units, 1)


def _distance(a: Params, b: Params, product: float) -> float:
    """Return the Euclidean distance of two networks from their inner product."""
    return float(max(dot(a, a) + dot(b, b) - 2 * product, 0.0) ** 0.5)


def _keep(work: Work, epoch: int, params: Params) -> None:
    """Write a network beside the checkpoint, in a folder that checkpoints do not tidy up."""
    folder = work.folder / "epochs"
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / f"{epoch}.safetensors", params)


def _kept(work: Work, epoch: int) -> Params:
    return load_tensors(work.folder / "epochs" / f"{epoch}.safetensors")


STEPS: dict[str, Step] = {
    "weights": match_by_weights,
    "estimator": estimate,
    "snapshots": train_snapshots,
    "onset": follow_onset,
}
