"""Chapter 18: the bounds behind alignment, on trained networks and on networks written down.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  bounds, examples, descent, claims

About Tatro et al. 2020, theorem 3.1 (appendices C.1 and C.2) and theorem E.3. The paper proves them
and computes none of it: there is no published number to compare with.
"""

from dataclasses import replace
from functools import cache

from modeconn_lib.core.errors import Refusal
from modeconn_lib.evaluation.chains import layer_names
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.git_rebasin import matching_tasks
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.neuron_alignment import theory_tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.models.registry import ARCHITECTURES, outline

PROFILES: Profiles = {
    "smoke": (replace(scale.TINY_MLP, rounds=1),),
    "quick": (replace(scale.SMALL_MLP, pairs=1, align_examples=1_000, points=11, rounds=10),),
    "standard": (replace(scale.STANDARD_MNIST_MLP, align_examples=2_000, points=21, rounds=30),),
    "paper": (replace(scale.MNIST_MLP, align_examples=10_000, points=65, rounds=100),),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``matching/0/weights``, ``bounds/0``; ``endpoint/small/A`` and
    ``descent``; ``written``.

    Raises
    ------
    Refusal
        If the network is not a chain of linear layers and ReLUs.
    """
    refuse_others(setting.architecture)
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        out[f"matching/{pair}/weights"] = matching_tasks.weights(setting, a, b, pair)
        out[f"bounds/{pair}"] = theory_tasks.bounds(setting, pair)
    a, b = theory_tasks.descent_ends(setting)
    out |= {"endpoint/small/A": a, "endpoint/small/B": b}
    out |= {"descent": theory_tasks.monotone(setting), "written": theory_tasks.tightness(setting)}
    return out


CHAPTER = Chapter("18_theory", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def refuse_others(name: str) -> None:
    """Refuse a network that the theory is not about; nothing is allocated for it.

    Raises
    ------
    Refusal
        Naming the first part that is out of place, and the networks that will do.
    """
    reason = _why_not(name)
    if reason:
        known = ", ".join(one for one in ARCHITECTURES if not _why_not(one))
        raise Refusal(
            f"chapter {CHAPTER.name} is about chains of linear layers and ReLUs; "
            f"architecture {name!r} is none: {reason}; known: {known}"
        )


@cache
def _why_not(name: str) -> str:
    """Return why an architecture is not a chain; empty if it is one."""
    try:
        layer_names(outline(name))
    except ValueError as error:
        return str(error)
    return ""
