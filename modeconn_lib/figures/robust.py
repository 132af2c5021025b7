"""Accuracy and loss along robust curves, on images as they are and on attacked ones.

studies  ->  robust  ->  Picture

Reads the records ``along/<pair>/<method>/curve`` of a study of chapter 16, whose series have the
kind of batch-norm statistics in front of their names.
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.figures.along_path import methods, paths
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import along_t, bundle, look, method, panel
from modeconn_lib.results.study import Study

# Series of a measured curve: what the axis says, and the factor that makes it so.
QUANTITIES = {
    "accuracy": ("test accuracy, %", 100.0),
    "robust_accuracy": ("accuracy under attack, %", 100.0),
    "loss": ("test loss, nats", 1.0),
    "robust_loss": ("test loss under attack, nats", 1.0),
}
DASHES = {"clean": "-", "attacked": "--"}


def robust(
    studies: Mapping[str, Study], *quantities: str, statistics: Sequence[str] = ("clean",)
) -> Picture:
    """Return one panel for each quantity and study, the studies of a quantity side by side.

    Parameters
    ----------
    studies
        By the title of their panels.
    quantities
        Names of `QUANTITIES`.
    statistics
        From which images the batch-norm statistics are: ``clean``, ``attacked`` or both.
    """
    panels = []
    for quantity in quantities:
        words, factor = QUANTITIES[quantity]
        for title, study in studies.items():
            axes = panel(title)
            with look():
                along_t(axes)
                axes.set_ylabel(words)
                for kind in statistics:
                    for name in methods(study):
                        records = paths(study, name, "curve")
                        series = [r.series[f"{kind} {quantity}"] for r in records]
                        found = [[factor * value for value in values] for values in series]
                        label = f"{method(name).words}, {kind} statistics"
                        drawn = {"color": method(name).colour, "linestyle": DASHES[kind]}
                        bundle(axes, records[0].series["t"], found, label, **drawn)
            panels.append(axes)
    what = " and ".join(QUANTITIES[quantity][0] for quantity in quantities)
    kinds = " and with ".join(f"{kind} batch-norm statistics" for kind in statistics)
    alt = f"{what} along robust curves from A to B, unaligned and aligned, with {kinds}"
    return Picture(tuple(panels), f"{alt}: {'; '.join(studies)}")
