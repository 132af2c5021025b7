"""How accurate ensembles are, by how many members they have and by what they cost.

accuracies by number of members  ->  by_members  ->  Picture: Fig. 7 of the paper
accuracies by cost               ->  by_cost     ->  Picture: the same against multiply-adds
"""

from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import look, method, panel

# Of the ensembles of a panel, in their order: independent ones first.
COLOURS = ("ensemble", "aligned", "weights", "A", "estimator", "full data")
Line = tuple[Sequence[float], Sequence[float]]  # members or cost, and accuracies in percent


def by_members(found: Mapping[str, Mapping[str, Line]], single: Mapping[str, float]) -> Picture:
    """Return one panel for each study: test accuracy against the number of members.

    Parameters
    ----------
    found
        By the title of the panel and the name of the ensemble.
    single
        Mean accuracy of the networks alone, percent, by the title of the panel.
    """
    picture = _picture(found, single, "networks", "test accuracy by number of networks")
    for axes in picture.panels:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    return picture


def by_cost(found: Mapping[str, Mapping[str, Line]], single: Mapping[str, float]) -> Picture:
    """Return one panel for each study: test accuracy against the cost in single networks."""
    return _picture(
        found, single, "multiply-adds, in single networks", "test accuracy of ensembles by cost"
    )


def _picture(
    found: Mapping[str, Mapping[str, Line]], single: Mapping[str, float], across: str, alt: str
) -> Picture:
    """Return one panel for each study, a line for each kind of ensemble."""
    panels = []
    for title, lines in found.items():
        axes = panel(title)
        with look():
            for colour, (name, (x, accuracies)) in zip(COLOURS, lines.items(), strict=False):
                axes.plot(x, accuracies, "o-", ms=4, color=method(colour).colour, label=name)
            axes.axhline(
                single[title], ls=":", color=method("unaligned").colour, label="single network"
            )
            axes.set_xlabel(across)
            axes.set_ylabel("test accuracy, %")
        panels.append(axes)
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")
