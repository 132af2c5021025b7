"""The tasks of proximal alternating minimisation, from a setting to a `Task`.

Setting  ->  pam, along, units  ->  Task

As in `tasks`, here stands what the result of each step depends on; the versions are there.
"""

from dataclasses import asdict
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task

# What the published code says, and in all but the terms the paper, too.
PUBLISHED: dict[str, Any] = {
    "nu_permutation": 1e3,
    "nu_curve": 1e3,
    "rounds": 20,
    "terms": 10,
    "iterations": 1,
}


def pam(setting: Setting, pair: int, *, aligned: bool) -> Task:
    """Return the minimisation over permutations and curve of a pair.

    Permutations start at the identity, or at the alignment. The curve sees the batches and t that
    those of `tasks.curve` do.
    """
    numbers = setting.numbers
    assert numbers.permutation is not None  # as every profile of a chapter with PAM says
    assert numbers.curve is not None
    config = {
        **tasks.training(setting),
        "recipe": asdict(numbers.curve),
        "permutation": asdict(numbers.permutation),
        "penalty": numbers.penalty,
        "samples": numbers.candidates,
        "judged_examples": numbers.statistics_examples,
        **PUBLISHED,
        "aligned": aligned,
        "seed": derive(setting.seed, "curve", pair),
    }
    inputs = tasks.as_matched(tasks.ends(setting, pair), tasks.alignment(setting, pair), aligned)
    label = f"PAM {tasks.kind(aligned)} of pair {pair + 1}"
    learning = (numbers.permutation.epochs + numbers.curve.epochs) * numbers.train_examples
    judging = (numbers.candidates + 2) * numbers.statistics_examples // 3
    return tasks.task(setting, "pam", config, inputs, label, learning + judging)


def along(setting: Setting, pair: int, *, aligned: bool) -> Task:
    """Return the measuring of the curve that was found."""
    numbers = setting.numbers
    config = {
        **tasks.measuring(setting),
        "pam": True,
        "points": numbers.points,
        "measure_examples": numbers.measure_examples,
        "statistics_examples": numbers.statistics_examples,
    }
    passes = numbers.measure_examples + numbers.statistics_examples + numbers.test_examples
    label = f"along the PAM {tasks.kind(aligned)} curve of pair {pair + 1}"
    inputs = _path_inputs(setting, pair, aligned=aligned)
    return tasks.task(setting, "along", config, inputs, label, numbers.points * passes // 3)


def units(setting: Setting, pair: int, *, aligned: bool, end: int) -> Task:
    """Return the comparison of the units at its midpoint with those at one end (0 or 1)."""
    numbers = setting.numbers
    config = {
        **tasks.measuring(setting),
        "pam": True,
        "end": end,
        "align_examples": numbers.align_examples,
        "statistics_examples": numbers.statistics_examples,
    }
    cost = numbers.align_examples + numbers.test_examples + numbers.statistics_examples
    label = f"units midway on the PAM {tasks.kind(aligned)} curve of pair {pair + 1}"
    inputs = _path_inputs(setting, pair, aligned=aligned)
    return tasks.task(setting, "units", config, inputs, label, cost)


def _path_inputs(setting: Setting, pair: int, *, aligned: bool) -> tuple[Task, ...]:
    return (*tasks.ends(setting, pair), pam(setting, pair, aligned=aligned))
