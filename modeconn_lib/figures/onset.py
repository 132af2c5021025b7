"""Barriers while networks train, and the lines between them early and late.

studies  ->  onset, early_and_late  ->  Picture

Reads the records ``onset/<pair>`` of a study of chapter 22: barriers by epoch and, for each epoch,
the loss along the line, all with the method's name in front.
"""

from collections.abc import Mapping

from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import DASHES, SHAPES, along_t, bundle, look, method, panel
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

METHODS = ("naive", "weights")


def onset(studies: Mapping[str, Study]) -> Picture:
    """Return the test barrier after each epoch kept: one panel for each study (Fig. 3)."""
    panels = []
    for title, study in studies.items():
        axes, found = panel(title), _pairs(study)
        with look():
            for name in METHODS:
                barriers = [r.series[f"{name}_test_barrier"] for r in found]
                drawn = {"color": method(name).colour, "marker": "o", "ms": 4}
                bundle(axes, found[0].series["epochs"], barriers, method(name).words, **drawn)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
            axes.set_ylim(bottom=0)
            axes.set_xlabel("epochs of training")
            axes.set_ylabel("test barrier, nats")
        panels.append(axes)
    alt = f"test barrier by epoch of training, naive and matched by weights: {'; '.join(studies)}"
    return Picture(tuple(panels), alt)


def early_and_late(studies: Mapping[str, Study]) -> Picture:
    """Return the test loss along the line for each study's first two and last epochs kept.

    These are the inlays of Fig. 3. As there, every panel has its own vertical axis.
    """
    panels = []
    for title, study in studies.items():
        found = _pairs(study)
        kept = found[0].series["epochs"]
        for i in dict.fromkeys((0, 1, len(kept) - 1)):
            axes = panel(f"{title}\n{_when(kept[i])}")
            with look():
                along_t(axes, "λ")
                axes.set_xlabel("λ")
                axes.set_ylabel("test loss, nats")
                for name in METHODS:
                    losses = [r.series[f"{name}_test_loss"][i] for r in found]
                    t = [k / (len(losses[0]) - 1) for k in range(len(losses[0]))]
                    drawn = {"color": method(name).colour, "linestyle": DASHES["line"]}
                    bundle(axes, t, losses, f"{SHAPES['line']}, {method(name).words}", **drawn)
            panels.append(axes)
    alt = (
        "test loss along the line from A to B before training, after the first epoch and after "
        f"the last, naive and matched by weights: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


def _when(epoch: int) -> str:
    return f"after epoch {epoch}" if epoch else "before training"


def _pairs(study: Study) -> list[Record]:
    """Return the records of all pairs.

    Raises
    ------
    KeyError
        If the study has none.
    """
    found = list(study.select("onset/").values())
    if not found:
        raise KeyError(f"study {study.name!r} followed no pair while it trained")
    return found
