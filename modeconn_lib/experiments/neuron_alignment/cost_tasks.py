"""The tasks of the chapter on alignment costs.

Setting, tasks of networks and matchings  ->  constrained, costs, subsets  ->  Task

As in `tasks`, here stands what the result of each step depends on; the versions are there.
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.tasks import ends, measuring, task

# Where between the least that the pre-activations can cost and what the best match of the
# post-activations makes them cost: budgets that bind, beside the paper's.
SHARES = (0.1, 0.25, 0.5, 0.75)
PARTS = (4, 2, 1)  # of the images to match units on: a quarter, half, all


def constrained(setting: Setting, pair: int) -> Task:
    """Return the matching of post-activations within the budget of pre-activations (eq. 31)."""
    numbers = setting.numbers
    config = {
        **measuring(setting),
        "align_examples": numbers.align_examples,
        "similarity": "l2",
        "shares": list(SHARES),
    }
    label = f"constrained alignment of pair {pair + 1}"
    cost = 2 * numbers.align_examples
    return task(setting, "constrained", config, ends(setting, pair), label, cost)


def costs(setting: Setting, pair: int, matchings: Mapping[str, Task]) -> Task:
    """Return what every matching costs by every measure, on test images."""
    config = {**measuring(setting), "names": list(matchings)}
    inputs = (*ends(setting, pair), *matchings.values())
    cost = 2 * setting.numbers.test_examples
    return task(setting, "costs", config, inputs, f"costs of pair {pair + 1}", cost)


def subsets(setting: Setting, pair: int) -> Task:
    """Return the comparison of the matchings that fewer images give with that of all."""
    numbers = setting.numbers
    sizes: Sequence[int] = [max(numbers.align_examples // part, 2) for part in PARTS]
    config = {
        **measuring(setting),
        "examples": list(sizes),
        "similarity": "correlation",
        "stage": "post",
    }
    label = f"alignment of pair {pair + 1} from fewer images"
    return task(setting, "subsets", config, ends(setting, pair), label, sum(sizes))
