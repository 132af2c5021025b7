"""What the pages on connections by distribution show of their studies.

studies by the title of their panel  ->  rows, published_rows, along, errors  ->  figures
                                     ->  exchanges, learned, kept             ->  tables
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments.distribution import deep_networks, one_hidden_layer
from modeconn_lib.experiments.distribution.ladders import Drops, drops
from modeconn_lib.experiments.distribution.one_hidden_layer import GLOBAL, WORDS
from modeconn_lib.experiments.distribution.worst_accuracy import summaries
from modeconn_lib.experiments.pages import Markdown
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

PUBLISHED_PAIRS = 0  # the paper does not say over how many its deviations are
DRAWN = ("linear", "arc", "realnvp_bijection", "linear_wa", "ot")
TABLES = {chapter.CHAPTER.name: chapter.TABLE for chapter in (one_hidden_layer, deep_networks)}
WORDS_OF_ALL = {**WORDS, **deep_networks.WORDS}
Lines = dict[str, tuple[Sequence[float], list[list[float]]]]


def rows(shown: Mapping[str, Study]) -> dict[str, dict[str, Summary]]:
    """Return the test accuracies of every study: title of its panel, row, summary."""
    return {
        title: _named(summaries(study, TABLES[study.name].words)) for title, study in shown.items()
    }


def published_rows(shown: Mapping[str, Study]) -> dict[str, dict[str, Summary]]:
    """Return Table 1 for the studies that it is about."""
    said = {title: TABLES[study.name].paper(study.config) for title, study in shown.items()}
    return {
        title: _named(
            {name: Summary(cell[0], cell[1], PUBLISHED_PAIRS) for name, cell in cells.items()}
        )
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


def errors(shown: Mapping[str, Study]) -> dict[str, Lines]:
    """Return the errors on the path by arcs and adjustment, percent: Fig. 5, left and right.

    By the study and the images adjusted on: as many as the narrowest layer has units, or
    as many as for all other paths.
    """
    out: dict[str, Lines] = {}
    for title, study in shown.items():
        few = list(study.select("few/").values())
        for found in (few, study.over_pairs("connection", "arc_wa")):
            images = found[0].config["adjust_examples"]
            out[f"{title}: {images:,} images"] = {
                f"{split} error": (
                    found[0].series["t"],
                    [[100 * (1 - v) for v in r.series[f"{split}_accuracy"]] for r in found],
                )
                for split in ("train", "test")
            }
    return out


def by_size(shown: Mapping[str, Study]) -> dict[str, Drops]:
    """Return what the worst network lacks of the ends by size of the networks, first pairs."""
    found = {title: drops(study, TABLES[study.name].words) for title, study in shown.items()}
    return {title: rows for title, rows in found.items() if rows}


def kept(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what could not be kept of each adjusted layer's outputs, as numbered tables."""

    def of(study: Study) -> list[list[str]]:
        few = next(iter(study.select("few/").values()))
        full = study["connection/0/arc_wa"]
        return [
            [layer, *(f"{100 * r.series['residuals'][i]:.2f}" for r in (few, full))]
            for i, layer in enumerate(full.series["adjusted"])
        ]

    columns = ("layer", "few images, %", "more images, %")
    caption = "Share of a layer's outputs that adjusting it loses, first pair"
    return table_of_each(shown, columns, of, caption, name)


def exchanges(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what the second stage of transport costs, as a numbered table for each study."""

    def of(study: Study) -> list[list[str]]:
        out = []
        for row in [row for row in WORDS_OF_ALL if row.startswith("ot")]:
            found = study.over_pairs("connection", row)
            if not found:
                continue
            counts = [
                fmean(r.number(n) for r in found) for n in ("exchanges", "exchanges_measured")
            ]
            cells = [f"{count:,.0f}" for count in counts]
            measured = [r for r in found if r.number("exchanges_measured")]
            if measured:
                mean = fmean(r.number("mean_exchange_test") for r in measured)
                worst = min(r.number("worst_exchange_test") for r in measured)
                cells += [f"{100 * mean:.2f}", f"{100 * worst:.2f}"]
            else:
                cells += [NOTHING, NOTHING]
            out.append([WORDS_OF_ALL[row], *cells])
        return out

    columns = ("path", "exchanges a pair", "looked at", "test accuracy half-way, mean", "worst")
    return table_of_each(shown, columns, of, "The exchanges that bring B's units home", name)


def learned(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return how the learning of global connections went, as a numbered table for each study."""

    def of(study: Study) -> list[list[str]]:
        out = []
        for row in GLOBAL:
            scalars = study[f"normaliser/{row}"].scalars
            error = scalars.get("inversion_error")
            judged = [
                ("likelihood_before", ",.1f"),
                ("likelihood_after", ",.1f"),
                ("middle_before", ".3f"),
                ("middle_after", ".3f"),
            ]
            found = [(scalars.get(name), digits) for name, digits in judged]
            out.append(
                [
                    WORDS[row],
                    "yes" if scalars["converged"] else "no",
                    *(NOTHING if v is None else format(v, digits) for v, digits in found),
                    NOTHING if error is None else scientific(float(error)),
                ]
            )
        return out

    columns = (
        "",
        "converged",
        "likelihood before",
        "after",
        "loss half-way before",
        "after",
        "error there and back",
    )
    caption = (
        "Global connections, judged by a network that is not learned on: mean log-likelihood of "
        "its units, nats; training loss half-way to it, nats; and how far a unit is from itself "
        "after the map and its inverse, standard deviations at most"
    )
    return table_of_each(shown, columns, of, caption, name)


def _named(found: Mapping[str, Summary]) -> dict[str, Summary]:
    """Return the test accuracies by what pages call their rows, in the order of the table."""
    rows = [name.removesuffix(" test") for name in found if name.endswith(" test")]
    return {WORDS_OF_ALL[row]: found[f"{row} test"] for row in rows}
