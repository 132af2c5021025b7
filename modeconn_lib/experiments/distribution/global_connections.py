"""Chapter 33: maps that are learned on some networks and connect others.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  maps, unseen pairs, claims

Reproduces Anokhin & Yarotsky 2020, section 3.3 and two rows of Table 1, and shows what the paper
does not: the maps themselves.
"""

from collections.abc import Mapping

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.distribution import connection_tasks, worst_accuracy
from modeconn_lib.experiments.distribution.connection_tasks import MAPS
from modeconn_lib.experiments.distribution.distribution_profiles import GLOBAL
from modeconn_lib.experiments.distribution.one_hidden_layer import CONNECTIONS, refuse_others
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

# Rows of the page; those of the paper by the names of the published table.
WORDS = {
    "linear": "linear",
    "arc": "arc",
    "iaf_flow": "IAF flow",
    "realnvp_flow": "RealNVP flow",
    "realnvp_bijection": "RealNVP bijection",
    "endpoints": "endpoints",
}
TABLE = worst_accuracy.Rows(WORDS, "distribution_connectivity_table1", "one_hidden_w2000")
UNLEARNED = ("linear", "arc")
WHEN = ("before", "after")  # a map is learned: what of it is recorded twice
FLOWS = tuple(name for name, (_, objective) in MAPS.items() if objective == "likelihood")
PROFILES: Profiles = GLOBAL


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``member/0``, ``normaliser/iaf_flow``, ``endpoint/0/A``, for every row of the page
    ``connection/0/arc``, and ``map/iaf_flow``, which is looked at on the first pair.

    Raises
    ------
    Refusal
        If the network has not one hidden layer.
    """
    refuse_others(setting.architecture, CHAPTER.name)
    members = range(setting.numbers.models + 1)
    out = {f"member/{i}": connection_tasks.member(setting, i) for i in members}
    out |= {f"normaliser/{row}": connection_tasks.normaliser(setting, row) for row in MAPS}
    out |= {f"map/{row}": connection_tasks.look(setting, 0, row) for row in MAPS}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        for row in UNLEARNED:
            method = CONNECTIONS[row]
            out[f"connection/{pair}/{row}"] = connection_tasks.connection(setting, pair, method)
        for row in MAPS:
            out[f"connection/{pair}/{row}"] = connection_tasks.through(setting, pair, row)
    return out


CHAPTER = Chapter("33_global_connection", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number over pairs, percent: ``<row> train`` and ``<row> test``."""
    return worst_accuracy.summaries(study, WORDS)


def claims(study: Study) -> list[Claim]:
    """Return what the paper says of learned connections, and whether it is so of unseen pairs.

    The last before those on its table is ours: the paper does not look at the maps.
    """
    unseen = "between networks that no map has seen, "
    out = [
        TABLE.better(study, "realnvp_bijection", "arc", insisted=True, about=unseen),
        TABLE.better(study, "arc", "iaf_flow", about=unseen),
    ]
    for row in FLOWS:
        learned = study[f"normaliser/{row}"]
        likelihood = [
            learned.number(f"likelihood_{when}") if learned.scalars["converged"] else None
            for when in WHEN
        ]
        said = f"{WORDS[row]} makes the units of a network that it has not seen likelier"
        out.append(_rises(said, *likelihood))
    seen = study["map/realnvp_bijection"]
    kurtosis = [
        seen.number(f"kurtosis_{when}") if seen.scalars["converged"] else None for when in WHEN
    ]
    out.append(_rises("the map learned by the loss makes units less normal, not more", *kurtosis))
    return out + TABLE.near_the_paper(study)


_NONE = "no convergence"


def _rises(text: str, before: float | None, after: float | None) -> Claim:
    """Return whether a number is higher after the learning of a map; None: it did not converge."""
    if before is None or after is None:
        return Claim(text, False, _NONE, insisted=False)
    return Claim(text, after > before, f"{before:.2f} before, {after:.2f} after", insisted=False)


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return TABLE.scorecard("Global connections", built, recorded, claims)
