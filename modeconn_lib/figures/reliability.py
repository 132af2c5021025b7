"""Reliability diagrams: how often what is said with a probability is so.

Record  ->  diagram  ->  (said, came true);    studies  ->  reliability  ->  Picture

Reads the series ``<network> <split> [classwise ]counts | confidence | right`` of the records
``calibration/<pair>`` or ``merger/<group>`` of a study (`experiments.merging_steps`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import INK, look, method, panel
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

Kind = Literal["", "classwise "]  # of the most probable class, or of every class

MEMBER = "network "  # of many alike, drawn thin
SHOWN = ("A", "B", "naive", "merged", "ensemble", "full data")
DASHES = {"A": "--", "B": "--", "naive": "--", "full data": ":"}
SPLITS = {"test": "test", "train": "training"}


def reliability(
    studies: Mapping[str, Study], kind: Kind = "", splits: Sequence[str] = ("test", "train")
) -> Picture:
    """Return one panel for each study and split: a perfectly calibrated network is the diagonal.

    Parameters
    ----------
    studies
        By the title of their panels.
    kind
        ``""`` for the probability of the most probable class, ``"classwise "`` for those of all.
    """
    panels = []
    for title, study in studies.items():
        for which in splits:
            axes = panel(title.replace(" · ", "\n"))  # a panel is narrower than most titles
            draw(axes, study, kind, which)
            panels.append(axes)
    what = "any class" if kind else "the most probable class"
    alt = (
        f"share of predictions that came true by the probability given to {what}, beside the "
        f"diagonal of perfect calibration: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


def draw(axes: Axes, study: Study, kind: Kind, split: str) -> None:
    """Draw the diagrams of all networks of a study into `axes`, its records pooled."""
    records = list((study.select("calibration/") or study.select("merger/")).values())
    suffix = f" {split} {kind}counts"
    names = [name.removesuffix(suffix) for name in records[0].series if name.endswith(suffix)]
    with look():
        axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=":")
        members = [name for name in names if name.startswith(MEMBER)]
        for i, name in enumerate(members):
            label = "the networks, one by one" if i == 0 else None
            thin: Any = {"color": method("B").colour, "lw": 0.9, "alpha": 0.6}
            axes.plot(*diagram(records[:1], f"{name} {split} {kind}"), label=label, **thin)
        for name in [name for name in SHOWN if name in names]:
            drawn: Any = {"color": method(name).colour, "ls": DASHES.get(name, "-"), "lw": 1.6}
            said, came = diagram(records, f"{name} {split} {kind}")
            axes.plot(said, came, label=method(name).words, marker="o", ms=3.2, **drawn)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("said with probability")
        axes.set_ylabel(f"share that came true, {SPLITS[split]}")


def diagram(records: Sequence[Record], name: str) -> tuple[list[float], list[float]]:
    """Return mean probability and share that came true of each bin; empty bins are left out.

    The predictions of all records are pooled. `name` is that of the series, like ``"A test "``.
    """
    said: list[float] = []
    came: list[float] = []
    for place in range(len(records[0].series[f"{name}counts"])):
        counts = [record.series[f"{name}counts"][place] for record in records]
        if total := sum(counts):
            for out, what in ((said, "confidence"), (came, "right")):
                values = [record.series[f"{name}{what}"][place] for record in records]
                out.append(sum(n * v for n, v in zip(counts, values, strict=True)) / total)
    return said, came
