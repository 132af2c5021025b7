"""The counterexample of chapter 26: its data, its lines, and what every network on them says.

study  ->  data, accuracies, functions  ->  Picture

Reads the record ``lines`` of a study.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import INK, along_t, look, method, panel
from modeconn_lib.results.study import Study

Grid = Sequence[Sequence[float]]
QUARTER = ((-1, 0), (0, 0), (0, 1), (-1, 1))  # where the label is yes

YES, NO = method("aligned").colour, method("unaligned").colour

# Lines that coincide are told apart by width and dashes.
LOOKS = {
    "as written": (NO, "-", 5.0, 0.45),
    "second layer swapped": (method("activations").colour, "--", 1.8, 1.0),
    "first layer swapped": (YES, "-", 2.4, 1.0),
    "both swapped": (method("estimator").colour, "-", 2.4, 1.0),
}


def data(study: Study) -> Picture:
    """Return the classification problem: a sample of points (Fig. 7)."""
    points = study["lines"].series["sample"]
    axes = panel()
    with look():
        for words, colour, wanted in (("yes", YES, True), ("no", NO, False)):
            chosen = [p for p in points if (p[0] < 0 and p[1] > 0) is wanted]
            x, y = zip(*chosen, strict=True)
            axes.plot(x, y, "-o", ms=3, color=colour, label=words, lw=0)
        _square(axes)
    return Picture((axes,), "points of the square; those in the upper left quarter are yes")


def accuracies(study: Study, kinds: Sequence[str] = ("accuracy",)) -> Picture:
    """Return the accuracy along the four lines, one panel for each rule or nonlinearity.

    Parameters
    ----------
    kinds
        Of ``accuracy``, ``strict`` and ``leaky``.
    """
    titles = {
        "accuracy": "f ≥ 0 says yes, ReLU",
        "strict": "f > 0 says yes, ReLU",
        "leaky": "f ≥ 0 says yes, leaky ReLU",
    }
    lines, panels = study["lines"].series, []
    for kind in kinds:
        axes = panel(titles[kind])
        with look():
            for order, (colour, dashes, width, alpha) in LOOKS.items():
                values = [100 * v for v in lines[f"{order} {kind}"]]
                drawn: dict[str, Any] = {
                    "color": colour,
                    "linestyle": dashes,
                    "alpha": alpha,
                    "lw": width,
                }
                axes.plot(lines["t"], values, label=f"B's units {order}", **drawn)
            along_t(axes, "λ")
            axes.set_ylim(70, 101)
            axes.set_ylabel("accuracy, %")
        panels.append(axes)
    what = "; ".join(titles[kind] for kind in kinds)
    return Picture(
        tuple(panels), f"accuracy along the lines from A to the four orders of B: {what}"
    )


def functions(study: Study) -> Picture:
    """Return f over the square, a row for each order of B and a column for each lambda (Fig. 6).

    Shades go from the lowest value of all to 0. The network says yes where it is green, and should
    where it is dashed.
    """
    lines, panels = study["lines"].series, []
    lowest = min(v for o in LOOKS for grid in lines[f"{o} values"] for row in grid for v in row)
    for order in LOOKS:
        values, regions = lines[f"{order} values"], lines[f"{order} regions"]
        for t, of_f, of_yes in zip(lines["shown"], values, regions, strict=True):
            panels.append(_function(f"{order}\nλ = {t:g}", of_f, of_yes, lowest))
    alt = (
        "regions where the network says yes, for each order of B's units and each lambda: only "
        "the ends have exactly the upper left quarter"
    )
    return Picture(tuple(panels), alt, columns=len(lines["shown"]))


def _function(
    title: str, values: Grid, regions: Sequence[Sequence[Sequence[float]]], lowest: float
) -> Axes:
    """Return a small panel with one network's values and the regions of its yes."""
    axes = panel()
    figure = axes.get_figure(root=True)
    assert figure is not None  # `panel` made one
    figure.set_size_inches(1.7, 1.9)
    with look():
        axes.set_title(title, fontsize=8.5, pad=4)
        axes.imshow(
            values,
            origin="lower",
            extent=(-1, 1, -1, 1),
            cmap="cividis",
            vmin=lowest,
            vmax=0,
            interpolation="bilinear",
        )
        for corners in regions:
            axes.add_patch(Polygon(corners, closed=True, fc=YES, ec=YES, lw=0.5))
        axes.add_patch(Polygon(QUARTER, closed=True, fill=False, ec=INK, ls="--", lw=1.4))
        _square(axes)
        axes.set(xlabel="", ylabel="", xticks=[], yticks=[])
    return axes


def _square(axes: Axes) -> None:
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("x₁")
    axes.set_ylabel("x₂")
    axes.grid(visible=False)
