"""The tasks of distribution-based connections, from a setting to a `Task`.

Setting  ->  connection, chain, normaliser, through  ->  Task

As in `tasks`, here stands what the result of each step depends on; the versions are there.
"""

from dataclasses import asdict
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.paths.distribution.normaliser import Design, Kind

# How each method connects: along what, and whether layers are adjusted; `plain` takes the rows of
# all layers at once instead of going layer by layer.
METHODS: dict[str, dict[str, Any]] = {
    "linear": {"rule": "linear", "adjust": False, "plain": True},
    "arc": {"rule": "arc", "adjust": False, "plain": True},
    "linear_butterfly": {"rule": "linear", "adjust": False, "plain": False},
    "arc_butterfly": {"rule": "arc", "adjust": False, "plain": False},
    "linear_wa": {"rule": "linear", "adjust": True, "plain": False},
    "arc_wa": {"rule": "arc", "adjust": True, "plain": False},
    "ot_butterfly": {"rule": "transport", "adjust": False, "plain": False},
    "ot_wa": {"rule": "transport", "adjust": True, "plain": False},
}
# How each global connection is built, and what it is learned by.
MAPS: dict[str, tuple[Kind, str]] = {
    "iaf_flow": ("iaf", "likelihood"),
    "realnvp_flow": ("realnvp", "likelihood"),
    "realnvp_bijection": ("realnvp", "middle"),
}
FIRST_MEMBER = 10_000  # number of the first network that a global connection is learned on


def connection(setting: Setting, pair: int, method: str) -> Task:
    """Return the making and measuring of a path by one of `METHODS`."""
    numbers = setting.numbers
    config = {
        **measured(setting),
        **METHODS[method],
        "adjust_examples": numbers.adjust_examples,
        "solved": numbers.solved,
        "positions": numbers.positions,
        "ridge": numbers.ridge,
        "exchanges": numbers.exchanges,
    }
    return tasks.task(
        setting,
        "connection",
        config,
        tasks.ends(setting, pair),
        f"{method.replace('_', ' + ')} connection of pair {pair + 1}",
        _passes(setting, numbers.points + 2 * numbers.solved),
    )


def by_every_method(setting: Setting, pair: int) -> dict[str, Task]:
    """Return a pair's networks, ``endpoint/0/A``, and its paths by all `METHODS`, by name."""
    ends = tasks.ends(setting, pair)
    out = {f"endpoint/{pair}/{side}": end for side, end in zip("AB", ends, strict=True)}
    return out | {f"connection/{pair}/{m}": connection(setting, pair, m) for m in METHODS}


def chain(setting: Setting, pair: int, bends: int) -> Task:
    """Return the learning of a polygonal chain of so many points, its ends included."""
    numbers = setting.numbers
    assert numbers.curve is not None  # as every profile of a chapter with chains says
    config = {
        **tasks.training(setting),
        "recipe": asdict(numbers.curve),
        "bends": bends,
        "penalty": numbers.penalty,
        "seed": derive(setting.seed, "curve", pair),
    }
    cost = numbers.curve.epochs * numbers.train_examples
    label = f"chain of {bends} points of pair {pair + 1}"
    return tasks.task(setting, "chain", config, tasks.ends(setting, pair), label, cost)


def along_chain(setting: Setting, pair: int, bends: int) -> Task:
    """Return the measuring of a learned chain."""
    inputs = (*tasks.ends(setting, pair), chain(setting, pair, bends))
    label = f"along the chain of {bends} points of pair {pair + 1}"
    cost = _passes(setting, setting.numbers.points)
    return tasks.task(setting, "along_chain", measured(setting), inputs, label, cost)


def member(setting: Setting, i: int) -> Task:
    """Return the training of network i of those that a global connection is learned on."""
    return tasks.network(setting, FIRST_MEMBER + i, f"network {i + 1} of the set")


def normaliser(setting: Setting, name: str) -> Task:
    """Return the learning of one of `MAPS`: by likelihood, or by the loss of middles.

    The last network is not learned from: by it the map is judged.
    """
    numbers = setting.numbers
    kind, objective = MAPS[name]
    recipe = numbers.flow if objective == "likelihood" else numbers.bijection
    assert recipe is not None  # as every profile of a chapter with global connections says
    config = {
        **tasks.training(setting),
        "recipe": asdict(recipe),
        "design": asdict(Design(kind, numbers.transforms, numbers.hidden)),
        "objective": objective,
        "seed": derive(setting.seed, "normaliser"),
    }
    inputs = tuple(member(setting, i) for i in range(numbers.models + 1))
    seen = numbers.models * numbers.train_examples if objective == "likelihood" else 0
    cost = recipe.epochs * (seen or numbers.train_examples)
    label = f"{kind} by {objective} on {numbers.models} networks"
    return tasks.task(setting, "normaliser", config, inputs, label, cost)


def through(setting: Setting, pair: int, name: str) -> Task:
    """Return the measuring of the path that one of `MAPS` makes of an unseen pair."""
    inputs = (*tasks.ends(setting, pair), normaliser(setting, name))
    label = f"{' by '.join(MAPS[name])}: connection of pair {pair + 1}"
    cost = _passes(setting, setting.numbers.points)
    return tasks.task(setting, "through", measured(setting), inputs, label, cost)


def look(setting: Setting, pair: int, name: str) -> Task:
    """Return the looking at what one of `MAPS` makes of the units of an unseen pair."""
    inputs = (*tasks.ends(setting, pair), normaliser(setting, name))
    config = {"dataset": setting.dataset.name, "architecture": setting.architecture}
    label = f"what {' by '.join(MAPS[name])} makes of units of pair {pair + 1}"
    return tasks.task(setting, "map", config, inputs, label, setting.numbers.test_examples)


def measured(setting: Setting) -> dict[str, Any]:
    """Return what every measuring of a path depends on."""
    numbers = setting.numbers
    return {
        **tasks.measuring(setting),
        "measure_examples": numbers.measure_examples,
        "statistics_examples": numbers.statistics_examples,
        "points": numbers.points,
    }


def _passes(setting: Setting, points: int) -> int:
    """Return what it costs to measure so many networks."""
    return points * (setting.numbers.measure_examples + setting.numbers.test_examples) // 3
