"""One look for all figures: a colour for each method, one ink, one size of panel.

name of a method  ->  METHODS  ->  colour, words;    title  ->  panel  ->  axes to draw on

A panel is one pair of axes, so that panels stand side by side on a desk and one below the other
on a phone (`picture`). Nothing here knows what is drawn.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import fmean
from textwrap import fill
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Values = Sequence[float | int]

# Read on white and on near-black alike (contrast 4:1); on a page, pictures take the page's ink.
INK = "#7a7f86"

_RC: Any = {
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.8,
    "lines.solid_capstyle": "round",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "grid.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "svg.fonttype": "none",  # letters stay letters
    "svg.hashsalt": "modeconn",
}


def look() -> AbstractContextManager[None]:
    """Return the context in which everything is drawn and saved."""
    return rc_context(_RC)


@dataclass(frozen=True, slots=True)
class Method:
    """How one way to choose B's representative looks, in the whole book.

    Attributes
    ----------
    words
        What legends call it.
    colour
        Readable on light and dark pages; the first ones are of Okabe and Ito's palette, whose
        colours differ for colour-blind readers, too.
    """

    words: str
    colour: str


# Two names of one thing share its colour: unaligned and naive, matched by weights and merged so.
METHODS: dict[str, Method] = {
    "unaligned": Method("unaligned", "#d55e00"),
    "aligned": Method("aligned", "#009e73"),
    "pam_unaligned": Method("PAM unaligned", "#b5568f"),
    "pam_aligned": Method("PAM aligned", "#4878d0"),
    "naive": Method("naive", "#d55e00"),
    "activations": Method("activation matching", "#0072b2"),
    "weights": Method("weight matching", "#7c6fd6"),
    "estimator": Method("straight-through estimator", "#cc79a7"),
    "steepest": Method("steepest descent", "#e0457b"),
    "merged": Method("merged", "#7c6fd6"),
    "ensemble": Method("ensemble of logits", "#b07a00"),
    "full data": Method("trained on all data", "#7f8c2a"),
    "A": Method("network A", "#2f8fb5"),
    "B": Method("network B", "#c2557f"),
}

# How a path is drawn, whatever its colour.
DASHES = {"line": "--", "curve": "-"}
SHAPES = {"line": "straight line", "curve": "learned curve"}


def method(name: str) -> Method:
    """Return the look of a method.

    Raises
    ------
    KeyError
        If it has none yet; the message lists those that have.
    """
    if name not in METHODS:
        raise KeyError(f"no colour for method {name!r}; there is one for: {', '.join(METHODS)}")
    return METHODS[name]


def panel(title: str = "", letters: int = 40) -> Axes:
    """Return the axes of a new panel; no global state of matplotlib is touched.

    Parameters
    ----------
    letters
        How many of the title have room in a line: fewer beside a column of long words.
    """
    with look():
        axes = Figure(figsize=(3.7, 2.8), layout="constrained").add_subplot()
        axes.set_title("\n".join(fill(line, letters) for line in title.split("\n")))
    return axes


def along_t(axes: Axes, letter: str = "t") -> None:
    """Make the horizontal axis that of a path from A to B; Git Re-Basin's letter is lambda."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["A", "¼", "½", "¾", "B"])
    axes.set_xlabel(letter)


def bundle(axes: Axes, x: Values, lines: Sequence[Values], label: str, **drawn: Any) -> None:
    """Draw one line for each pair, thin, and their mean, thick, which the legend names.

    Parameters
    ----------
    drawn
        What matplotlib is told besides: colour, dashes, marker of the mean.
    """
    for values in lines if len(lines) > 1 else ():
        axes.plot(x, values, **{**drawn, "marker": ""}, lw=0.9, alpha=0.45)
    mean = [fmean(values) for values in zip(*lines, strict=True)]
    axes.plot(x, mean, **drawn, lw=2.4, label=label)
