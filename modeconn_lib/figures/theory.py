"""Bounds and what they bound: on trained networks, on networks written down, and step by step.

studies  ->  along_line | met | descents  ->  Picture

Reads the records ``bounds/<pair>``, ``written`` and ``descent`` of chapter 18.
"""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from modeconn_lib.core.scientific import scientific
from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import along_t, bundle, look, method, panel
from modeconn_lib.results.study import Study

ORDERS = {"unaligned": "unaligned", "l2_pre": "aligned"}  # of the records, and their looks
KINDS = {" bound": ("bound", "--"), " half": ("bound by true distances", ":"), "": ("loss", "-")}
WIDTHS = ("A", "weights", "activations", "estimator", "steepest", "ensemble")  # whose colours


def along_line(studies: Mapping[str, Study]) -> Picture:
    """Return one panel for each study: losses on the line and their bounds, on a log scale."""
    panels = []
    for title, study in studies.items():
        axes = panel(title)
        _draw_line(axes, study)
        panels.append(axes)
    alt = (
        "training loss along the straight line, unaligned and aligned by distances of "
        f"pre-activations, and its bounds: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


def met(study: Study) -> Picture:
    """Return one panel for each pair of networks written down: the loss and its bound."""
    written, panels = study["written"], []
    names = [n for n in written.series["examples"] if not n.startswith("two layers")]
    for name in names:
        axes = panel(name)
        with look():
            along_t(axes)
            t = written.series["t"]
            bound, loss = (written.series[f"{name} {what}"] for what in ("bound", "loss"))
            colour = method("unaligned").colour
            axes.plot(t, bound, "--", color=method("A").colour, lw=2.4, label="bound")
            axes.plot(t, loss, "o", color=colour, ms=4, mfc="none", label="loss")
            axes.set_ylim(bottom=0)
            axes.set_ylabel("root mean square error")
        panels.append(axes)
    return Picture(tuple(panels), f"loss and bound along the line: {', '.join(names)}")


def descents(studies: Mapping[str, Study]) -> Picture:
    """Return one panel for each study: the objective by iterate, a line for each width."""
    panels = []
    for title, study in studies.items():
        axes, record = panel(title), study["descent"]
        with look():
            for k, delta in enumerate(record.series["deltas"]):
                values, passed = (record.series[f"{what} {k}"] for what in ("sharp", "accepted"))
                colour = method(WIDTHS[k % len(WIDTHS)]).colour
                kept = [value for value, yes in zip(values, passed, strict=True) if yes]
                label = f"δ = {scientific(delta)}"
                size = max(4, 9 - 1.5 * k)  # one way for all, which narrower corners go farther
                axes.plot(range(len(kept)), kept, "-o", color=colour, ms=size, lw=1.8, label=label)
                if len(kept) < len(values):
                    axes.plot([len(kept)], values[-1:], "x", color=colour, ms=size + 3)
            axes.set_ylim(bottom=0)
            axes.set_xlabel("iterate")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_ylabel("objective Q, nats")
        panels.append(axes)
    alt = (
        "mean training loss along the curve by iterate, falling, for corners of several widths; "
        f"a cross is the iterate that the stopping rule refused: {'; '.join(studies)}"
    )
    return Picture(tuple(panels), alt)


def _draw_line(axes: Axes, study: Study) -> None:
    """Draw the cross-entropy of all pairs, and its bounds."""
    records = list(study.select("bounds/").values())
    t = records[0].series["t"]
    with look():
        along_t(axes)
        axes.set_yscale("log")
        axes.set_ylabel("training loss, nats")
        for kind, (words, dashes) in KINDS.items():
            for order, name in ORDERS.items():
                found = [r.series[f"{order} train cross_entropy{kind}"] for r in records]
                drawn = {"color": method(name).colour, "linestyle": dashes}
                bundle(axes, t, found, f"{words}, {method(name).words}", **drawn)
