"""What the page on learning rates and batch sizes says of its studies, and hands to its figure.

study, recorded                      ->  texts                  ->  the prose
studies by the title of their panel  ->  dots, published_dots   ->  figures.rates
"""

from collections.abc import Mapping

from modeconn_lib.experiments.neuron_alignment import hyperparameters
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

Cells = dict[str, Summary]  # by the name of the cell
PAIRS = 3  # the paper's, in every cell


def texts(study: Study, recorded: Study | None) -> dict[str, str]:
    """Return which of the paper's cells are missing, and how many pairs of cells rank alike."""
    out = {}
    for who, found in (("build", study), ("recorded", recorded)):
        out[f"{who} missing"] = hyperparameters.missing_words(found) if found else NOTHING
        out[f"{who} order"] = hyperparameters.order_words(found)
    return out


def dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return the cells of every study by the title of its panel and the kind of curve."""
    return {
        title: {
            kind: {cell.name: found for cell, found in cells.items()}
            for kind, cells in hyperparameters.grid(study).items()
        }
        for title, study in shown.items()
    }


def published_dots(shown: Mapping[str, Study]) -> dict[str, dict[str, Cells]]:
    """Return Table 3 for the studies that it is about."""
    said = {
        kind: {cell.name: Summary(mean, std, PAIRS) for cell, (mean, std) in cells.items()}
        for kind, cells in hyperparameters.paper().items()
    }
    return {title: said for title, study in shown.items() if hyperparameters.comparable(study)}
