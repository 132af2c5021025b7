"""Chapter 11: how alike the units of two networks are, layer by layer, before and after alignment.

Setting  ->  plan  ->  runner  ->  Study  ->  Fig. 1 of Tatro et al. 2020, claims
"""

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task

CHAPTER = "11_correlation_signature"


def plan(setting: Setting) -> dict[str, Task]:
    """Return the chapter's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``units/0/aligned/curve/0``
    (the midpoint of pair 0's aligned curve against the path's end at t = 0).
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=aligned)
            for shape, learned in (("line", False), ("curve", True)):
                for end in (0, 1):
                    out[f"units/{pair}/{kind}/{shape}/{end}"] = tasks.units(
                        setting, pair, aligned=aligned, learned=learned, end=end
                    )
    return out
