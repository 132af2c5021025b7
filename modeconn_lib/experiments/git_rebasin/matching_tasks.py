"""The tasks of Git Re-Basin's chapters: networks on parts of the data, matchings, lines, mergers.

Setting, tasks of networks  ->  weights, activations, estimator  ->  line  ->  Task

As in `tasks`, here stands what the result of each step depends on; the versions are there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.tasks import measuring, task, training

METHODS = ("naive", "activations", "weights", "estimator")


def part(setting: Setting, chosen: Mapping[str, Any], number: int, label: str) -> Task:
    """Return the training of a network on a part of the data (`datasets.subsets`)."""
    numbers = setting.numbers
    config = {
        **training(setting),
        "recipe": asdict(numbers.endpoint),
        "seed": derive(setting.seed, "part", number),
        "subset": dict(chosen),
    }
    return task(setting, "endpoint", config, (), label, _epochs(setting))


def snapshots(setting: Setting, pair: int, side: int) -> Task:
    """Return the training of a network that is kept after each of the profile's epochs."""
    config = {
        **training(setting),
        "recipe": asdict(setting.numbers.endpoint),
        "seed": derive(setting.seed, "endpoint", 2 * pair + side),
        "epochs": list(setting.numbers.epochs),
    }
    label = f"network {'AB'[side]} of pair {pair + 1}, epoch by epoch"
    return task(setting, "snapshots", config, (), label, _epochs(setting))


def onset(setting: Setting, pair: int) -> Task:
    """Return the lines between the two networks of a pair after each of the profile's epochs."""
    numbers = setting.numbers
    config = {
        **_on_a_line(setting),
        "epochs": list(numbers.epochs),
        "orders": numbers.orders,
        "seed": derive(setting.seed, "orders", pair),
    }
    inputs = (snapshots(setting, pair, 0), snapshots(setting, pair, 1))
    cost = 2 * len(numbers.epochs) * _line_cost(setting)
    return task(setting, "onset", config, inputs, f"onset of pair {pair + 1}", cost)


def matching(setting: Setting, method: str, a: Task, b: Task, pair: int, of: str = "") -> Task:
    """Return the matching of B's units to A's by one of `METHODS` other than naive.

    Parameters
    ----------
    of
        What the two networks are, for the label.
    """
    make = {"weights": weights, "activations": activations, "estimator": estimator}
    return make[method](setting, a, b, pair, of)


def weights(setting: Setting, a: Task, b: Task, pair: int, of: str = "") -> Task:
    """Return weight matching (Algorithm 1)."""
    config = {
        **measuring(setting),
        "orders": setting.numbers.orders,
        "seed": derive(setting.seed, "orders", pair),
    }
    label = f"weight matching of pair {pair + 1}{of}"
    return task(setting, "weights", config, (a, b), label, 2 * setting.numbers.test_examples)


def activations(setting: Setting, a: Task, b: Task, pair: int, of: str = "") -> Task:
    """Return activation matching by the uncentred second moments (section 3.1, equation 1)."""
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "align_examples": numbers.align_examples,
        "similarity": "inner_product",
        "stage": "post",
    }
    label = f"activation matching of pair {pair + 1}{of}"
    cost = numbers.align_examples + numbers.test_examples
    return task(setting, "alignment", config, (a, b), label, cost)


def estimator(setting: Setting, a: Task, b: Task, pair: int, of: str = "") -> Task:
    """Return the straight-through estimator (Algorithm 2), begun at the weight matching."""
    numbers = setting.numbers
    assert numbers.estimator is not None  # as every profile of a chapter that uses it says
    config = {
        **training(setting),
        "batch_size": numbers.estimator_batch_size,
        "recipe": asdict(numbers.estimator),
        "measure_examples": numbers.measure_examples,
        "seed": derive(setting.seed, "estimator", pair),
    }
    inputs = (a, b, weights(setting, a, b, pair, of))
    cost = 2 * numbers.estimator.epochs * numbers.train_examples
    return task(setting, "estimator", config, inputs, f"estimator of pair {pair + 1}{of}", cost)


def line(
    setting: Setting, a: Task, b: Task, matched: Task | None, label: str, shape: str = "line"
) -> Task:
    """Return the measuring of the way from A to B, or to B as it was `matched`."""
    config = _on_a_line(setting) | {"aligned": matched is not None}
    if shape != "line":
        config["shape"] = shape
    inputs = (a, b) if matched is None else (a, b, matched)
    return task(setting, "along", config, inputs, label, _line_cost(setting))


def ensemble(setting: Setting, a: Task, b: Task, label: str) -> Task:
    """Return the ensembles of two networks' logits, at every weight that a line has points."""
    cost = 2 * (setting.numbers.measure_examples + setting.numbers.test_examples)
    return task(setting, "ensemble", _on_a_line(setting), (a, b), label, cost)


def calibration(setting: Setting, networks: Sequence[Task], matched: Task, label: str) -> Task:
    """Return how well probabilities are calibrated: A, B, their merger and ensemble, others."""
    cost = 5 * (setting.numbers.measure_examples + setting.numbers.test_examples)
    inputs = (*networks[:2], matched, *networks[2:])
    return task(setting, "calibration", _on_a_line(setting), inputs, label, cost)


def merger(setting: Setting, networks: Sequence[Task], number: int, label: str) -> Task:
    """Return the merging of many networks (Algorithm 3) beside what it is compared with."""
    config = _on_a_line(setting) | {"seed": derive(setting.seed, "merger", number)}
    config["rounds"] = setting.numbers.rounds
    each = setting.numbers.measure_examples + setting.numbers.test_examples
    return task(setting, "merger", config, tuple(networks), label, (len(networks) + 3) * each)


def _on_a_line(setting: Setting) -> dict[str, Any]:
    numbers = setting.numbers
    return {
        **measuring(setting),
        "points": numbers.points,
        "measure_examples": numbers.measure_examples,
        "statistics_examples": numbers.statistics_examples,
    }


def _line_cost(setting: Setting) -> int:
    numbers = setting.numbers
    return numbers.points * (numbers.measure_examples + numbers.test_examples) // 3


def _epochs(setting: Setting) -> int:
    return setting.numbers.endpoint.epochs * setting.numbers.train_examples
