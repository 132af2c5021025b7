"""The tasks of the chapter on planes, from a setting to a `Task`.

Setting  ->  plane  ->  Task

As in `tasks`, here stands what the result depends on; the version is there.
"""

from modeconn_lib.evaluation.planes import AROUND_CURVE, AROUND_NETWORKS
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task

# What a plane goes through: both networks and B's twin, or the ends and the middle of a curve.
PLANES = ("networks", "unaligned", "aligned")


def plane(setting: Setting, pair: int, through: str) -> Task:
    """Return the measuring of a plane of `PLANES`, and of the paths that lie in it.

    The same test images are seen at every point: the profile's ``measure_examples``, or all if
    there are fewer.
    """
    numbers, around = setting.numbers, AROUND_CURVE
    inputs: tuple[Task, ...] = tasks.ends(setting, pair)
    if through in ("networks", "aligned"):
        inputs = (*inputs, tasks.alignment(setting, pair))
    if through == "networks":
        around = AROUND_NETWORKS
    else:
        inputs = (*inputs, tasks.curve(setting, pair, aligned=through == "aligned"))
    config = {
        **tasks.measuring(setting),
        "test_examples": min(numbers.measure_examples, numbers.test_examples),
        "statistics_examples": numbers.statistics_examples,
        "sets": ["test"],
        "through": through,
        "around": [list(values) for values in around],
        "resolution": numbers.resolution,
        "points": numbers.points,
    }
    places = numbers.resolution**2 + 2 * numbers.points
    cost = places * (config["test_examples"] + numbers.statistics_examples) // 3
    what = "of the networks" if through == "networks" else f"of the {through} curve"
    return tasks.task(setting, "plane", config, inputs, f"plane {what} of pair {pair + 1}", cost)
