"""What the page on learning rates and batch sizes says of its studies, and hands to its figure.

study, recorded                      ->  texts                  ->  the prose
study, recorded                      ->  orders                 ->  Markdown
studies by the title of their panel  ->  dots, published_dots   ->  figures.rates
"""

from collections.abc import Mapping

from modeconn_lib.experiments.neuron_alignment import hyperparameters
from modeconn_lib.experiments.neuron_alignment.hyperparameters import KINDS
from modeconn_lib.experiments.pages import Markdown, table
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

Cells = dict[str, Summary]  # by the title of the cell
PAIRS = 3  # the paper's, in every cell


def texts(study: Study, recorded: Study | None) -> dict[str, str]:
    """Return which of the paper's cells are missing."""
    return {
        f"{who} missing": hyperparameters.missing_words(found) if found else NOTHING
        for who, found in (("build", study), ("recorded", recorded))
    }


def orders(study: Study, recorded: Study | None, name: str) -> Markdown:
    """Return how many pairs of cells are in the paper's order, as a numbered table."""
    found = [hyperparameters.order_words(one) for one in (recorded, study)]
    words = {"all": "all cells of both kinds"} | {kind: f"{kind} cells" for kind in KINDS}
    rows = [[said, *(of[what] for of in found)] for what, said in words.items()]
    caption = "Pairs of cells in the order of the paper's Table 3, of those that it orders"
    return table(["", "recorded", "this build"], rows, caption, name)


def dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return the cells of every study by the title of its panel and the kind of curve."""
    return {
        title: {
            kind: {cell.title: found for cell, found in cells.items()}
            for kind, cells in hyperparameters.grid(study).items()
        }
        for title, study in shown.items()
    }


def published_dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return Table 3 for the studies that it is about."""
    said = {
        kind: {cell.title: Summary(mean, std, PAIRS) for cell, (mean, std) in cells.items()}
        for kind, cells in hyperparameters.paper().items()
    }
    return {title: said for title, study in shown.items() if hyperparameters.comparable(study)}
