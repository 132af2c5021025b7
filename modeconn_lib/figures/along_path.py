"""Loss or accuracy along paths: thin for every pair, thick for the mean over pairs.

Study  ->  draw  ->  one panel;    studies  ->  along_path  ->  Picture

Reads the records ``along/<pair>/<method>/<shape>`` of a study; shape is ``line`` or ``curve``.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import DASHES, SHAPES, along_t, bundle, look, method, panel
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

# Series of a measured path: what the axis says, and the factor that makes it so.
QUANTITIES = {
    "test_accuracy": ("test accuracy, %", 100.0),
    "train_accuracy": ("training accuracy, %", 100.0),
    "test_loss": ("test loss, nats", 1.0),
    "train_loss": ("training loss, nats", 1.0),
}


def along_path(
    studies: Mapping[str, Study],
    *quantities: str,
    shapes: Sequence[str] = ("curve",),
    letter: str = "t",
) -> Picture:
    """Return one panel for each quantity and study, the studies of a quantity side by side.

    Parameters
    ----------
    studies
        By the title of their panels.
    quantities
        Names of `QUANTITIES`.
    shapes
        Which paths to show: ``line``, ``curve``.
    letter
        What the page calls the position on a path.
    """
    panels = []
    for quantity in quantities:
        for title, study in studies.items():
            axes = panel(title)
            draw(axes, study, quantity, shapes, letter)
            panels.append(axes)
    what = " and ".join(QUANTITIES[quantity][0] for quantity in quantities)
    where = " and the ".join(SHAPES[shape] for shape in shapes)
    names = dict.fromkeys(name for study in studies.values() for name in methods(study))
    ways = ", ".join(method(name).words for name in names)
    alt = f"{what} along the {where} from A to B ({ways}): {'; '.join(studies)}"
    return Picture(tuple(panels), alt)


def draw(axes: Axes, study: Study, quantity: str, shapes: Sequence[str], letter: str = "t") -> None:
    """Draw one quantity along the study's paths into `axes`."""
    words, factor = QUANTITIES[quantity]
    with look():
        along_t(axes, letter)
        axes.set_ylabel(words)
        for shape in shapes:
            for name in methods(study, shape):
                drawn = {"color": method(name).colour, "linestyle": DASHES[shape]}
                records = paths(study, name, shape)
                t = records[0].series["t"]
                found = [[factor * v for v in r.series[quantity]] for r in records]
                bundle(axes, t, found, f"{SHAPES[shape]}, {method(name).words}", **drawn)


def paths(study: Study, name: str, shape: str) -> list[Record]:
    """Return the measured paths of one method and shape, one for each pair.

    Raises
    ------
    KeyError
        If the study has none.
    """
    found = study.over_pairs("along", f"{name}/{shape}")
    if not found:
        raise KeyError(f"study {study.name!r} has measured no {shape!r} of method {name!r}")
    return found


def methods(study: Study, shape: str = "") -> list[str]:
    """Return the methods whose paths (of one shape) were measured, in the study's order."""
    names = [key.split("/")[2:] for key in study.select("along/")]
    return list(dict.fromkeys(name for name, of in names if shape in ("", of)))
