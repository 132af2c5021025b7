"""Chapter 31: ways to connect two networks with one hidden layer.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Table 1, claims

Reproduces Anokhin & Yarotsky 2020, Table 1.
"""

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.distribution import connection_tasks
from modeconn_lib.experiments.distribution.distribution_profiles import (
    ONE_HIDDEN_CIFAR,
    ONE_HIDDEN_MNIST,
    SMALL,
    TINY,
)
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.paths.distribution.normaliser import Design, Kind

# The rows of Table 1, by the names of the published table, and what makes each.
CONNECTIONS = {
    "linear": "linear_butterfly",  # of one hidden layer, the straight line
    "arc": "arc_butterfly",
    "linear_wa": "linear_wa",
    "arc_wa": "arc_wa",
    "ot": "ot_butterfly",
    "ot_wa": "ot_wa",
}
GLOBAL: dict[str, tuple[Kind, str]] = {
    "iaf_flow": ("iaf", "likelihood"),
    "realnvp_bijection": ("realnvp", "middle"),
}
CHAINS = {"garipov_3": 3, "garipov_5": 5}

PROFILES: Profiles = {
    "smoke": (TINY,),
    "quick": (SMALL,),
    "standard": (ONE_HIDDEN_MNIST,),
    "paper": (ONE_HIDDEN_MNIST, ONE_HIDDEN_CIFAR),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``endpoint/0/B``, ``member/0``, ``normaliser/realnvp_bijection``,
    ``chain/0/garipov_3``, and for every row of the table ``connection/0/arc_wa``.
    """
    numbers = setting.numbers
    out: dict[str, Task] = {}
    designs = {
        row: Design(kind, numbers.transforms, numbers.hidden) for row, (kind, _) in GLOBAL.items()
    }
    out |= {f"member/{i}": connection_tasks.member(setting, i) for i in range(numbers.models + 1)}
    for row, (_, objective) in GLOBAL.items():
        out[f"normaliser/{row}"] = connection_tasks.normaliser(setting, designs[row], objective)
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        for row, method in CONNECTIONS.items():
            out[f"connection/{pair}/{row}"] = connection_tasks.connection(setting, pair, method)
        for row, (_, objective) in GLOBAL.items():
            out[f"connection/{pair}/{row}"] = connection_tasks.through(
                setting, pair, designs[row], objective
            )
        for row, bends in CHAINS.items():
            out[f"chain/{pair}/{row}"] = connection_tasks.chain(setting, pair, bends)
            out[f"connection/{pair}/{row}"] = connection_tasks.along_chain(setting, pair, bends)
    return out


CHAPTER = Chapter("31_one_hidden_layer", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded
