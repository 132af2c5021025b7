"""Chapter 13: learned curves between networks, unaligned and aligned.

Setting  ->  plan  ->  runner  ->  Study  ->  rows of Tables 1 and 2, claims

Reproduces Tatro et al. 2020, Tables 1 and 2, Fig. 3 (right, bottom left) and Fig. 6.
"""

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task

CHAPTER = "13_learned_curves"


def plan(setting: Setting) -> dict[str, Task]:
    """Return the chapter's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``along/0/aligned/curve``,
    ``along/0/unaligned/line``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=aligned)
            for shape, learned in (("line", False), ("curve", True)):
                out[f"along/{pair}/{kind}/{shape}"] = tasks.along(
                    setting, pair, aligned=aligned, learned=learned
                )
    return out
