"""Planes through networks: loss or accuracy as filled contours, and what lies in them.

studies  ->  planes  ->  Picture

Reads the records ``plane/<pair>/<through>`` of a study. Lengths are true, a panel is as the plane
is in weight space, right angles and all; only a very flat one is stretched, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from modeconn_lib.figures.along_path import QUANTITIES
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import DASHES, SHAPES, look, method, panel
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

LEAST = 1e-3  # nats: losses below are drawn as this one, for a logarithm has to end somewhere
FLATTEST = 0.25  # height over width of a panel
BANDS = 16  # colours of a panel, or a few less where accuracies are rounded
WORDS = {
    "networks": "plane of A, B and πB",
    "unaligned": "plane of the unaligned curve",
    "aligned": "plane of the aligned curve",
}
_TICKS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)  # of every power of ten


def planes(
    studies: Mapping[str, Study],
    *quantities: str,
    through: Sequence[str] = ("networks",),
    pair: int = 0,
) -> Picture:
    """Return one panel for each quantity, study and plane; a study's planes share their colours.

    Bright is good. Colours of a loss are spaced by its logarithm and end at the loss of a network
    that holds all classes for equally probable; higher losses have the colour of that.

    Parameters
    ----------
    studies
        By the title of their panels.
    quantities
        Names of `along_path.QUANTITIES` that were measured.
    through
        Which planes to show: names of `WORDS`.
    pair
        Whose planes.

    Raises
    ------
    KeyError
        If a study has no such plane.
    """
    panels = []
    for quantity in quantities:
        for title, study in studies.items():
            records = [study[f"plane/{pair}/{name}"] for name in through]
            colours = _colours(records, quantity)
            for record in records:
                axes = panel(f"{title}\n{WORDS[record.config['through']]}")
                _draw(axes, record, quantity, colours)
                panels.append(axes)
    what = " and ".join(QUANTITIES[quantity][0] for quantity in quantities)
    where = " and the ".join(WORDS[name] for name in through)
    alt = (
        f"{what} on the {where}, bright where it is good, with the networks and the paths between "
        f"them: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


@dataclass(frozen=True, slots=True)
class _Colours:
    """Which values have which colour, and which the bar names."""

    levels: Sequence[float]
    map: str
    scale: type[Normalize]
    ticks: Sequence[float]
    clipped: bool


def _colours(records: Sequence[Record], quantity: str) -> _Colours:
    """Return the colours of some planes, the same for all of them."""
    factor = QUANTITIES[quantity][1]
    found = factor * np.array([record.series[quantity] for record in records])
    low, high = float(found.min()), float(found.max())
    if not quantity.endswith("loss"):
        levels, ticks = (_round_values(low, high, most) for most in (BANDS, 5))
        return _Colours(levels, "cividis", Normalize, ticks, False)
    knowing_nothing, bottom = log(records[0].number("classes")), max(low, LEAST)
    top = knowing_nothing if bottom < knowing_nothing < high else max(high, 1.01 * bottom)
    levels = list(np.geomspace(bottom, top, BANDS + 1))
    powers = 10.0 ** np.arange(np.floor(np.log10(bottom)), np.ceil(np.log10(top)) + 1)
    ticks = [tick for power in powers for tick in power * np.array(_TICKS) if bottom <= tick <= top]
    return _Colours(levels, "cividis_r", LogNorm, ticks, top < high)


def _round_values(low: float, high: float, most: int) -> list[float]:
    """Return round values, `most` steps or fewer, the first and the last beyond the given ones."""
    return list(MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high))


def _draw(axes: Axes, record: Record, quantity: str, colours: _Colours) -> None:
    """Draw a plane into a panel: the quantity, the paths, the networks, and the bar of colours."""
    words, factor = QUANTITIES[quantity]
    width, height = record.number("width"), record.number("height")
    x, y = (np.array(record.series[axis]) * of for axis, of in (("x", width), ("y", height)))
    figure = axes.get_figure(root=True)
    assert figure is not None  # `panel` made one
    shape = (y[-1] - y[0]) / (x[-1] - x[0])
    stretch = max(1, ceil(FLATTEST / shape))  # a curve that hardly bends spans a flat plane
    figure.set_figheight(min(3.4, 1.3 + 2.4 * shape * stretch))  # titles, words, and the plane
    with look():
        filled = axes.contourf(
            x,
            y,
            np.maximum(factor * np.array(record.series[quantity]), colours.levels[0]),
            levels=colours.levels,
            cmap=colours.map,
            # Not one for all panels: a change of it would reset the bars drawn before.
            norm=colours.scale(colours.levels[0], colours.levels[-1]),
            extend="max" if colours.clipped else "neither",
        )
        filled.set_edgecolor("face")  # without, the page shines through between two colours
        # Beside the panel as it is drawn, whose height is the plane's and not the figure's.
        bar = figure.colorbar(filled, cax=axes.inset_axes((1.04, 0.0, 0.05, 1.0)))
        bar.ax.yaxis.set_major_locator(FixedLocator(list(colours.ticks)))
        bar.ax.yaxis.set_major_formatter(FixedFormatter([f"{tick:.3g}" for tick in colours.ticks]))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.set_label(words)
        for kind in ("unaligned", "aligned"):
            for path in SHAPES:
                _path(axes, record, kind, path)
        _networks(axes, record)
        axes.set_aspect(stretch)
        axes.grid(visible=False)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(y[0], y[-1])
        axes.set_xlabel(f"length from A towards {record.series['networks'][1]}")
        axes.set_ylabel(
            "at right angles" + (f",\ndrawn {stretch} × as long" if stretch > 1 else "")
        )


def _path(axes: Axes, record: Record, kind: str, shape: str) -> None:
    """Draw a path that lies in the plane, cased in white to stand out from any colour."""
    name = f"{kind} {shape}"
    if f"{name} x" not in record.series:
        return
    x, y = (
        np.array(record.series[f"{name} {axis}"]) * record.number(of)
        for axis, of in (("x", "width"), ("y", "height"))
    )
    drawn: dict[str, Any] = {"color": method(kind).colour, "linestyle": DASHES[shape]}
    casing = [Stroke(linewidth=4.6, foreground="white"), Normal()]
    label = f"{SHAPES[shape]}, {method(kind).words}"
    axes.plot(x, y, **drawn, lw=2.4, label=label, path_effects=casing)


def _networks(axes: Axes, record: Record) -> None:
    """Mark and name the three networks."""
    for name, x, y in zip(
        *(record.series[key] for key in ("networks", "networks x", "networks y")), strict=True
    ):
        where = (x * record.number("width"), y * record.number("height"))
        axes.plot(*where, "o", ms=6, mfc="white", mec="black", mew=1.4)
        low, high = record.series["y"][0], record.series["y"][-1]
        above = y < low + 0.8 * (high - low)
        axes.annotate(
            name,
            where,
            xytext=(8 if x < 0.7 else -8, 7 if above else -7),
            textcoords="offset points",
            ha="left" if x < 0.7 else "right",
            va="bottom" if above else "top",
            color="black",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
        )
