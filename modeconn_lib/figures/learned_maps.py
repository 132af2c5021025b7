"""What a learned map makes of the units of a network, in a plane of their space.

units before and after  ->  clouds  ->  Picture: as they are, and as the map makes them
units along a path      ->  ways    ->  Picture: their ways by the arc and by the map
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import look, method, panel

Places = tuple[Sequence[float], Sequence[float]]  # x and y
WITHIN = 0.9  # of normally distributed samples, inside the circle


def clouds(found: Mapping[str, tuple[Places, Places]]) -> Picture:
    """Return one panel for each map: units as they are and as the map makes them.

    Parameters
    ----------
    found
        By the title of the panel: where units of an unseen network lie before and after.
    """
    panels = []
    radius = (-2 * np.log(1 - WITHIN)) ** 0.5  # of two independent standard normal coordinates
    angle = np.linspace(0, 2 * np.pi, 100)
    for title, (before, after) in found.items():
        axes = panel(title)
        with look():
            for words, (x, y), look_of in (
                ("units", before, "A"),
                ("as the map makes them", after, "B"),
            ):
                colour = method(look_of).colour
                axes.plot(x, y, "o", ms=3, color=colour, alpha=0.6, label=words)
            axes.plot(
                radius * np.cos(angle),
                radius * np.sin(angle),
                "--",
                color=method("ensemble").colour,
                label=f"{WITHIN:.0%} of normal samples",
            )
            _square(axes)
        panels.append(axes)
    alt = "units of an unseen network before and after a learned map"
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")


def ways(found: Mapping[str, tuple[Sequence[Places], Sequence[Places]]]) -> Picture:
    """Return one panel for each map: where some units go on the arc, and through the map.

    Parameters
    ----------
    found
        By the title of the panel: the way of each unit on the arc, and through the map.
    """
    panels = []
    for title, (by_arc, by_map) in found.items():
        axes = panel(title)
        with look():
            for words, lines, look_of, dashes in (
                ("arc", by_arc, "unaligned", "--"),
                ("through the map", by_map, "aligned", "-"),
            ):
                for i, (x, y) in enumerate(lines):
                    label = words if i == 0 else None
                    axes.plot(x, y, dashes, color=method(look_of).colour, label=label)
            for end, look_of in ((0, "A"), (-1, "B")):
                places = [(x[end], y[end]) for x, y in by_arc]
                axes.plot(
                    *zip(*places, strict=True),
                    "o",
                    ms=5,
                    color=method(look_of).colour,
                    label=f"in {look_of}",
                )
            _square(axes)
        panels.append(axes)
    alt = "ways of some units from A to B on the arc and through a learned map"
    return Picture(tuple(panels), f"{alt}: {'; '.join(found)}")


def _square(axes: Axes) -> None:
    """Give both directions one scale and their names."""
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
