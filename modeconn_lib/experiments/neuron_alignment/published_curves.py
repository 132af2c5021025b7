"""Tables 1 and 2 of Tatro et al. 2020, and every cell of them beside what was recorded.

config of a study  ->  texts        ->  "88.5 ± 0.1", by the name of the number
studies            ->  cells        ->  paper, recorded, difference in published deviations
studies            ->  ranking      ->  whether the kinds of curves come in the same order
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.against_paper import best_to_worst, deviations, same_order
from modeconn_lib.experiments.pages import readable
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

# Of the paper's data set with 200 classes, 40 are what this book has: its cells stand beside the
# record, so that methods can be ranked, and nothing is subtracted.
PART_OF = {"tiny_imagenet_40": "tiny_imagenet"}
STATISTICS = ("curve average", "curve minimum", "curve train loss")

Cell = tuple[float, float]  # mean and standard deviation, as printed


def values(config: Mapping[str, Any]) -> dict[str, Cell]:
    """Return what the paper prints for a data set and a network, by the name of the number.

    Names: ``endpoint accuracy``, ``<kind> curve average``, ``<kind> curve minimum`` (percent),
    ``<kind> curve train loss`` (nats). Empty where the paper has no such cell.
    """
    images = PART_OF.get(config["dataset"], config["dataset"])
    here = {"dataset": images, "model": config["architecture"]}
    out: dict[str, Cell] = {}
    for row in _matching("neuron_alignment_table1", here):
        kind, cell = row["curve"], (float(row["accuracy_percent"]), float(row["std"]))
        out["endpoint accuracy" if kind == "endpoint" else f"{kind} curve {row['statistic']}"] = (
            cell
        )
    for row in _matching("neuron_alignment_table2", here):
        out[f"{row['curve']} curve train loss"] = (float(row["train_loss"]), float(row["std"]))
    return out


def texts(config: Mapping[str, Any]) -> dict[str, str]:
    """Return `values` as the paper prints them; where its data set is larger, with its classes."""
    whole = PART_OF.get(config["dataset"])
    note = f" ({dataset(whole).classes} classes)" if whole else ""
    return {
        name: (f"{mean:.3f} ± {std:.3f}" if "loss" in name else f"{mean:.1f} ± {std:.1f}") + note
        for name, (mean, std) in values(config).items()
    }


COLUMNS = ("subject", "", "paper", "recorded", "difference", "in published deviations")


def cells(
    studies: Mapping[str, Study], found: Mapping[str, Mapping[str, Summary]]
) -> list[list[str]]:
    """Return every published cell of the studies as a table's rows, in the paper's order.

    Parameters
    ----------
    found
        The summaries of each study, by its subject.
    """
    rows = []
    for subject, study in studies.items():
        said = texts(study.config)
        for name, (mean, std) in values(study.config).items():
            mine = found[subject].get(name)
            row = [subject, readable(name), said[name], NOTHING, NOTHING, NOTHING]
            if mine is not None:
                digits = 3 if "loss" in name else 1
                row[3] = mine.text(digits)
                if study.config["dataset"] not in PART_OF:
                    off = f"{mine.mean - mean:+.{digits}f}"
                    row[4:] = [off, deviations(mine.mean, mean, std)]
            rows.append(row)
    return rows


def unrecorded(studies: Mapping[str, Study]) -> list[str]:
    """Return what the paper has a network on a data set for and the studies have not.

    A part of a data set's classes does not stand for all of them.
    """
    here = {(s.config["dataset"], s.config["architecture"]) for s in studies.values()}
    rows = published("neuron_alignment_table1")
    subjects = dict.fromkeys((row["dataset"], row["model"]) for row in rows)
    return [
        f"{architecture(network).title} on {dataset(images).title}"
        for images, network in subjects
        if (images, network) not in here
    ]


def ranking(
    studies: Mapping[str, Study],
    found: Mapping[str, Mapping[str, Summary]],
    kinds: Sequence[str],
    words: Mapping[str, str],
) -> list[list[str]]:
    """Return for each subject and statistic the kinds from best to worst, the paper's and ours."""
    rows = []
    for subject, study in studies.items():
        said = values(study.config)
        for what in STATISTICS:
            digits = 3 if "loss" in what else 1
            names = {kind: f"{kind} {what}" for kind in kinds}
            paper = {words[k]: said[n][0] for k, n in names.items() if n in said}
            mine = {
                words[k]: round(found[subject][n].mean, digits)
                for k, n in names.items()
                if n in found[subject]
            }
            if paper:
                agree, of = same_order(paper, mine)
                orders = [best_to_worst(one, rising="loss" not in what) for one in (paper, mine)]
                rows.append([subject, what, *orders, f"{agree} of {of}"])
    return rows


def _matching(name: str, wanted: Mapping[str, str]) -> list[dict[str, str]]:
    return [row for row in published(name) if wanted.items() <= row.items()]
