"""What the page on learning rates and batch sizes says of its studies, and hands to its figure.

study, recorded                      ->  texts                  ->  the prose
study, recorded                      ->  table_of_cells, orders ->  tables
studies by the title of their panel  ->  dots, published_dots   ->  figures.rates
"""

from collections.abc import Mapping

from modeconn_lib.experiments.against_paper import deviations, same_order
from modeconn_lib.experiments.neuron_alignment.rate_cells import (
    KINDS,
    Cell,
    comparable,
    grid,
    missing_words,
    paper,
)
from modeconn_lib.experiments.pages import Markdown, table
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

Cells = dict[str, Summary]  # by the title of the cell
PAIRS = 3  # the paper's, in every cell


def texts(study: Study, recorded: Study | None) -> dict[str, str]:
    """Return which of the paper's cells are missing."""
    return {
        f"{who} missing": missing_words(found) if found else NOTHING
        for who, found in (("build", study), ("recorded", recorded))
    }


COLUMNS = (
    "rate × batch size",
    "curve",
    "paper",
    "recorded",
    "in published deviations",
    "this build",
)


def table_of_cells(study: Study, recorded: Study | None) -> list[list[str]]:
    """Return Table 3 as rows of `COLUMNS`: every cell of the paper's and those of the studies."""
    said, now, then = paper(), grid(study), grid(recorded) if recorded else {}
    rows = []
    for cell in sorted({*said["aligned"], *now["aligned"], *then.get("aligned", {})}):
        for kind in KINDS:
            mean, std = said[kind].get(cell, (None, None))
            found = then.get(kind, {}).get(cell)
            off = NOTHING
            if recorded and found and mean is not None and comparable(recorded):
                off = deviations(found.mean, mean, std or 0.0)
            rows.append(
                [
                    cell.title,
                    kind,
                    f"{mean} ± {std}" if mean is not None else NOTHING,
                    found.text() if found else NOTHING,
                    off,
                    now[kind][cell].text() if cell in now[kind] else NOTHING,
                ]
            )
    return rows


def orders(study: Study, recorded: Study | None, name: str) -> Markdown:
    """Return how many pairs of cells are in the paper's order, as a numbered table."""
    found = [order_words(one) for one in (recorded, study)]
    words = {"all": "all cells of both kinds"} | {kind: f"{kind} cells" for kind in KINDS}
    rows = [[said, *(of[what] for of in found)] for what, said in words.items()]
    caption = "Pairs of cells in the order of the paper's Table 3, of those that it orders"
    return table(["", "recorded", "this build"], rows, caption, name)


def dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return the cells of every study by the title of its panel and the kind of curve."""
    return {
        title: {
            kind: {cell.title: found for cell, found in cells.items()}
            for kind, cells in grid(study).items()
        }
        for title, study in shown.items()
    }


def published_dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return Table 3 for the studies that it is about."""
    said = {
        kind: {cell.title: Summary(mean, std, PAIRS) for cell, (mean, std) in cells.items()}
        for kind, cells in paper().items()
    }
    return {title: said for title, study in shown.items() if comparable(study)}


def in_order(study: Study) -> dict[str, tuple[int, int]]:
    """Return how many pairs of cells are in the paper's order, of how many that it does order.

    Of all cells together, of the unaligned ones and of the aligned ones alone.
    """
    said = {(kind, c): mean for kind, of in paper().items() for c, (mean, _) in of.items()}
    here = {(kind, c): s.mean for kind, of in grid(study).items() for c, s in of.items()}
    out = {"all": _same_order(said, here)}
    for kind in KINDS:
        mine = {key: value for key, value in said.items() if key[0] == kind}
        out[kind] = _same_order(mine, here)
    return out


def _same_order(
    said: Mapping[tuple[str, Cell], float], here: Mapping[tuple[str, Cell], float]
) -> tuple[int, int]:
    named = [{f"{kind} {c.name}": value for (kind, c), value in of.items()} for of in (said, here)]
    return same_order(*named)


def order_words(study: Study | None) -> dict[str, str]:
    """Return `in_order` of a study in words; dashes where Table 3 is not about it."""
    if study is None or not comparable(study):
        return dict.fromkeys(("all", *KINDS), NOTHING)
    return {what: f"{same} of {of}" for what, (same, of) in in_order(study).items()}
