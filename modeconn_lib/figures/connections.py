"""How good the networks on a path are, by the way in which two networks were connected.

numbers by row           ->  by_row      ->  Picture: the worst network of every row
accuracies along a path  ->  along_rows  ->  Picture: all networks of some rows
errors, part by part     ->  by_part     ->  Picture: training and test error on every sub-path
drops by size            ->  by_size     ->  Picture: how far the worst network is below the ends

Rows are called what the page calls them. What is drawn is what the chapters have read from their
records; published numbers stand beside them, hollow.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import along_t, bundle, look, method, panel
from modeconn_lib.results.summary import Summary

TICKS = 12  # whole numbers of two digits that fit under a panel

Rows = Mapping[str, Summary]
# Of the rows along a path; any more could not be told from each other.
COLOURS = ("unaligned", "aligned", "weights", "ensemble", "A", "estimator", "full data", "B")


def by_row(found: Mapping[str, Rows], published: Mapping[str, Rows]) -> Picture:
    """Return one panel for each study: a dot for each row, with one standard deviation.

    Parameters
    ----------
    found
        By the title of the panel and the name of the row, from top to bottom.
    published
        The same of the paper, for the titles whose data set and network it is about.
    """
    panels = []
    for title, rows in found.items():
        said = published.get(title, {})
        names = list(dict.fromkeys([*said, *rows])) if said else list(rows)
        axes = panel(title, letters=24)
        figure = axes.get_figure(root=True)
        assert figure is not None  # `panel` has made it
        figure.set_figheight(0.6 + 0.28 * len(names))
        _dots(axes, names, rows, "found", method("weights").colour, hollow=False)
        _dots(axes, names, said, "paper", method("estimator").colour, hollow=True)
        with look():
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set_xlabel("worst test accuracy, %")
        panels.append(axes)
    alt = "the worst test accuracy along the path by the way of connecting"
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")


def _dots(
    axes: Axes, names: Sequence[str], rows: Rows, words: str, colour: str, *, hollow: bool
) -> None:
    """Draw a dot for each row, with one standard deviation where there is one."""
    aside = 0.22 if hollow else 0.0
    places = [names.index(name) + aside for name in rows]
    with look():
        for y, dot in zip(places, rows.values(), strict=True):
            if dot.std is not None:
                axes.plot([dot.mean - dot.std, dot.mean + dot.std], [y, y], color=colour, lw=1.4)
        if rows:
            means = [dot.mean for dot in rows.values()]
            face = "none" if hollow else colour
            axes.plot(means, places, "o", color=colour, mfc=face, ms=5.5, label=words)


def along_rows(
    found: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[Sequence[float]]]]],
) -> Picture:
    """Return one panel for each study: test accuracies from A to B, percent.

    Parameters
    ----------
    found
        By the title of the panel and the name of the row: where on the path, 0 to 1, and the
        accuracies of each pair.
    """
    panels = []
    for title, rows in found.items():
        axes = panel(title)
        with look():
            for colour, (name, (t, accuracies)) in zip(COLOURS, rows.items(), strict=False):
                bundle(axes, t, accuracies, name, color=method(colour).colour)
            along_t(axes)
            axes.set_ylabel("test accuracy, %")
        panels.append(axes)
    return Picture(tuple(panels), f"test accuracy along paths from A to B: {'; '.join(found)}")


def by_part(
    found: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[Sequence[float]]]]],
) -> Picture:
    """Return one panel for each case: errors along a path of several parts, percent.

    Parameters
    ----------
    found
        By the title of the panel and the set of images: where on the path, a part from each whole
        number to the next, and the errors of each pair.
    """
    panels = []
    for title, lines in found.items():
        axes = panel(title)
        parts = 0
        with look():
            colours = ("A", "B", "weights")
            for colour, (name, (t, errors)) in zip(colours, lines.items(), strict=False):
                parts = max(parts, round(t[-1]))
                bundle(axes, t, errors, name, color=method(colour).colour)
            axes.set_xticks(range(0, parts + 1, 1 + parts // TICKS))  # corners, as many as fit
            axes.set_xlabel("sub-path")
            axes.set_ylabel("error, %")
        panels.append(axes)
    return Picture(tuple(panels), f"errors along the sub-paths from A to B: {'; '.join(found)}")


def by_size(
    found: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]], across: str
) -> Picture:
    """Return one panel for each study: the worst network by the size of the networks.

    Parameters
    ----------
    found
        By the title of the panel and the name of the row: sizes, and how far the worst network is
        below the ends, points of test accuracy.
    across
        What the sizes count.
    """
    panels = []
    for title, rows in found.items():
        axes = panel(title)
        with look():
            for colour, (name, (sizes, drops)) in zip(COLOURS, rows.items(), strict=False):
                axes.plot(sizes, drops, "o-", ms=4, color=method(colour).colour, label=name)
            every = sorted({size for sizes, _ in rows.values() for size in sizes})
            if every[-1] > 10 * every[0]:
                axes.set_xscale("log")
            axes.set_xticks(every, [f"{size:,}" for size in every])
            axes.minorticks_off()
            axes.set_xlabel(across)
            axes.set_ylabel("lost at the worst, points")
        panels.append(axes)
    alt = f"how far the worst network on the path is below the ends, by {across}"
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")
