"""The tasks of the chapter on robust networks and curves; the rules are those of `tasks`.

Setting  ->  robust_endpoint, robust_alignment, robust_curve, robust_along, robust_check  ->  Task

The numbers of the attack are in every key. Costs count attacked images.
"""

from dataclasses import asdict
from typing import Any

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import derive
from modeconn_lib.datasets.augmentation import augmentation
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.tasks import as_matched, kind, measuring, task, training
from modeconn_lib.training.attacks import Attack

TOOLBOX = "adversarial-robustness-toolbox"


def robust_endpoint(setting: Setting, pair: int, side: int) -> Task:
    """Return the adversarial training of network `side` (0 or 1) of a pair."""
    numbers = setting.numbers
    config = {
        **_attacked(setting),
        **training(setting),
        "recipe": asdict(numbers.endpoint),
        "seed": derive(setting.seed, "endpoint", 2 * pair + side),
    }
    label = f"robust network {'AB'[side]} of pair {pair + 1}"
    cost = numbers.endpoint.epochs * numbers.train_examples
    return task(setting, "robust_endpoint", config, (), label, cost)


def robust_alignment(setting: Setting, pair: int) -> Task:
    """Return the matching of robust B's units to robust A's, on clean images.

    By correlation of post-activations, as `tasks.alignment`, and by its step.
    """
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "align_examples": numbers.align_examples,
        "similarity": "correlation",
        "stage": "post",
    }
    label = f"alignment of robust pair {pair + 1}"
    cost = (numbers.align_examples + numbers.test_examples) // 3
    return task(setting, "alignment", config, _ends(setting, pair), label, cost)


def robust_curve(setting: Setting, pair: int, *, aligned: bool) -> Task:
    """Return the learning of a Bezier curve by its robust loss.

    Both kinds see the same batches, t and draws of the attack's start.
    """
    numbers = setting.numbers
    assert numbers.curve is not None  # as every profile of the chapter says
    config = {
        **_attacked(setting),
        **training(setting),
        "recipe": asdict(numbers.curve),
        "shape": "bezier",
        "penalty": numbers.penalty,
        "aligned": aligned,
        "seed": derive(setting.seed, "curve", pair),
    }
    label = f"robust {kind(aligned)} curve of pair {pair + 1}"
    cost = numbers.curve.epochs * numbers.train_examples
    inputs = as_matched(_ends(setting, pair), robust_alignment(setting, pair), aligned)
    return task(setting, "robust_curve", config, inputs, label, cost)


def robust_along(setting: Setting, pair: int, *, aligned: bool) -> Task:
    """Return the measuring of a robust curve, with clean and with attacked statistics."""
    numbers = setting.numbers
    config = {**_measured(setting, aligned), "points": numbers.points}
    label = f"along the robust {kind(aligned)} curve of pair {pair + 1}"
    cost = numbers.points * (2 * numbers.test_examples + numbers.statistics_examples)
    inputs = _curve_and_ends(setting, pair, aligned)
    return task(setting, "robust_along", config, inputs, label, cost)


def robust_check(setting: Setting, pair: int, *, aligned: bool) -> Task:
    """Return the attacking of a few networks of a robust curve by others' attacks.

    A twentieth of the test images, and attacks ten times as long; of the aligned curve the middle
    alone, as its ends compute what the unaligned one's do.
    """
    numbers, attack = setting.numbers, _attack(setting)
    config = {
        **_measured(setting, aligned),
        "t": [0.5] if aligned else [0.0, 0.5, 1.0],
        "examples": max(numbers.test_examples // 20, 1),
        "toolbox": TOOLBOX,
        "iterations": 10 * attack.steps,
        "queries": 50 * attack.steps,
        "seed": derive(setting.seed, "check", pair),
    }
    label = f"others' attacks on the robust {kind(aligned)} curve of pair {pair + 1}"
    per_image = (2 * config["iterations"] + config["queries"]) // (1 + attack.steps)
    cost = len(config["t"]) * config["examples"] * per_image
    inputs = _curve_and_ends(setting, pair, aligned)
    return task(setting, "robust_check", config, inputs, label, cost)


def _attack(setting: Setting) -> Attack:
    """Return the profile's attack.

    Raises
    ------
    Refusal
        If the data set's images would not be in [0, 1], where attacks are.
    """
    numbers = setting.numbers
    assert numbers.attack is not None  # as every profile of the chapter says
    if not augmentation(numbers.augmentation, setting.dataset).is_raw:
        raise Refusal(
            f"attacks need pixels in [0, 1], and augmentation {numbers.augmentation!r} normalises "
            "them; use one whose name ends in _raw"
        )
    return numbers.attack


def _attacked(setting: Setting) -> dict[str, Any]:
    return {"attack": asdict(_attack(setting))}


def _measured(setting: Setting, aligned: bool) -> dict[str, Any]:
    """Return what the measuring of a robust curve depends on."""
    return {
        **_attacked(setting),
        **measuring(setting),
        "aligned": aligned,
        "statistics_examples": setting.numbers.statistics_examples,
    }


def _ends(setting: Setting, pair: int) -> tuple[Task, Task]:
    return robust_endpoint(setting, pair, 0), robust_endpoint(setting, pair, 1)


def _curve_and_ends(setting: Setting, pair: int, aligned: bool) -> tuple[Task, ...]:
    curve = robust_curve(setting, pair, aligned=aligned)
    return (*curve.inputs, curve)
