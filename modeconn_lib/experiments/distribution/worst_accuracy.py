"""The worst accuracies along paths, as the paper's tables have them, beside what was recorded.

Study, Rows  ->  worst, summaries, table, better, near_the_paper, scorecard  ->  the chapters
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from modeconn_lib.experiments.against_paper import deviations
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

SPLITS = ("train", "test")
COLUMNS = ("worst accuracy, %", "paper", "found", "difference", "in published deviations")
ENDPOINTS = "endpoints"  # the last row of both tables
NEAR = 0.5  # points of accuracy


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one of the paper's tables.

    Attributes
    ----------
    words
        What pages call each row, by its name in the published table, in its order.
    source
        Name of the published table.
    network
        The architecture that all of it is about; empty where it has a column for that.
    """

    words: Mapping[str, str]
    source: str
    network: str = ""

    def paper(self, config: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation of every published row, by the names of `summaries`.

        Empty for data sets and networks that the paper does not have.
        """
        wanted = config["dataset"], config["architecture"]
        return {
            f"{line['method']} {line['split']}": (
                float(line["worst_accuracy_percent"]),
                float(line["std"]),
            )
            for line in published(self.source)
            if (line["dataset"], self.network or line["model"]) == wanted
        }

    def table(self, study: Study) -> list[list[str]]:
        """Return the table as rows of `COLUMNS`: of each row training and test accuracies."""
        said, found = self.paper(study.config), summaries(study, self.words)
        out = []
        for row in self.words:
            for split in SPLITS:
                name, cells = f"{row} {split}", [NOTHING] * 4
                mine = found.get(name)
                if name in said:
                    cells[0] = f"{said[name][0]:.2f} ± {said[name][1]:.2f}"
                if mine:
                    cells[1] = _of_pairs(mine, study)
                elif f"connection/0/{row}" in study.records:
                    cells[1] = "did not converge"
                if mine and name in said:
                    off = mine.mean - said[name][0]
                    cells[2:] = [f"{off:+z.2f}", deviations(mine.mean, *said[name])]
                out.append([f"{self.words[row]}, {split}", *cells])
        return out

    def better(
        self, study: Study, row: str, other: str, *, insisted: bool = False, about: str = ""
    ) -> Claim:
        """Return whether a row is better than another on test images, and in how many pairs.

        On average over all pairs; where a map did not converge for one of them, it is not.

        Parameters
        ----------
        about
            What the sentence begins with, before the row.
        """
        found = [_by_pair(study, name) for name in (row, other)]
        text = f"{about}{self.words[row]} is better than {self.words[other]}"
        if None in found[0] + found[1]:
            return Claim(text, False, "no convergence", insisted)
        mine, theirs = ([value for value in values if value is not None] for values in found)
        pairs = sum(a > b for a, b in zip(mine, theirs, strict=True))
        means = f"{fmean(mine):.2f} % against {fmean(theirs):.2f} %"
        holds = fmean(mine) > fmean(theirs)
        return Claim(text, holds, f"{means}; in {pairs} of {len(mine)} pairs", insisted)

    def near_the_paper(self, study: Study) -> list[Claim]:
        """Return whether every row is near the published one, where the paper has the study's.

        A row that has no number for a pair, as a map's that did not converge, is not near.
        """
        said, found = self.paper(study.config), summaries(study, self.words)
        pairs = study.config["pairs"]
        off = {
            row: abs(found[name].mean - said[name][0])
            for row, name in ((row, f"{row} test") for row in self.words)
            if name in said and name in found and found[name].n == pairs
        }
        if not off:
            return []
        far = [f"{self.words[row]} by {value:.2f}" for row, value in off.items() if value > NEAR]
        far += [
            f"not for every pair {self.words[row]}"
            for row in self.words
            if f"{row} test" in said and row not in off
        ]
        widest = max(off, key=lambda row: off[row])
        return [
            Claim(
                f"every row is within {NEAR} points of the paper's, on test images",
                not far,
                ", ".join(far) or f"at most {off[widest]:.2f} off ({self.words[widest]})",
                insisted=False,
            )
        ]

    def scorecard(
        self,
        what: str,
        built: Mapping[str, Study],
        recorded: Mapping[str, Study],
        claims: Callable[[Study], Sequence[Claim]],
    ) -> list[dict[str, str]]:
        """Return a chapter's rows of the book's scorecard: one for each recorded subject."""
        out = []
        for subject, study in (recorded or built).items():
            said = {row: self.paper(study.config).get(f"{row} test") for row in self.words}
            cells = [f"{self.words[row]} {cell[0]}" for row, cell in said.items() if cell]
            out.append(
                {
                    "claim": f"{what}, {subject}: worst test accuracy along the path, %",
                    "paper": "; ".join(cells) or NOTHING,
                    "recorded": self._by_row(study) if recorded else "not run",
                    "build": self._by_row(built[subject]) if subject in built else NOTHING,
                    "verdict": verdict(claims(study)),
                }
            )
        return out

    def _by_row(self, study: Study) -> str:
        """Return the test accuracies of all rows, in words."""
        found = {row: summaries(study, self.words).get(f"{row} test") for row in self.words}
        cells = [f"{self.words[row]} {s.text(2)}" for row, s in found.items() if s]
        return f"{'; '.join(cells)} (n = {study.config['pairs']})"


def _of_pairs(found: Summary, study: Study) -> str:
    """Return a summary in words, and for how many pairs it is if not for all."""
    pairs = study.config["pairs"]
    return found.text(2) + (f" ({found.n} of {pairs} pairs)" if found.n < pairs else "")


def worst(study: Study, row: str, split: str) -> list[float]:
    """Return the worst accuracies along the paths of a row, percent, one for each pair.

    Empty where a global connection did not converge. Of `ENDPOINTS` it is their mean.
    """
    if row == ENDPOINTS:
        return [100 * r.number(f"ends_{split}") for r in study.over_pairs("connection", "linear")]
    return [value for value in _by_pair(study, row, split) if value is not None]


def _by_pair(study: Study, row: str, split: str = "test") -> list[float | None]:
    """Return the worst accuracies of a row, percent; None for a pair without convergence."""
    return [
        100 * r.number(f"worst_{split}") if r.scalars.get("converged", True) else None
        for r in study.over_pairs("connection", row)
    ]


def summaries(study: Study, rows: Mapping[str, str]) -> dict[str, Summary]:
    """Return the worst accuracies over pairs, percent: ``<row> train`` and ``<row> test``."""
    found = {f"{row} {split}": worst(study, row, split) for row in rows for split in SPLITS}
    return {name: summarise(values) for name, values in found.items() if values}
