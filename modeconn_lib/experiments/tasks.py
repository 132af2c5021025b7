"""The tasks chapters are made of: one function for each step, from a setting to a `Task`.

Setting  ->  endpoint, alignment, curve, along, units  ->  Task

Here, and only here, stands what the result of each step depends on. Raise a step's version when
the step comes to mean something else; its old records then are no longer found.
"""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.datasets.images import fingerprint
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.permutation.sites import Stage

VERSIONS = {
    "endpoint": 1,
    "alignment": 1,
    "curve": 1,
    "along": 2,
    "units": 2,
    "weights": 1,
    "estimator": 1,
    "snapshots": 1,
    "onset": 1,
    "ensemble": 1,
    "calibration": 1,
    "merger": 1,
    "counterexample": 1,
    "symmetries": 1,
    "recovery": 1,
    "steepest": 1,
    "coverage": 1,
    "constrained": 1,
    "costs": 1,
    "subsets": 1,
    "plane": 1,
    "pam": 1,
    "robust_endpoint": 1,
    "robust_curve": 1,
    "robust_along": 1,
    "robust_check": 1,
    "bounds": 1,
    "tightness": 1,
    "monotone": 1,
    "connection": 2,  # for a while, all exchanges between linear layers were looked at
    "chain": 1,
    "along_chain": 1,
    "normaliser": 2,
    "through": 2,
    "map": 1,
    "ask_together": 1,
    "share_backbone": 1,
}


def endpoint(setting: Setting, pair: int, side: int) -> Task:
    """Return the training of network `side` (0 or 1) of a pair."""
    return network(setting, 2 * pair + side, f"network {'AB'[side]} of pair {pair + 1}")


def network(setting: Setting, number: int, label: str) -> Task:
    """Return the training of a network; another number gives another seed."""
    numbers, config = setting.numbers, training(setting)
    config["batch_size"] = numbers.endpoint_batch_size or numbers.batch_size
    seed = derive(setting.seed, "endpoint", number)
    cost = numbers.endpoint.epochs * numbers.train_examples
    recipe = asdict(numbers.endpoint)
    return task(setting, "endpoint", {**config, "recipe": recipe, "seed": seed}, (), label, cost)


def alignment(
    setting: Setting, pair: int, *, similarity: str = "correlation", stage: Stage = "post"
) -> Task:
    """Return the matching of B's units to A's, by correlation of post-activations or otherwise.

    Parameters
    ----------
    similarity
        A name of `alignment.activations.SIMILARITIES`.
    """
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "align_examples": numbers.align_examples,
        "similarity": similarity,
        "stage": stage,
    }
    usual = (similarity, stage) == ("correlation", "post")
    label = f"alignment of pair {pair + 1}{'' if usual else f' by {similarity}, {stage}'}"
    cost = numbers.align_examples + numbers.test_examples
    return task(setting, "alignment", config, ends(setting, pair), label, cost)


def curve(
    setting: Setting, pair: int, *, aligned: bool, matched: Task | None = None, words: str = ""
) -> Task:
    """Return the learning of a Bezier curve; all kinds of it see the same batches and t.

    Parameters
    ----------
    matched
        What B is permuted by, where the curve is aligned; by default `alignment`.
    words
        What sort of aligned curve it is, for the label.
    """
    numbers, config = setting.numbers, training(setting)
    assert numbers.curve is not None  # as every profile of a chapter with curves says
    config |= {
        "recipe": asdict(numbers.curve),
        "shape": "bezier",
        "penalty": numbers.penalty,
        "aligned": aligned,
        "seed": derive(setting.seed, "curve", pair),
    }
    assert aligned or matched is None  # what B is permuted by makes it aligned
    inputs = as_matched(ends(setting, pair), matched or alignment(setting, pair), aligned)
    label = f"{words or kind(aligned)} curve of pair {pair + 1}"
    cost = numbers.curve.epochs * numbers.train_examples
    return task(setting, "curve", config, inputs, label, cost)


def along(
    setting: Setting,
    pair: int,
    *,
    aligned: bool,
    learned: bool,
    matched: Task | None = None,
    words: str = "",
    by: Task | None = None,
) -> Task:
    """Return the measuring of a path: the learned curve, or else the straight line.

    Parameters
    ----------
    matched, words
        As for `curve`.
    by
        What learned the curve; by default `curve`.
    """
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "aligned": aligned,
        "points": numbers.points,
        "measure_examples": numbers.measure_examples,
        "statistics_examples": numbers.statistics_examples,
    }
    shape = "curve" if learned else "line"
    label = f"along the {words or kind(aligned)} {shape} of pair {pair + 1}"
    passes = numbers.measure_examples + numbers.statistics_examples + numbers.test_examples
    cost = numbers.points * passes // 3
    assert aligned or matched is None  # as for `curve`
    inputs = as_matched(ends(setting, pair), matched or alignment(setting, pair), aligned)
    if learned:
        inputs += (by or curve(setting, pair, aligned=aligned, matched=matched, words=words),)
    return task(setting, "along", config, inputs, label, cost)


def units(setting: Setting, pair: int, *, aligned: bool, learned: bool, end: int) -> Task:
    """Return the comparison of the units at a path's midpoint with those at one end (0 or 1)."""
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "aligned": aligned,
        "end": end,
        "align_examples": numbers.align_examples,
        "statistics_examples": numbers.statistics_examples,
    }
    label = f"units midway on the {kind(aligned)} {'curve' if learned else 'line'}"
    cost = numbers.align_examples + numbers.test_examples + numbers.statistics_examples
    inputs = as_matched(ends(setting, pair), alignment(setting, pair), aligned)
    inputs += (curve(setting, pair, aligned=aligned),) if learned else ()
    return task(setting, "units", config, inputs, f"{label} of pair {pair + 1}", cost)


def ends(setting: Setting, pair: int) -> tuple[Task, Task]:
    """Return the trainings of both networks of a pair."""
    return endpoint(setting, pair, 0), endpoint(setting, pair, 1)


def as_matched(both: tuple[Task, Task], matched: Task, aligned: bool) -> tuple[Task, ...]:
    """Return the tasks of A, of B and, for an aligned path, of what B is permuted by."""
    return (*both, matched) if aligned else both


def training(setting: Setting) -> dict[str, Any]:
    """Return what every training depends on."""
    numbers = setting.numbers
    return {
        **measuring(setting),
        "train_examples": numbers.train_examples,
        "batch_size": numbers.batch_size,
    }


def measuring(setting: Setting) -> dict[str, Any]:
    """Return what everything depends on that looks at a network."""
    numbers = setting.numbers
    return {
        "dataset": setting.dataset.name,
        "architecture": setting.architecture,
        "augmentation": numbers.augmentation,
        "test_examples": numbers.test_examples,
    }


def kind(aligned: bool) -> str:
    """Return what labels call a path to B's twin, or to B as it is."""
    return "aligned" if aligned else "unaligned"


def task(
    setting: Setting,
    step: str,
    config: dict[str, Any],
    inputs: tuple[Task, ...],
    label: str,
    cost: int,
) -> Task:
    """Return a task of the setting's data set, at the step's present version."""
    data = _fingerprint(setting.dataset.name, setting.data)
    return Task(step, VERSIONS[step], config, inputs, data, label, cost)


@cache
def _fingerprint(name: str, data: Path | None) -> str:
    """Return a data set's fingerprint; a folder of images is read for it, once per process."""
    return fingerprint(name, data)
