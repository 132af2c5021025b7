"""How much matching gains in every failure mode, and how a steep line begins.

studies  ->  half_way, first_steps  ->  Picture

Reads the records ``along/<pair>/<method>/line`` and ``matching/<pair>/steepest`` of the studies.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from modeconn_lib.figures.along_path import paths
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import bundle, look, method, panel
from modeconn_lib.results.study import Study

METHODS = ("naive", "weights")
DESCENTS = ("naive", "weights", "steepest")


def half_way(studies: Mapping[str, Study]) -> Picture:
    """Return the accuracy lost half-way on the naive line and on the matched one, by study.

    A dot is a pair; what is lost is measured from the mean of both ends, so it can be negative.
    """
    axes = panel()
    figure = axes.get_figure(root=True)
    assert figure is not None  # `panel` made one
    figure.set_size_inches(5.6, 0.9 + 0.5 * len(studies))
    with look():
        axes.axvline(0, lw=1.2, color=axes.spines["left"].get_edgecolor())
        for i, name in enumerate(METHODS):
            drawn: dict[str, Any] = {
                "color": method(name).colour,
                "linestyle": "-",
                "marker": "o",
                "lw": 0,
            }
            for row, study in enumerate(studies.values()):
                lost = [
                    _lost(record.series["test_accuracy"]) for record in paths(study, name, "line")
                ]
                words = method(name).words if row == 0 else None
                axes.plot(lost, [row + 0.12 * (2 * i - 1)] * len(lost), label=words, ms=6, **drawn)
        axes.set_yticks(range(len(studies)), [title.replace(" · ", "\n") for title in studies])
        axes.set_ylim(len(studies) - 0.5, -0.5)
        axes.set_xlabel("test accuracy lost half-way, percentage points")
    alt = f"accuracy lost half-way, naive and matched by weights: {'; '.join(studies)}"
    return Picture((axes,), alt)


def _lost(accuracies: Sequence[float]) -> float:
    ends = fmean((accuracies[0], accuracies[-1]))
    return 100 * (ends - accuracies[len(accuracies) // 2])


def first_steps(studies: Mapping[str, Study]) -> Picture:
    """Return how the training loss changes close to A, one panel for each study with descents.

    A change is relative to the loss of A, which may be tiny. The axis of lambda is logarithmic; A
    itself is at its left, out of sight.
    """
    panels = []
    for title, study in studies.items():
        records = study.over_pairs("matching", "steepest")
        if not records:
            continue
        axes = panel(title)
        with look():
            t = records[0].series["near"][1:]
            for name in DESCENTS:
                losses = [record.series[f"{name}_loss"] for record in records]
                steps = [[value / all_[0] - 1 for value in all_[1:]] for all_ in losses]
                bundle(
                    axes, t, steps, f"{method(name).words}, first steps", color=method(name).colour
                )
            axes.set_xscale("log")
            axes.set_yscale("symlog", linthresh=0.1)
            axes.axhline(0, lw=1.2, color=axes.spines["left"].get_edgecolor())
            axes.set_xlabel("λ")
            axes.set_ylabel("change of training loss, × that of A")
        panels.append(axes)
    alt = (
        f"training loss on the first steps from A, by the order of B's units: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)
