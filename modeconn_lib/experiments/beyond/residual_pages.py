"""What the page on residual connections shows of its studies.

studies by the title of their panel  ->  rows, errors  ->  figures
                                     ->  table, lost   ->  tables
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.experiments.beyond.residual_connections import (
    ALIGNED,
    PAIRED,
    WORDS,
    summaries,
)
from modeconn_lib.experiments.pages import Markdown
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

COLUMNS = ("", "training images", "test images")
MOST = 8  # rows of the table of losses
Lines = dict[str, tuple[Sequence[float], list[list[float]]]]


def rows(shown: Mapping[str, Study]) -> dict[str, dict[str, Summary]]:
    """Return the worst test accuracies of every study: title of its panel, row, summary."""
    out = {}
    for title, study in shown.items():
        found = summaries(study)
        out[title] = {
            words: found[f"{row} test"] for row, words in WORDS.items() if row != "endpoints"
        }
        out[title] |= {ALIGNED: found[ALIGNED], WORDS["endpoints"]: found["endpoints test"]}
    return out


def table(study: Study) -> list[list[str]]:
    """Return the worst accuracies of all paths, as rows of `COLUMNS`."""
    found = summaries(study)
    out = [
        [words, *(found[f"{row} {split}"].text(2) for split in ("train", "test"))]
        for row, words in WORDS.items()
    ]
    out.insert(-1, [ALIGNED, NOTHING, found[ALIGNED].text(2)])
    return out


def errors(shown: Mapping[str, Study]) -> dict[str, Lines]:
    """Return the test errors along the adjusted paths, percent, sub-path by sub-path."""
    out: dict[str, Lines] = {}
    for title, study in shown.items():
        out[title] = {}
        for row in PAIRED.values():
            found = study.over_pairs("connection", row)
            wrong = [[100 * (1 - v) for v in r.series["test_accuracy"]] for r in found]
            out[title][WORDS[row]] = found[0].series["t"], wrong
    return out


def lost(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return the largest losses of adjusted layers, as numbered tables."""

    def of(study: Study) -> list[list[str]]:
        series = study["connection/0/arc_wa"].series
        found = zip(series["changed"], series["adjusted"], series["residuals"], strict=True)
        largest = sorted(found, key=lambda line: -line[2])[:MOST]
        return [[changed, reader, f"{100 * loss:.1f}"] for changed, reader, loss in largest]

    caption = (
        "Shares of a layer's outputs that are lost where it is adjusted, on the path by arcs of "
        f"the first pair: the {MOST} largest"
    )
    return table_of_each(shown, ("became B's", "adjusted", "lost, %"), of, caption, name)
