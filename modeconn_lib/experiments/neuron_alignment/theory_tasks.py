"""The tasks of the chapter on theory: bounds of a pair, networks written down, a monotone descent.

Setting  ->  bounds, tightness, monotone  ->  Task

As in `tasks`, here stands what the result of each step depends on; the versions are there.
"""

from dataclasses import replace
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments.git_rebasin import matching_tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.tasks import VERSIONS, ends, measuring, task

DESCENT_NETWORK = "mlp_small"  # a monotone descent asks for its whole objective, many times over
DELTAS = (1e-2, 1e-4, 1e-6, 1e-8)  # widths over which ReLUs are rounded off
DESCENT_IMAGES = 128
DESCENT_POINTS = 5  # values of t
DRAWN = 200  # pairs of random networks
DRAWS = 4  # permutations drawn from each mixture
UNITS, SAMPLES, HIDDEN = 16, 64, 3  # of the networks that are written down


def bounds(setting: Setting, pair: int) -> Task:
    """Return the line between two networks, B matched in several ways, and what bounds it."""
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "align_examples": numbers.align_examples,
        "points": numbers.points,
    }
    a, b = ends(setting, pair)
    inputs = (a, b, matching_tasks.weights(setting, a, b, pair))
    cost = 5 * numbers.points * (numbers.align_examples + numbers.test_examples)
    return task(setting, "bounds", config, inputs, f"bounds of pair {pair + 1}", cost)


def tightness(setting: Setting) -> Task:
    """Return the networks that are written down and the bounds on them; no images."""
    config = {
        "units": UNITS,
        "samples": SAMPLES,
        "hidden": HIDDEN,
        "drawn": DRAWN,
        "points": setting.numbers.points,
        "seed": derive(setting.seed, "tightness"),
    }
    version = VERSIONS["tightness"]
    return Task("tightness", version, config, (), "", "networks written down", 1000)


def descent_ends(setting: Setting) -> tuple[Task, Task]:
    """Return the two networks between which a curve descends: small, trained like the others."""
    return ends(_small(setting), 0)


def monotone(setting: Setting) -> Task:
    """Return proximal alternating minimisation with the stopping rule of Theorem E.3."""
    small = _small(setting)
    config: dict[str, Any] = {
        **measuring(small),
        "examples": min(DESCENT_IMAGES, setting.numbers.align_examples),
        "points": DESCENT_POINTS,
        "deltas": list(DELTAS),
        "iterations": setting.numbers.rounds,
        "draws": DRAWS,
        "seed": derive(setting.seed, "monotone"),
    }
    cost = 50 * len(DELTAS) * config["iterations"] * config["examples"]
    return task(small, "monotone", config, ends(small, 0), "a descent that never rises", cost)


def _small(setting: Setting) -> Setting:
    return replace(setting, numbers=replace(setting.numbers, architecture=DESCENT_NETWORK))
