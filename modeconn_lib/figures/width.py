"""The barrier between two networks by their width: a dot for each pair, a line for their mean.

barriers by title  ->  by_width  ->  Picture

Barriers are what chapter 23 reads from its records: by method and width, a number for each pair.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import look, method, panel

Barriers = Mapping[str, Mapping[int, Sequence[float]]]


def by_width(barriers: Mapping[str, Barriers]) -> Picture:
    """Return one panel for each family of networks, by the title of its panel (Fig. 4)."""
    panels = []
    for title, methods in barriers.items():
        axes = panel(title)
        for name, found in methods.items():
            _draw(axes, found, name)
        _label(axes, sorted({w for found in methods.values() for w in found}))
        panels.append(axes)
    alt = f"test barrier by width, naive and matched by weights: {'; '.join(barriers)}"
    return Picture(tuple(panels), alt)


def _draw(axes: Axes, found: Mapping[int, Sequence[float]], name: str) -> None:
    colour = method(name).colour
    with look():
        for w, values in found.items():
            axes.plot([w] * len(values), values, "o", color=colour, ms=3.5, alpha=0.45)
        mean = [fmean(values) for values in found.values()]
        axes.plot(list(found), mean, "-o", color=colour, lw=2.4, ms=5, label=method(name).words)


def _label(axes: Axes, widths: Sequence[int]) -> None:
    """Name the axes; every doubling of the width takes as much room."""
    with look():
        axes.set_xscale("log", base=2)
        axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(widths, [str(w) for w in widths])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("width: units of the first hidden layer")
        axes.set_ylabel("test barrier, nats")
