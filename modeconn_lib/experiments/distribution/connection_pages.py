"""What the page on one hidden layer shows of its studies.

studies by the title of their panel  ->  rows, published_rows, along  ->  figures.connections
                                     ->  exchanges, learned           ->  tables
"""

from collections.abc import Mapping
from statistics import fmean

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments.distribution.one_hidden_layer import (
    GLOBAL,
    TABLE,
    WORDS,
    summaries,
)
from modeconn_lib.experiments.pages import Markdown
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

PUBLISHED_PAIRS = 0  # the paper does not say over how many its deviations are
DRAWN = ("linear", "arc", "realnvp_bijection", "linear_wa", "ot")
Lines = dict[str, tuple[list[float], list[list[float]]]]


def rows(shown: Mapping[str, Study]) -> dict[str, dict[str, Summary]]:
    """Return the test accuracies of every study: title of its panel, row, summary."""
    return {title: _named(summaries(study)) for title, study in shown.items()}


def published_rows(shown: Mapping[str, Study]) -> dict[str, dict[str, Summary]]:
    """Return Table 1 for the studies that it is about."""
    said = {title: TABLE.paper(study.config) for title, study in shown.items()}
    return {
        title: _named({name: Summary(*cell, PUBLISHED_PAIRS) for name, cell in cells.items()})
        for title, cells in said.items()
        if cells
    }


def along(shown: Mapping[str, Study]) -> dict[str, Lines]:
    """Return test accuracies along the paths of `DRAWN`, percent, without the exchanges."""
    out: dict[str, Lines] = {}
    for title, study in shown.items():
        out[title] = {}
        for row in DRAWN:
            found = [r for r in study.over_pairs("connection", row) if "t" in r.series]
            if found:
                t, end = found[0].series["t"], found[0].series["t"][-1]
                accuracies = [[100 * v for v in r.series["test_accuracy"]] for r in found]
                out[title][WORDS[row]] = [x / end for x in t], accuracies
    return out


def exchanges(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what the second stage of transport costs, as a numbered table for each study."""

    def of(study: Study) -> list[list[str]]:
        out = []
        for row in ("ot", "ot_wa"):
            found = study.over_pairs("connection", row)
            every = [v for r in found for v in r.series.get("exchange/fc1/test_accuracy", [])]
            counts = [r.number("exchanges") for r in found]
            worst = [r.scalars.get("worst_exchange_test") for r in found]
            cells = [f"{fmean(counts):,.0f}"]
            if every:
                cells += [f"{100 * fmean(every):.2f}", f"{100 * min(w for w in worst if w):.2f}"]
            else:
                cells += [NOTHING, NOTHING]
            out.append([WORDS[row], *cells])
        return out

    columns = ("path", "exchanges a pair", "test accuracy half-way, mean of the kept", "worst")
    return table_of_each(shown, columns, of, "The exchanges that bring B's units home", name)


def learned(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return how the learning of global connections went, as a numbered table for each study."""

    def of(study: Study) -> list[list[str]]:
        out = []
        for row in GLOBAL:
            scalars = study[f"normaliser/{row}"].scalars
            after = scalars.get("likelihood_after")
            error = scalars.get("inversion_error")
            out.append(
                [
                    WORDS[row],
                    "yes" if scalars["converged"] else "no",
                    f"{scalars['likelihood_before']:,.1f}",
                    NOTHING if after is None else f"{after:,.1f}",
                    NOTHING if error is None else scientific(float(error)),
                ]
            )
        return out

    columns = ("", "converged", "likelihood before", "after", "error there and back")
    caption = (
        "Global connections: mean log-likelihood of a unit of an unseen network, nats, and how far "
        "a unit is from itself after the map and its inverse, standard deviations at most"
    )
    return table_of_each(shown, columns, of, caption, name)


def _named(found: Mapping[str, Summary]) -> dict[str, Summary]:
    return {WORDS[row]: found[f"{row} test"] for row in WORDS if f"{row} test" in found}
