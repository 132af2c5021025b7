"""Training loss while curves are learned: thin for every pair, thick for the mean over pairs.

studies  ->  while_learning  ->  Picture

Reads the series ``train_loss`` of the records ``curve/<pair>/<method>`` of a study.
"""

from collections.abc import Mapping

from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import bundle, look, method, panel
from modeconn_lib.results.study import Study

MARKED = 40  # epochs; more of them make one line of their markers


def while_learning(studies: Mapping[str, Study]) -> Picture:
    """Return one panel for each study, by the title of its panel."""
    panels = []
    for title, study in studies.items():
        axes = panel(title)
        with look():
            for name, losses in by_method(study).items():
                epochs = range(1, len(losses[0]) + 1)
                drawn = {
                    "color": method(name).colour,
                    "marker": "o" if len(epochs) <= MARKED else "",
                }
                bundle(axes, epochs, losses, f"curve, {method(name).words}", ms=3.5, **drawn)
                axes.set_xlim(0.5, len(epochs) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
            axes.set_xlabel("epoch")
            axes.set_ylabel("training loss, nats")
        panels.append(axes)
    alt = f"training loss of each epoch, unaligned and aligned: {'; '.join(studies)}"
    return Picture(tuple(panels), alt)


def by_method(study: Study) -> dict[str, list[list[float]]]:
    """Return the losses of every pair, by method."""
    found: dict[str, list[list[float]]] = {}
    for key, record in study.select("curve/").items():
        found.setdefault(key.rpartition("/")[2], []).append(list(record.series["train_loss"]))
    return found
