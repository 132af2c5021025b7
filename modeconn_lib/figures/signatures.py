"""Correlation signatures: how alike the units of two networks are, layer by layer.

signatures by title  ->  endpoints, midpoints  ->  Picture

A signature is what a chapter has summarised over pairs: what is compared with an end, like
``endpoints`` or ``aligned curve``, then ``before`` and ``after`` matching, then one `Summary` a
layer. The band around a mean is one standard deviation over pairs.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import INK, look, method, panel
from modeconn_lib.results.summary import Summary

Signatures = Mapping[str, Mapping[str, Sequence[Summary]]]


def endpoints(signatures: Mapping[str, Signatures]) -> Picture:
    """Return Fig. 1a: the two endpoints of a pair, before and after alignment."""
    panels = []
    for title, found in signatures.items():
        axes = _panel(title)
        for name, when in (("unaligned", "before"), ("aligned", "after")):
            _draw(axes, found["endpoints"][when], method(name).colour, "-", method(name).words)
        panels.append(axes)
    alt = "mean correlation of corresponding units of A and B in each layer, unaligned and aligned"
    return Picture(tuple(panels), f"{alt}: {'; '.join(signatures)}")


def midpoints(signatures: Mapping[str, Signatures]) -> Picture:
    """Return Figs. 1b and 1c: the midpoint of each learned curve, compared with its ends.

    With it, the midpoint of the straight line that the curve began as, and the curve's midpoint
    after its own units are matched to the end's.
    """
    panels = []
    for title, found in signatures.items():
        for name in ("unaligned", "aligned"):
            colour, words = method(name).colour, method(name).words
            axes = _panel(f"{words}\n{title}")
            line, curve = found[f"{name} line"], found[f"{name} curve"]
            _draw(axes, line["before"], colour, "--", f"straight line, {words}")
            _draw(axes, curve["before"], colour, "-", f"learned curve, {words}")
            _draw(axes, curve["after"], INK, ":", "learned curve, its midpoint matched anew")
            panels.append(axes)
    alt = (
        "mean correlation of the units half-way with those at the ends in each layer, for the "
        "straight line and the learned curve, unaligned and aligned"
    )
    return Picture(tuple(panels), f"{alt}: {'; '.join(signatures)}")


def _panel(title: str) -> Axes:
    axes = panel(title)
    with look():
        axes.set_xlabel("layer")
        axes.set_ylabel("mean correlation")
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return axes


def _draw(axes: Axes, layers: Sequence[Summary], colour: str, dashes: str, label: str) -> None:
    """Draw one signature and, where there are several pairs, its spread."""
    x, mean = range(1, len(layers) + 1), [layer.mean for layer in layers]
    fill = colour if dashes == "-" else "none"
    axes.plot(x, mean, dashes, color=colour, lw=2.2, marker="o", ms=5, mfc=fill, label=label)
    if all(layer.std is not None for layer in layers):
        low, high = ([m.mean + side * (m.std or 0) for m in layers] for side in (-1, 1))
        axes.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
    axes.set_ylim(min(-0.05, axes.get_ylim()[0]), 1.05)
