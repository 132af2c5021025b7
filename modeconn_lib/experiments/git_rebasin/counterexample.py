"""Chapter 26: two networks that no order of units joins by a straight line.

Setting  ->  plan: one task  ->  Study  ->  accuracies along lambda, claims

Reproduces Ainsworth et al. 2022, section 4, appendix A.3, Figs. 6 and 7. Every profile has the
same numbers: they are exact, and take seconds.
"""

from dataclasses import replace

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import derive
from modeconn_lib.evaluation.counterexample import ORDERS
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.tasks import VERSIONS
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

PICTURES = 5  # values of lambda at which the networks are drawn
CELLS = 24  # of the drawings, in each direction
SAMPLE = 300  # points of the drawing of the data
TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5)

# Quarters and tenths of the line are all among 41 points.
_ALWAYS = replace(
    scale.TINY_MLP, pairs=1, points=41, claims=True, subject="two networks written down"
)
PROFILES: Profiles = dict.fromkeys(("smoke", "quick", "standard", "paper"), (_ALWAYS,))


def plan(setting: Setting) -> dict[str, Task]:
    """Return the one task, ``lines``.

    Raises
    ------
    Refusal
        If the reader asks for a data set, a network or a number of pairs: there are none here.
    """
    wanted = setting.wanted
    for name, given in (("dataset", wanted.dataset), ("architecture", wanted.architecture)):
        if given:
            raise Refusal(
                f"chapter {CHAPTER.name} is about two networks written down in the paper, without "
                f"images: {name} can only be left empty, got {given!r}"
            )
    if wanted.pairs > 1:
        raise Refusal(
            f"chapter {CHAPTER.name} has one pair of networks: pairs is 0 or 1, not {wanted.pairs}"
        )
    config = {
        "points": setting.numbers.points,
        "pictures": PICTURES,
        "cells": CELLS,
        "sample": SAMPLE,
        "seed": derive(setting.seed, "counterexample"),
    }
    version = VERSIONS["counterexample"]
    return {"lines": Task("counterexample", version, config, (), "", "the four lines", 1000)}


CHAPTER = Chapter("26_counterexample", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def at(study: Study, series: str, t: float) -> float:
    """Return the value of a series of the lines at lambda = t.

    Raises
    ------
    ValueError
        If the lines have no point there.
    """
    lines = study["lines"]
    near = [abs(x - t) for x in lines.series["t"]]
    if min(near) > 1e-9:
        raise ValueError(f"the lines have no point at {t}; there are {len(near)} evenly spaced")
    return float(lines.series[series][near.index(min(near))])


def summaries(study: Study) -> dict[str, Summary]:
    """Return what is exact, in percent: ends, lowest points and midpoints."""
    lines = study["lines"]
    out = {
        "ends": summarise([100 * at(study, "as written accuracy", 0.0)]),
        "leaky ends": summarise([100 * at(study, "as written leaky", 0.0)]),
    }
    for order in ORDERS:
        out |= {
            f"{order} lowest": summarise([100 * lines.number(f"{order} minimum")]),
            f"{order} midpoint": summarise([100 * lines.number(f"{order} midpoint")]),
        }
    return out


def rows(study: Study, kind: str = "accuracy", digits: int = 3) -> list[list[str]]:
    """Return a row for every order: its name, then its values at both ends and at tenths.

    Parameters
    ----------
    kind
        ``accuracy``, ``strict``, ``leaky`` or ``zero``.
    """
    places = (0.0, *TENTHS, 1.0)
    return [
        [order, *(f"{at(study, f'{order} {kind}', t):.{digits}f}" for t in places)]
        for order in ORDERS
    ]


def fractions(study: Study) -> list[list[str]]:
    """Return `rows` as the exact fractions."""
    lines = study["lines"]
    where = [round(t, 9) for t in lines.series["t"]]
    chosen = [where.index(t) for t in (0.0, *TENTHS, 1.0)]
    return [[order, *(lines.series[f"{order} exact"][i] for i in chosen)] for order in ORDERS]


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the lines, and whether it is so."""
    lines = study["lines"]
    ends = [lines.series[f"{o} exact"][i] for o in ORDERS for i in (0, -1)]
    strict = [v for o in ORDERS for v in lines.series[f"{o} strict"]]
    minima = {o: lines.number(f"{o} minimum") for o in ORDERS}
    found = ", ".join(f"{o} {v:.3f}" for o, v in minima.items())
    exact = [list(lines.series[f"{o} exact"]) for o in ORDERS]
    flat = [_inside(lines, o) for o in ("as written", "second layer swapped")]
    return [
        Claim("both networks, in every order, are right everywhere", set(ends) == {"1"}, "1"),
        Claim(
            "on every line there is a network that is right on no more than three quarters",
            max(minima.values()) <= 0.75,
            found,
        ),
        Claim(
            "with the first layer as written, every network between the ends is right on exactly "
            "three quarters",
            all(set(values) == {"3/4"} for values in flat),
            f"{len(flat[0])} networks on each of two lines",
        ),
        Claim(
            "every line is the same walked from B to A",
            all(values == values[::-1] for values in exact),
            f"{len(exact)} lines of {len(exact[0])} networks",
        ),
        Claim(
            "if an output of exactly 0 counted as no, every network, A and B included, would be "
            "right on exactly three quarters",
            set(strict) == {0.75},
            f"{min(strict):.3f} to {max(strict):.3f}",
        ),
    ]


def _inside(lines: Record, order: str) -> list[str]:
    return list(lines.series[f"{order} exact"])[1:-1]


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's row of the book's scorecard."""
    (study,) = (recorded or built).values()
    lowest = "; ".join(f"{o} {study['lines'].number(f'{o} minimum'):.3f}" for o in ORDERS)
    return [
        {
            "claim": "Fig. 6: lowest accuracy on the line to each order of B",
            "paper": "no order gives a line of constant accuracy",
            "recorded": lowest if recorded else "not run",
            "build": "the same" if recorded else lowest,
            "verdict": verdict(claims(study)),
        }
    ]
