"""Symmetries in pictures: how many networks have, and how near a search for one comes.

Study  ->  orders_by_size | recovered  ->  Picture

`orders_by_size` reads records of chapter 43, one for each network; `recovered` the records
``recovery/<number>`` of chapter 27.
"""

from collections.abc import Mapping

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import look, method, panel
from modeconn_lib.results.study import Study

# Networks by whether some of their units come in blocks.
_KINDS = {False: ("all groups independent", "weights"), True: ("groups in blocks", "estimator")}


def orders_by_size(studies: Mapping[str, Study]) -> Picture:
    """Return one panel for each study: the exponent of the number of orders by parameters."""
    panels = []
    for title, study in studies.items():
        axes = panel(title)
        with look():
            for blocks, (words, name) in _KINDS.items():
                found = [r for r in study.records.values() if bool(r.number("nested")) == blocks]
                x = [r.number("parameters") / 1e6 for r in found]
                y = [r.number("log10_symmetries") for r in found]
                axes.plot(x, y, "o", ms=4, alpha=0.8, color=method(name).colour, label=words)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("parameters, millions")
            axes.set_ylabel("log10 of the number of orders")
        panels.append(axes)
    alt = f"exponent of the number of orders by the number of parameters: {'; '.join(studies)}"
    return Picture(tuple(panels), alt)


def recovered(studies: Mapping[str, Study]) -> Picture:
    """Return one panel for each study: what every search reached, and how many units came home."""
    panels = []
    for title, study in studies.items():
        axes = panel(title)
        with look():
            found = study.select("recovery/").values()
            x = [100 * value for r in found for value in r.series["reached"]]
            y = [100 * value for r in found for value in r.series["units"]]
            colour = method("weights").colour
            axes.plot(x, y, "o", ms=5, alpha=0.5, color=colour, label="a search")
            axes.set_xlim(-5, 105)
            axes.set_ylim(-5, 105)
            axes.set_xlabel("objective reached, % of the highest")
            axes.set_ylabel("units in their place, %")
        panels.append(axes)
    alt = f"objective reached and units in their place, of every search: {'; '.join(studies)}"
    return Picture(tuple(panels), alt)
