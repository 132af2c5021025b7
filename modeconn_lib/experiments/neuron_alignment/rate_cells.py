"""The cells of Table 3: what was recorded of them and what the paper says.

Study  ->  grid  ->  Cell  ->  accuracy        Table 3  ->  paper
"""

from dataclasses import dataclass

from modeconn_lib.results.record import Record
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

KINDS = ("unaligned", "aligned")
RATES, BATCH_SIZES = (0.01, 0.1, 0.5), (64, 128, 256)


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One way to learn a curve.

    Attributes
    ----------
    rate
        Learning rate: where the schedule begins, or its peak.
    batch_size
        Images a step.
    """

    rate: float
    batch_size: int

    @property
    def name(self) -> str:
        """What records call it."""
        return f"{self.rate:g} x {self.batch_size}"

    @property
    def title(self) -> str:
        """What pages call it."""
        return f"{self.rate:g} × {self.batch_size}"


def grid(study: Study, scalar: str = "average_accuracy_arc") -> dict[str, dict[Cell, Summary]]:
    """Return an accuracy of every cell over pairs, in percent, by kind of curve.

    Parameters
    ----------
    scalar
        ``average_accuracy_arc``, which is Table 3's, or ``minimum_accuracy``.
    """
    found: dict[str, dict[Cell, list[Record]]] = {kind: {} for kind in KINDS}
    for name, record in study.select("along/").items():
        _, _, kind, cell = name.split("/")
        rate, batch_size = cell.split(" x ")
        found[kind].setdefault(Cell(float(rate), int(batch_size)), []).append(record)
    return {
        kind: {
            cell: summarise(100 * r.number(scalar) for r in records)
            for cell, records in sorted(by_cell.items())
        }
        for kind, by_cell in found.items()
    }


def paper() -> dict[str, dict[Cell, tuple[float, float]]]:
    """Return Table 3: mean and standard deviation of the average accuracy, percent."""
    out: dict[str, dict[Cell, tuple[float, float]]] = {kind: {} for kind in KINDS}
    for row in published("neuron_alignment_table3"):
        cell = Cell(float(row["learning_rate"]), int(row["batch_size"]))
        mean, std = row["average_accuracy_percent"], row["std"]
        out[row["curve"]][cell] = float(mean), float(std)
    return out


def comparable(study: Study) -> bool:
    """Return whether Table 3 is about the study's data set and network."""
    return (study.config["dataset"], study.config["architecture"]) == ("cifar100", "tinyten")


def missing(study: Study | None) -> list[str]:
    """Return the cells of the paper's grid that a study does not have."""
    here = grid(study)["aligned"] if study else {}
    return [cell.title for cell in paper()["aligned"] if cell not in here]


def missing_words(study: Study | None) -> str:
    """Return what of the paper's grid a study lacks, in words."""
    lacks = missing(study)
    return f"{len(lacks)} of {len(RATES) * len(BATCH_SIZES)} cells" + (
        f" ({', '.join(lacks)})" if lacks else ""
    )
