"""Average accuracy of learned curves by learning rate and batch size.

cells by kind of curve  ->  by_cell  ->  Picture

What is drawn is what chapter 17 has read from its records: by kind of curve and cell, a mean and
a standard deviation. Published cells are put beside them, hollow.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import look, method, panel
from modeconn_lib.results.summary import Summary

TIMES = " × "  # between rate and batch size in the title of a cell
Cells = Mapping[str, Summary]  # by the title of the cell
_ASIDE = {"unaligned": -0.14, "aligned": 0.14}  # so that error bars do not hide one another


def by_cell(
    found: Mapping[str, Mapping[str, Cells]], published: Mapping[str, Mapping[str, Cells]]
) -> Picture:
    """Return one panel for each study: every cell's average accuracy, unaligned and aligned.

    Parameters
    ----------
    found
        By the title of the panel and the kind of curve.
    published
        The same of the paper, for the titles whose data set and network it is about; of these all
        cells are drawn, whether or not the study has them.
    """
    panels = []
    for title, kinds in found.items():
        said = published.get(title, {})
        names = _names([*said.values(), *kinds.values()])
        axes = panel(title)
        for kind, cells in kinds.items():
            words = method(kind).words
            _dots(axes, names, cells, kind, words, hollow=False)
            if kind in said:
                _dots(axes, names, said[kind], kind, f"{words}, paper", hollow=True)
        _label(axes, names)
        panels.append(axes)
    alt = "average test accuracy of curves by learning rate and batch size, unaligned and aligned"
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")


def _names(cells: Sequence[Cells]) -> list[str]:
    """Return the names of all cells by rising rate, then batch size."""
    names = {name for of in cells for name in of}
    return sorted(names, key=lambda name: tuple(map(float, name.split(TIMES))))


def _dots(
    axes: Axes, names: Sequence[str], cells: Cells, kind: str, words: str, *, hollow: bool
) -> None:
    """Draw the cells of one kind, each with one standard deviation where there is one."""
    colour, aside = method(kind).colour, _ASIDE[kind] * (1.9 if hollow else 1.0)
    x = [i + aside for i, name in enumerate(names) if name in cells]
    here = [cells[name] for name in names if name in cells]
    with look():
        for place, dot in zip(x, here, strict=True):
            if dot.std is not None:
                ends = [dot.mean - dot.std, dot.mean + dot.std]
                axes.plot([place, place], ends, color=colour, lw=1.4)
        face = "none" if hollow else colour
        means = [dot.mean for dot in here]
        axes.plot(x, means, "o", color=colour, mfc=face, ms=5.5, label=words)


def _label(axes: Axes, names: Sequence[str]) -> None:
    with look():
        axes.set_xticks(range(len(names)), [name.replace(TIMES, "\n") for name in names])
        axes.tick_params(axis="x", labelsize=8.5)  # nine cells have to find room
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_xlabel("learning rate, and under it batch size")
        axes.set_ylabel("average test accuracy, %")
