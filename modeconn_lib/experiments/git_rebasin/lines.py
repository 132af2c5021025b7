"""Straight lines between networks, matched in several ways: what Git Re-Basin's chapters share.

Setting, methods  ->  plan  ->  Study  ->  summaries, barriers

A line has points at evenly spaced lambda, both ends included; its barrier is that of definition
2.2, `evaluation.along_path.barrier`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from modeconn_lib.evaluation.along_path import excess
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.git_rebasin import matching_tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise


def plan(setting: Setting, methods: Sequence[str]) -> dict[str, Task]:
    """Return networks, matchings and lines of every pair.

    Names: ``endpoint/0/A``, ``matching/0/weights``, ``along/0/weights/line``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        out |= of_pair(setting, pair, a, b, methods)
    return out


def of_pair(
    setting: Setting, pair: int, a: Task, b: Task, methods: Sequence[str]
) -> dict[str, Task]:
    """Return the matchings and lines of two networks."""
    out: dict[str, Task] = {}
    for method in methods:
        matched = None
        if method != "naive":
            matched = matching_tasks.matching(setting, method, a, b, pair)
            out[f"matching/{pair}/{method}"] = matched
        label = f"{method} line of pair {pair + 1}"
        out[f"along/{pair}/{method}/line"] = matching_tasks.line(setting, a, b, matched, label)
    return out


def methods(study: Study) -> list[str]:
    """Return the methods whose lines were measured, in the study's order."""
    return list(dict.fromkeys(name.split("/")[2] for name in study.select("along/")))


def lines(study: Study, method: str) -> list[Record]:
    """Return the measured lines of one method, one for each pair."""
    return study.over_pairs("along", f"{method}/line")


def matchings(study: Study, method: str) -> list[Record]:
    """Return what one method of matching recorded, one for each pair."""
    return study.over_pairs("matching", method)


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the lines over pairs; accuracies in percent, losses in nats.

    Names: ``endpoint accuracy``, ``endpoint loss``; for every method ``<method> test barrier``,
    ``<method> train barrier``, ``<method> test excess loss`` (over the chord),
    ``<method> midpoint accuracy``, ``<method> midpoint loss``.
    """
    ends = list(study.select("endpoint/").values())
    out = {
        "endpoint accuracy": summarise(100 * r.number("test_accuracy") for r in ends),
        "endpoint loss": summarise(r.number("test_loss") for r in ends),
    }
    for method in methods(study):
        found = lines(study, method)
        middle = len(found[0].series["t"]) // 2
        out |= {
            f"{method} test barrier": summarise(r.number("barrier_test") for r in found),
            f"{method} train barrier": summarise(r.number("barrier_train") for r in found),
            f"{method} test excess loss": summarise(map(over_chord, found)),
            f"{method} midpoint accuracy": summarise(
                100 * r.number("midpoint_accuracy") for r in found
            ),
            f"{method} midpoint loss": summarise(r.series["test_loss"][middle] for r in found),
        }
    return out


def over_chord(line: Record) -> float:
    """Return by how much a line's test loss exceeds the straight line between its ends, nats."""
    return excess(np.array(line.series["test_loss"]), np.array(line.series["t"]))


def flat(study: Study, method: str, nats: float) -> tuple[int, int, int]:
    """Return how many pairs there are, and of how many the test barrier is at most `nats`.

    Last, of how many the test loss is nowhere more than `nats` above the chord: ends of unequal
    loss are a barrier by themselves, but no hindrance.
    """
    found = lines(study, method)
    barriers = sum(r.number("barrier_test") <= nats for r in found)
    return len(found), barriers, sum(over_chord(r) <= nats for r in found)


def first(studies: Mapping[str, Study]) -> Study | None:
    """Return the first study, on which a page's sentences are; None if there is none."""
    return next(iter(studies.values()), None)
