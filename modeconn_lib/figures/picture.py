"""A picture on a page: panels that wrap, in the page's own ink and letters.

axes, axes, ...  ->  Picture  ->  HTML with the drawings in it, one legend above them

A drawing within the HTML takes its colour and its font from around it, so that a picture fits a
light page, a dark one and a phone. Nothing here knows what is drawn.
"""

import html
import io
import re
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from modeconn_lib.figures.style import INK, look

_FRAME = (
    '<div class="drawn" role="img" aria-label="{alt}" style="color:{ink}">'
    '<div style="{row};gap:0.2rem 1.4rem;margin-bottom:0.5rem;font-size:0.9em">{legend}</div>'
    '<div style="{layout};gap:0.6rem 1.2rem">{panels}</div></div>'
)
_ROW = "display:flex;flex-wrap:wrap"
_GRID = "display:grid;grid-template-columns:repeat({columns})"
_REM_PER_INCH = 4.2  # how narrow a panel may get before there are fewer in a row
_PAGE_INK = "var(--pst-color-text-base, inherit)"  # named by the book's theme, not by Jupyter
_KEY = (
    '<span style="white-space:nowrap"><svg width="34" height="12" aria-hidden="true">'
    '<line x1="2" y1="6" x2="32" y2="6" stroke="{colour}" stroke-width="2.4" '
    'stroke-dasharray="{dashes}"/>{mark}</svg> {words}</span>'
)
_MARK = '<circle cx="17" cy="6" r="3.6" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'

# Dashes of a key's line; where there are only marks, one dash of no length and a gap for the rest.
_DASHES = {"-": "", "--": "8 4", ":": "1.5 3", "None": "0 99"}


@dataclass(frozen=True)
class Picture:
    """Panels side by side, with what they show in words for those who cannot see them.

    Attributes
    ----------
    panels
        Axes, each alone in its figure; none where no study has what is to be drawn.
    alt
        What is to be seen, in a sentence.
    columns
        How many panels there are in a row, however narrow the page; 0: as many as there is
        room for.
    """

    panels: tuple[Axes, ...]
    alt: str
    columns: int = 0

    def __repr__(self) -> str:
        """Return the sentence; it is what a text-only reader gets."""
        return f"Picture: {self.alt}"

    def _repr_html_(self) -> str:
        """Return the picture for a notebook or a page."""
        if not self.panels:
            return f'<div class="drawn">Nothing to draw: {html.escape(self.alt.rstrip(": "))}</div>'
        keys: dict[str, str] = {}
        for line, words in (found for axes in self.panels for found in _labelled(axes)):
            keys.pop(words, None)  # what every panel shows comes after what only some do
            keys[words] = _key(line, words)
        parts = {
            "alt": html.escape(self.alt, quote=True),
            "legend": "".join(keys.values()),
            "panels": "".join(svg(axes) for axes in self.panels),
        }
        # Columns of one width: a last panel alone in its row is no larger than the others.
        least = max(_REM_PER_INCH * _width(axes) for axes in self.panels)
        fitting = f"auto-fit,minmax(min(100%,{least:.0f}rem),1fr)"
        given = f"{self.columns},minmax(0,1fr)"
        layout = _GRID.format(columns=given if self.columns else fitting)
        return _FRAME.format(row=_ROW, layout=layout, ink=_PAGE_INK, **parts)


def svg(axes: Axes) -> str:
    """Return a panel as an ``<svg>`` element whose ink and letters are those around it."""
    figure, buffer = axes.get_figure(root=True), io.StringIO()
    assert figure is not None  # `panel` made one
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # the same bytes every time
    with look():
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    # Matplotlib's rule would hold for everything on the page, and its names recur in each figure.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[\w.]+_\d+">', "<g>", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    width = _width(axes)
    frame = f'<svg style="width:100%;min-width:0;max-width:{width + 0.7:.1f}in"'
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", frame, 1).replace(INK, "currentColor")


def _width(axes: Axes) -> float:
    """Return how wide a panel is, in inches."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # `panel` made one
    return figure.get_figwidth()


def _labelled(axes: Axes) -> list[tuple[Line2D, str]]:
    """Return the lines of a panel that a legend names, and their names."""
    handles, texts = axes.get_legend_handles_labels()
    return [(h, text) for h, text in zip(handles, texts, strict=True) if isinstance(h, Line2D)]


def _key(line: Line2D, words: str) -> str:
    """Return one entry of the legend."""
    colour = _page_colour(line.get_color())
    mark = ""
    if line.get_marker() not in ("", "None", None):
        mark = _MARK.format(colour=colour, fill=_page_colour(line.get_markerfacecolor()))
    dashes = _DASHES[str(line.get_linestyle())]
    return _KEY.format(colour=colour, dashes=dashes, mark=mark, words=html.escape(words))


def _page_colour(colour: Any) -> str:
    """Return a colour as SVG writes it; ink becomes that of the page, nothing stays nothing."""
    if isinstance(colour, str) and colour in ("none", "None"):
        return "none"
    return "currentColor" if to_hex(colour) == INK else to_hex(colour)
