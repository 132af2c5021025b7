"""Steps of Git Re-Basin's chapters that use networks together: averaged, or asked as an ensemble.

measure_ensemble  |  calibrate  |  merge_networks  ->  loss, accuracy, reliability

The tasks that name them are built in `matching_tasks`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from modeconn_lib.alignment.many import merge_many
from modeconn_lib.alignment.weights import learnable
from modeconn_lib.core.params import Params, combine, lerp
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.evaluation.calibration import Reliability, classwise_reliability, reliability
from modeconn_lib.evaluation.ensembles import (
    along_mixture,
    labels_of,
    logits_of,
    mean_logits,
    metrics_of,
)
from modeconn_lib.experiments.feeds import InOrder
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.permutation.apply import permute
from modeconn_lib.training.batchnorm import reestimate

SPLITS = ("train", "test")


def measure_ensemble(work: Work) -> Outcome:
    """Measure the ensembles (1 - lambda) z_A + lambda z_B of two networks' logits."""
    a, b = (_both(work, work.tensors(record), 2) for record in work.records)
    where, series = grid(work.config["points"]), dict[str, Sequence[Any]]()
    for split in SPLITS:
        found = along_mixture(a[split], b[split], labels_of(_images(work, split)), where)
        series[f"{split}_loss"] = [each.loss for each in found]
        series[f"{split}_accuracy"] = [each.accuracy for each in found]
    middle = len(where) // 2
    return Outcome(
        scalars={
            "midpoint_accuracy": series["test_accuracy"][middle],
            "midpoint_loss": series["test_loss"][middle],
        },
        series={"t": where, **series},
    )


def calibrate(work: Work) -> Outcome:
    """Measure how well probabilities are calibrated, on training and on test images.

    Inputs: networks A and B, the permutations of B, and other networks (one that saw all data).
    Measured: A, B, their midpoint as they are and matched, their ensemble, and the others.
    """
    a, b, permutations, *others = (work.tensors(record) for record in work.records)
    matched = permute(b, work.trace().spec, permutations)
    networks = {"A": a, "B": b, "naive": lerp(a, b, 0.5), "merged": lerp(a, matched, 0.5)}
    networks |= {"full data" if i == 0 else f"other {i}": n for i, n in enumerate(others)}
    logits = {name: _both(work, params, len(networks)) for name, params in networks.items()}
    logits["ensemble"] = {s: mean_logits([logits[n][s] for n in "AB"]) for s in SPLITS}
    return _compared(work, logits)


def merge_networks(work: Work) -> Outcome:
    """Merge many networks (Algorithm 3) and measure them, their mergers and their ensemble.

    The merged network is the tensors.
    """
    networks = [work.here(work.tensors(record)) for record in work.records]
    learned = learnable(work.network(), networks[0])
    spec, seed, rounds = work.trace().spec, work.config["seed"], work.config["rounds"]
    found = merge_many(spec, networks, learned=tuple(learned), seed=seed, max_sweeps=rounds)
    equal = [1 / len(networks)] * len(networks)
    mergers = {"merged": found.merged, "naive": combine(equal, networks)}
    named = {f"network {i + 1}": params for i, params in enumerate(networks)} | mergers
    logits = {name: _both(work, params, len(named)) for name, params in named.items()}
    members = [of for name, of in logits.items() if name not in mergers]
    logits["ensemble"] = {s: mean_logits([m[s] for m in members]) for s in SPLITS}
    out = _compared(work, logits)
    scalars = {"sweeps": found.sweeps, "merge_seconds": found.seconds}
    return Outcome(
        {**out.scalars, **scalars},
        {**out.series, "distances": found.distances},
        tensors=found.merged,
    )


def bins(classes: int) -> int:
    """Return how many bins a reliability diagram has, as in the authors' code: 10 or 15."""
    return 10 if classes <= 10 else 15


def _compared(work: Work, logits: Mapping[str, Mapping[str, Tensor]]) -> Outcome:
    """Return loss, accuracy and reliability of each: ``<name> <split> <what>``.

    Reliability is that of the most probable class, and once more, ``classwise``, of every class.
    """
    scalars, series = dict[str, float](), dict[str, Sequence[Any]]()
    count = bins(dataset(work.config["dataset"]).classes)
    for split in SPLITS:
        labels = labels_of(_images(work, split))
        for name, of in logits.items():
            metrics = metrics_of(of[split], labels)
            scalars |= {
                f"{name} {split} loss": metrics.loss,
                f"{name} {split} accuracy": metrics.accuracy,
            }
            for words, measure in (("", reliability), ("classwise ", classwise_reliability)):
                said, what = measure(of[split], labels, count), f"{name} {split} {words}"
                scalars[f"{what}calibration error"] = said.error
                series |= _diagram(said, what)
    return Outcome(scalars, series)


def _diagram(said: Reliability, what: str) -> dict[str, list[Any]]:
    """Return the bins of a diagram; an empty one has no confidence: 0 stands there."""
    return {
        f"{what}counts": said.counts.tolist(),
        f"{what}confidence": np.nan_to_num(said.confidence).tolist(),
        f"{what}right": np.nan_to_num(said.accuracy).tolist(),
    }


def _images(work: Work, split: str) -> InOrder:
    examples = work.config["measure_examples" if split == "train" else "test_examples"]
    return work.in_order(split, examples)


def _both(work: Work, params: Params, parts: int) -> dict[str, Tensor]:
    """Return a network's logits on both splits; it is one of `parts` to be measured.

    Batch-norm statistics are taken anew, for networks as they were trained, too.
    """
    module = work.network()
    point = reestimate(module, work.here(params), work.statistics(), work.exact)
    found = {s: logits_of(module, point, _images(work, s), work.exact) for s in SPLITS}
    work.progress(work.cost // parts)
    return found


STEPS: dict[str, Step] = {
    "ensemble": measure_ensemble,
    "calibration": calibrate,
    "merger": merge_networks,
}
