"""The step of chapter 26: how right two tiny networks and all networks between them are.

orders of B's units, lambda  ->  trace_counterexample  ->  exact shares, regions, values of f

The task that names it is built in `counterexample`. It looks at no images.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch

from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation.counterexample import (
    ORDERS,
    PUBLISHED_SLOPE,
    SQUARE,
    A,
    B,
    Network,
    accuracy,
    between,
    exactly_zero,
    output,
    reordered,
)
from modeconn_lib.evaluation.planar import pieces, says_yes
from modeconn_lib.experiments.work import Outcome, Step, Work


def trace_counterexample(work: Work) -> Outcome:
    """Walk from A to every order of B; accuracies are exact, and rounded only when written."""
    config = work.config
    points, pictures = config["points"], config["pictures"]
    where = [Fraction(i, points - 1) for i in range(points)]
    shown = [Fraction(i, pictures - 1) for i in range(pictures)]
    scalars, series = dict[str, float](), dict[str, Sequence[Any]]()
    for order in ORDERS:
        b = reordered(B, order)
        line = [between(A, b, t) for t in where]
        exact = [accuracy(network) for network in line]
        scalars[f"{order} midpoint"] = float(accuracy(between(A, b, Fraction(1, 2))))
        scalars[f"{order} minimum"] = float(min(exact))
        series |= {
            f"{order} exact": [str(value) for value in exact],
            f"{order} accuracy": [float(value) for value in exact],
            f"{order} strict": [float(accuracy(n, zero_is_yes=False)) for n in line],
            f"{order} leaky": [float(accuracy(n, slope=PUBLISHED_SLOPE)) for n in line],
            f"{order} zero": [float(exactly_zero(network)) for network in line],
            f"{order} regions": [_regions(between(A, b, t)) for t in shown],
            f"{order} values": [_values(between(A, b, t), config["cells"]) for t in shown],
        }
        work.progress(work.cost // len(ORDERS))
    series |= {"t": [float(t) for t in where], "shown": [float(t) for t in shown]}
    return Outcome(scalars, {**series, "sample": _sample(config["sample"], config["seed"])})


def _regions(network: Network) -> list[list[tuple[float, float]]]:
    """Return the corners of the polygons on which the network says yes."""
    yes = says_yes(pieces(network, SQUARE))
    return [[(float(x), float(y)) for x, y in polygon] for polygon in yes]


def _values(network: Network, cells: int) -> list[list[float]]:
    """Return f at the midpoints of a grid of cells, to three digits; rows go up with x2."""
    middles = [(2 * i + 1) / cells - 1 for i in range(cells)]
    return [[round(output(network, (x, y)), 3) for x in middles] for y in middles]


def _sample(points: int, seed: int) -> list[tuple[float, float]]:
    """Return points drawn uniformly from the square, to four digits."""
    drawn = 2 * torch.rand(points, 2, generator=generator(seed, "points"), dtype=torch.float64) - 1
    return [(round(x, 4), round(y, 4)) for x, y in drawn.tolist()]


STEPS: dict[str, Step] = {"counterexample": trace_counterexample}
