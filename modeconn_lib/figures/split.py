"""Networks that saw different data, used together: line, matched line, ensemble, and all data.

Study  ->  draw  ->  one panel;    studies  ->  split  ->  Picture

Reads the records ``along/<pair>/<method>/line``, ``ensemble/<pair>`` and ``calibration/<pair>``
of a study of chapter 24.
"""

from collections.abc import Mapping

from matplotlib.axes import Axes

from modeconn_lib.figures.along_path import QUANTITIES, methods, paths
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import along_t, bundle, look, method, panel
from modeconn_lib.results.study import Study


def split(studies: Mapping[str, Study], *quantities: str) -> Picture:
    """Return one panel for each quantity and study, the studies of a quantity side by side.

    Parameters
    ----------
    studies
        By the title of their panels.
    quantities
        Names of `along_path.QUANTITIES`.
    """
    panels = []
    for quantity in quantities:
        for title, study in studies.items():
            axes = panel(title.replace(" · ", "\n"))  # a panel is narrower than most titles
            draw(axes, study, quantity)
            panels.append(axes)
    what = " and ".join(QUANTITIES[quantity][0] for quantity in quantities)
    alt = (
        f"{what} from A to B along the naive and the matched line and of their ensembles, "
        f"beside a network that saw all data: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


def draw(axes: Axes, study: Study, quantity: str) -> None:
    """Draw one quantity of the study into `axes`: what was trained on all data is level."""
    words, factor = QUANTITIES[quantity]
    found = {name: paths(study, name, "line") for name in methods(study)}
    found["ensemble"] = list(study.select("ensemble/").values())
    lines = {
        name: [[factor * value for value in record.series[quantity]] for record in records]
        for name, records in found.items()
    }
    t = found["ensemble"][0].series["t"]
    number = f"full data {quantity.replace('_', ' ')}"
    full = [factor * r.number(number) for r in study.select("calibration/").values()]
    lines["full data"] = [[value] * len(t) for value in full]
    with look():
        along_t(axes, "λ")
        axes.set_ylabel(words)
        for name, values in lines.items():
            drawn = {"color": method(name).colour, "linestyle": DASHES.get(name, "-")}
            bundle(axes, t, values, method(name).words, **drawn)


DASHES = {"naive": "--", "full data": ":"}  # besides colours, for those who do not see these
