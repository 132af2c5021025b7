"""Costs of matching beside each other: along paths, layer by layer, under tighter budgets.

studies    ->  by_cost, frontier, subsets  ->  Picture
distances  ->  left_by_layer               ->  Picture

Reads the records of a study of chapter 12: ``along/<pair>/<cost>/<shape>``, ``constrained/<pair>``,
``subsets/<pair>``. Distances are what the chapter has read from its records.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.along_path import QUANTITIES, paths
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import (
    INK,
    SHAPES,
    Method,
    Values,
    along_t,
    bundle,
    look,
    method,
    panel,
)
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

# The unaligned and the paper's own choice have the colours they have everywhere.
COSTS: dict[str, Method] = {
    "unaligned": method("unaligned"),
    "aligned": Method("correlation, post", method("aligned").colour),
    "correlation_pre": Method("correlation, pre", "#4a92c6"),
    "l2_post": Method("L2, post", "#9467bd"),
    "l2_pre": Method("L2, pre", "#c2557f"),
}
_DASHES = {
    "unaligned": "-",
    "aligned": "-",
    "correlation_pre": "--",
    "l2_post": "-",
    "l2_pre": "--",
}
STAGES = {"post": "after the nonlinearity", "pre": "before it"}
Lines = Mapping[str, Sequence[Values]]  # by cost: one line for each pair


def by_cost(studies: Mapping[str, Study], quantity: str, shape: str) -> Picture:
    """Return one quantity along the lines or learned curves, one panel for each study (Fig. 2).

    Parameters
    ----------
    quantity
        A name of `along_path.QUANTITIES`.
    shape
        ``line`` or ``curve``.
    """
    words, factor = QUANTITIES[quantity]
    panels = [] if studies else [panel(f"no {SHAPES[shape]} was measured")]
    for title, study in studies.items():
        axes = panel(title)
        with look():
            along_t(axes)
            axes.set_ylabel(words)
            for name in COSTS:
                records = paths(study, name, shape)
                found = [[factor * v for v in r.series[quantity]] for r in records]
                _bundle(axes, records[0].series["t"], found, name)
        panels.append(axes)
    alt = f"{words} along the {SHAPES[shape]} from A to B by cost of the matching"
    return Picture(tuple(panels), f"{alt}: {'; '.join(studies)}")


def left_by_layer(distances: Mapping[str, Mapping[str, Lines]]) -> Picture:
    """Return how much of the unaligned squared distance each matching leaves, layer by layer.

    Two panels for each study: the distance of post-activations and that of pre-activations. 100 is
    no gain; a budget of equation 31 is kept below it.

    Parameters
    ----------
    distances
        By the title of the study, the stage and the cost: percent of what it is unaligned.
    """
    panels = []
    for title, stages in distances.items():
        for stage, costs in stages.items():
            axes = _layers(f"{title}\n{STAGES[stage]}", "squared distance, % of unaligned")
            with look():
                for name, found in costs.items():
                    _bundle(axes, range(1, len(found[0]) + 1), found, name)
                axes.axhline(100, color=INK, lw=1, ls=":")
                axes.set_ylim(bottom=0)
            panels.append(axes)
    alt = (
        "squared distance of matched units in each layer, after and before the nonlinearity, in "
        "percent of the unaligned one, by cost of the matching"
    )
    return Picture(tuple(panels), f"{alt}: {'; '.join(distances)}")


def frontier(studies: Mapping[str, Study]) -> Picture:
    """Return what keeping to a tighter budget costs: a line for each layer of the first pair.

    To the right the budget, from the least possible pre-activation cost (0) to that of the best
    match of post-activations (1); upwards by how much the post-activations' cost is more than
    theirs without a budget, in percent. The paper's budget lies far to the right of the picture.
    """
    panels = []
    for title, study in studies.items():
        record = _records(study, "constrained")[0]
        s, shares = record.series, record.config["shares"]
        axes = panel(title)
        with look():
            for i, costs in enumerate(s["tight_cost"]):
                least = s["cost"][i]
                more = [100 * (cost / least - 1) if least else 0.0 for cost in [*costs, least]]
                shade = 0.25 + 0.75 * (i + 1) / len(s["tight_cost"])
                axes.plot([*shares, 1.0], more, "-o", color=INK, alpha=shade, ms=3.5, lw=1.6)
            axes.set_xlabel("budget, from least possible (0) to enough (1)")
            axes.set_ylabel("extra post-activation cost, %")
            axes.set_xlim(0, 1.03)
        panels.append(axes)
    alt = "extra post-activation cost under tighter pre-activation budgets, a line for each layer"
    return Picture(tuple(panels), f"{alt}, deeper layers darker: {'; '.join(studies)}")


def subsets(studies: Mapping[str, Study]) -> Picture:
    """Return the share of units with the partner that the most images give them, by layer."""
    dashes = (":", "--", "-")
    panels = []
    for title, study in studies.items():
        records = _records(study, "subsets")
        axes = _layers(title, "units with the same partner, %")
        *fewer, most = records[0].series["examples"]
        with look():
            for size, dash in zip(fewer, dashes, strict=False):
                found = [[100 * v for v in r.series[f"{size}/same"]] for r in records]
                drawn = {
                    "color": method("aligned").colour,
                    "linestyle": dash,
                    "marker": "o",
                    "ms": 4,
                }
                label = f"{size:,} images against {most:,}"
                bundle(axes, range(1, len(found[0]) + 1), found, label, **drawn)
            axes.set_ylim(-3, 103)
        panels.append(axes)
    alt = "share of units that are given the same partner by fewer images, in each layer"
    return Picture(tuple(panels), f"{alt}: {'; '.join(studies)}")


def _bundle(axes: Axes, x: Values, lines: Sequence[Values], name: str) -> None:
    """Draw the lines of one cost in its colour."""
    drawn = {"color": COSTS[name].colour, "linestyle": _DASHES[name]}
    bundle(axes, x, lines, COSTS[name].words, **drawn)


def _layers(title: str, words: str) -> Axes:
    """Return a panel over the layers of a network."""
    axes = panel(title)
    with look():
        axes.set_xlabel("layer")
        axes.set_ylabel(words)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return axes


def _records(study: Study, step: str) -> list[Record]:
    """Return the records of one step of all pairs.

    Raises
    ------
    KeyError
        If the study has none.
    """
    found = list(study.select(f"{step}/").values())
    if not found:
        raise KeyError(f"study {study.name!r} has no records {step}/<pair>")
    return found
