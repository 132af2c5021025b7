"""The step of the chapter on planes.

A, B, [their alignment], [a curve's inner point]  ->  measure_plane  ->  a grid, paths, places

The tasks that name it are built in `plane_tasks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modeconn_lib.core.params import Params
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.evaluation.on_plane import Images, measure_points
from modeconn_lib.evaluation.planes import Grid, Place, through, trace
from modeconn_lib.experiments import path_inputs
from modeconn_lib.experiments.feeds import Augmented, InOrder
from modeconn_lib.experiments.path_inputs import join
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.curves import Curve

BATCH = (
    250  # images; on a CPU, the maps of larger batches do not fit the cache and take half longer
)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a plane goes through: three networks by name; and the paths in it, by name."""

    networks: dict[str, Params]
    paths: dict[str, Curve]


def measure_plane(work: Work) -> Outcome:
    """Measure a plane on a grid, and paths in it at evenly spaced t; resumes.

    Series: ``x`` and ``y`` of the grid, ``<set>_loss`` and ``<set>_accuracy`` of its points (one
    list for each y); ``networks``, their ``networks x``, ``… y`` and ``… distance`` from the plane;
    ``t``, and of each path ``<path> x``, ``… y``, ``… distance``, ``… <set>_loss`` and so on. A
    path is measured where its networks lie in the plane, which they do up to rounding. Scalars:
    the ``width`` and ``height`` of the plane's units, and the ``length`` of A, by which distances
    may be judged; ``classes`` of the data set.
    """
    config, drawn, module = work.config, _drawn(work), work.network()
    plane = through(module, *drawn.networks.values())
    xs, ys = ((low, high) for low, high in config["around"])
    lattice = Grid.over(xs, ys, config["resolution"])
    ts = grid(config["points"])
    places = {name: trace(plane, path, ts) for name, path in drawn.paths.items()}
    points = [*lattice.points, *((p.x, p.y) for way in places.values() for p in way)]
    found = measure_points(
        plane, module, points, _images(work, len(points)), work.folder, work.out_of_time
    )
    series: dict[str, Sequence[Any]] = {"x": lattice.xs, "y": lattice.ys, "t": ts}
    columns, cells = len(lattice.xs), len(lattice.points)
    for name, values in found.items():
        series[name] = [values[i : i + columns] for i in range(0, cells, columns)]
        for i, way in enumerate(places):
            start = cells + i * len(ts)
            series[f"{way} {name}"] = values[start : start + len(ts)]
    own = {"networks": tuple(map(plane.place, drawn.networks.values()))}
    for name, way_places in {**own, **places}.items():
        series |= {f"{name} {of}": values for of, values in _columns(way_places).items()}
    return Outcome(
        scalars={
            "width": plane.width,
            "height": plane.height,
            "length": float(plane.origin.norm()),
            "classes": dataset(config["dataset"]).classes,
        },
        series={"networks": list(drawn.networks), **series},
    )


def _drawn(work: Work) -> _Drawn:
    """Return networks and paths of the task's plane, from inputs as `path_inputs` reads them."""
    which = work.config["through"]
    a, b, inner = path_inputs.ends(work, aligned=which != "unaligned")
    if which == "networks":
        as_trained = work.tensors(work.records[1])
        lines = {"unaligned line": join(a, as_trained), "aligned line": join(a, b)}
        return _Drawn({"A": a, "B": as_trained, "πB": b}, lines)
    line, curve = join(a, b), join(a, b, inner)
    networks = {"A": a, "πB" if which == "aligned" else "B": b, "r(½)": curve.at(0.5)}
    return _Drawn(networks, {f"{which} line": line, f"{which} curve": curve})


def _images(work: Work, points: int) -> Images:
    """Return the task's image sets; each of `points` counts as progress."""
    config, rule, machine = work.config, work.augmentation(), work.exact
    sets = {
        name: InOrder(work.images(name, config[f"{name}_examples"]), BATCH, rule, machine)
        for name in config["sets"]
    }
    seen = work.images("train", config["statistics_examples"])
    return Images(
        sets,
        Augmented(seen, BATCH, rule, machine),
        machine,
        lambda done: work.progress(done * work.cost // points),
    )


def _columns(places: Sequence[Place]) -> dict[str, list[float]]:
    return {of: [getattr(place, of) for place in places] for of in ("x", "y", "distance")}


STEPS: dict[str, Step] = {"plane": measure_plane}
