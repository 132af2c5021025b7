"""Draw the two pictures of the title page: a landscape with three paths, and the loss along them.

    python book/drawings.py        writes book/_static/{landscape,profile}_{light,dark}.svg

The landscape is a formula, not data. The second picture evaluates that formula along the very
paths of the first, so the two agree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "_static"
# As in every figure of the book: a colour for each choice of B, dashes for what is not learned.
UNALIGNED, ALIGNED = "#d55e00", "#009e73"
A, B, PERMUTED_B = np.array([-1.5, 0.45]), np.array([1.5, 0.45]), np.array([-1.0, -0.85])
BEND, ALIGNED_BEND = np.array([0.0, 3.0]), np.array([-1.62, -0.35])


@dataclass(frozen=True)
class Theme:
    """Colours that differ between a light page and a dark one."""

    name: str
    ink: str
    quiet: str
    low: str
    high: str
    lift: float  # how far the colours of the paths are mixed with white


LIGHT = Theme("light", ink="#1f2328", quiet="#6a737d", low="#ffffff", high="#b9b3a7", lift=0.0)
DARK = Theme("dark", ink="#e6e6e6", quiet="#a0a7ae", low="#14181e", high="#59616c", lift=0.35)


def bezier(a: np.ndarray, bend: np.ndarray, b: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Quadratic curve from `a` to `b`."""
    return lambda t: np.outer((1 - t) ** 2, a) + np.outer(2 * t * (1 - t), bend) + np.outer(t**2, b)


def loss(points: np.ndarray) -> np.ndarray:
    """Height of the drawn landscape: one long valley from πB past A and over the top to B.

    The valley is the lower envelope of wells along its floor, which is a little higher half-way
    from A to B. A hill stands in the middle.
    """
    s = np.linspace(0, 1, 200)
    arch, arm = bezier(A, BEND, B)(s), bezier(A, ALIGNED_BEND, PERMUTED_B)(s)
    floor = np.concatenate([0.05 + 0.15 * np.sin(np.pi * s) ** 2, np.full_like(s, 0.05)])
    squares = ((points[..., None, :] - np.concatenate([arch, arm])) ** 2).sum(-1)
    wells = floor + 1 - np.exp(-squares / 0.5)
    hill = 0.4 * np.exp(-(points[..., 0] ** 2) / 0.6 - (points[..., 1] - 0.3) ** 2 / 0.5)
    return hill + wells.min(-1)


PATHS = {  # name -> colour, dashes, from t to a point
    "straight line": (UNALIGNED, (0, (3, 1.2)), bezier(A, (A + B) / 2, B)),
    "learned curve": (UNALIGNED, "-", bezier(A, BEND, B)),
    "aligned": (ALIGNED, "-", bezier(A, ALIGNED_BEND, PERMUTED_B)),
}


def tint(colour: str, theme: Theme) -> tuple[float, ...]:
    """Colour of a path on the page of a theme."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    return tuple(rgb + (1 - rgb) * theme.lift)


def landscape(theme: Theme) -> Figure:
    """Draw the valleys from above, with the three networks and the three paths."""
    figure = Figure(figsize=(4.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    x, y = np.meshgrid(np.linspace(-2.3, 2.3, 93), np.linspace(-1.75, 2.45, 85))
    ramp = LinearSegmentedColormap.from_list("height", [theme.low, theme.high])
    levels = np.linspace(0.1, 1.5, 11)
    axes.contourf(x, y, loss(np.stack([x, y], -1)), levels, cmap=ramp, extend="both")
    t = np.linspace(0, 1, 80)
    for colour, dashes, path in PATHS.values():
        axes.plot(*path(t).T, color=tint(colour, theme), lw=2.6, ls=dashes)
    axes.annotate(
        "",
        PERMUTED_B + np.array([0.13, -0.02]),
        B + np.array([-0.03, -0.13]),
        arrowprops={
            "arrowstyle": "->",
            "linestyle": (0, (2, 2)),
            "color": theme.quiet,
            "connectionstyle": "arc3,rad=-0.32",
        },
    )
    for point, name, shift in (
        (A, "A", (-13, 2)),
        (B, "B", (8, 2)),
        (PERMUTED_B, "πB", (-24, -10)),
    ):
        axes.plot(*point, "o", ms=8, color=theme.ink, mec=theme.low, mew=1.2)
        axes.annotate(name, point, shift, textcoords="offset points", color=theme.ink, size=13)
    for (left, bottom), name in {
        (-0.5, 0.58): "straight line",
        (-0.5, 1.9): "learned curve",
        (-0.85, -0.2): "aligned",
    }.items():
        axes.text(left, bottom, name, color=tint(PATHS[name][0], theme), size=11)
    axes.text(0.62, -1.5, "the same function,\nunits renumbered", color=theme.quiet, size=9)
    axes.set_axis_off()
    return figure


def profile(theme: Theme) -> Figure:
    """Draw the height of the landscape along each of its three paths."""
    figure = Figure(figsize=(4.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    t = np.linspace(0, 1, 120)
    heights = {"straight line": 1.44, "learned curve": 0.27, "aligned": -0.08}
    for name, (colour, dashes, path) in PATHS.items():
        axes.plot(t, loss(path(t)), color=tint(colour, theme), lw=2.6, ls=dashes)
        axes.text(0.5, heights[name], name, color=tint(colour, theme), ha="center", size=11)
    axes.set_xticks([0, 0.5, 1], ["A", "half-way", "B or πB"])
    axes.set_yticks([])
    axes.set_ylim(-0.15, 1.65)
    axes.set_ylabel("loss", color=theme.ink)
    axes.tick_params(colors=theme.ink, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.quiet)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write an SVG that is the same every time: no date, fixed identifiers."""
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


def main(folder: Path = FOLDER) -> None:
    """Write every picture in both themes."""
    with mpl.rc_context({"svg.hashsalt": "modeconn", "font.family": "DejaVu Sans"}):
        for theme in (LIGHT, DARK):
            save(landscape(theme), folder / f"landscape_{theme.name}.svg")
            save(profile(theme), folder / f"profile_{theme.name}.svg")


if __name__ == "__main__":
    main()
