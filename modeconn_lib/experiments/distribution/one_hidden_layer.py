"""Chapter 31: ways to connect two networks with one hidden layer.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Table 1, claims

Reproduces Anokhin & Yarotsky 2020, Table 1.
"""

from collections.abc import Mapping
from functools import cache

from modeconn_lib.evaluation.chains import layer_names
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter, refuse_unless
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.distribution import connection_tasks, ladders, worst_accuracy
from modeconn_lib.experiments.distribution.distribution_profiles import (
    ONE_HIDDEN_CIFAR,
    ONE_HIDDEN_CIFAR_SHORTENED,
    ONE_HIDDEN_MNIST,
    SMALL,
    TINY,
)
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.models.registry import outline
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

# The rows of Table 1, by the names of the published table, and what makes each.
CONNECTIONS = {
    "linear": "linear_butterfly",  # of one hidden layer, the straight line
    "arc": "arc_butterfly",
    "linear_wa": "linear_wa",
    "arc_wa": "arc_wa",
    "ot": "ot_butterfly",
    "ot_wa": "ot_wa",
}
GLOBAL = ("iaf_flow", "realnvp_bijection")
CHAINS = {"garipov_3": 3, "garipov_5": 5}

WORDS = {  # the table's rows, in its order
    "linear": "linear",
    "arc": "arc",
    "iaf_flow": "IAF flow",
    "realnvp_bijection": "RealNVP bijection",
    "linear_wa": "linear + adjustment",
    "arc_wa": "arc + adjustment",
    "ot": "transport",
    "ot_wa": "transport + adjustment",
    "garipov_3": "chain of 3 points",
    "garipov_5": "chain of 5 points",
    "endpoints": "endpoints",
}
TABLE = worst_accuracy.Rows(WORDS, "distribution_connectivity_table1", "one_hidden_w2000")

PROFILES: Profiles = {
    "smoke": (TINY,),
    "quick": (SMALL,),
    "standard": (ONE_HIDDEN_MNIST, ONE_HIDDEN_CIFAR_SHORTENED),
    "paper": (ONE_HIDDEN_MNIST, ONE_HIDDEN_CIFAR),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``endpoint/0/B``, ``member/0``, ``normaliser/realnvp_bijection``,
    ``chain/0/garipov_3``, for every row of the table ``connection/0/arc_wa``, and for networks of
    other widths ``ladder/0/one_hidden_w20/arc_wa``.

    Raises
    ------
    Refusal
        If the network has not one hidden layer.
    """
    refuse_others(setting.architecture, CHAPTER.name)
    numbers = setting.numbers
    out: dict[str, Task] = {}
    out |= {f"member/{i}": connection_tasks.member(setting, i) for i in range(numbers.models + 1)}
    out |= {f"normaliser/{row}": connection_tasks.normaliser(setting, row) for row in GLOBAL}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        for row, method in CONNECTIONS.items():
            out[f"connection/{pair}/{row}"] = connection_tasks.connection(setting, pair, method)
        for row in GLOBAL:
            out[f"connection/{pair}/{row}"] = connection_tasks.through(setting, pair, row)
        for row, bends in CHAINS.items():
            out[f"chain/{pair}/{row}"] = connection_tasks.chain(setting, pair, bends)
            out[f"connection/{pair}/{row}"] = connection_tasks.along_chain(setting, pair, bends)
    return out | ladders.rungs(setting, CONNECTIONS)


CHAPTER = Chapter("31_one_hidden_layer", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def refuse_others(name: str, chapter: str) -> None:
    """Refuse a network that has not one hidden layer; nothing is allocated for it.

    Raises
    ------
    Refusal
        Naming the networks that have.
    """
    refuse_unless(
        lambda one: _hidden_layers(one) == 1, name, chapter, "networks with one hidden layer"
    )


@cache
def _hidden_layers(name: str) -> int:
    """Return how many hidden layers a chain of linear layers has; 0 for all other networks."""
    try:
        return len(layer_names(outline(name))) - 1
    except ValueError:
        return 0


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the table over pairs, percent: ``<row> train`` and ``<row> test``."""
    return worst_accuracy.summaries(study, WORDS)


def claims(study: Study) -> list[Claim]:
    """Return what the paper says of the test accuracies, and whether it is so.

    Global connections are insisted on in chapter 33, not here.
    """
    out = [
        TABLE.better(study, row, other, insisted=insisted)
        for row, other, insisted in (
            ("arc", "linear", True),
            ("ot", "arc", True),
            ("ot_wa", "ot", False),
            ("linear_wa", "linear", True),
            ("arc_wa", "arc", True),
            ("realnvp_bijection", "arc", False),
        )
    ]
    return out + TABLE.near_the_paper(study)


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return TABLE.scorecard("Table 1", built, recorded, claims)
