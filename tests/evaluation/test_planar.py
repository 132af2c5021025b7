"""Areas of small networks are exact, and those of a grid."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeconn_lib.evaluation.planar import (
    Layer,
    area,
    clip,
    pieces,
    says_yes,
    share_of_zero,
    share_right,
    value,
)

ONE, ZERO = Fraction(1), Fraction(0)
SQUARE = ((-ONE, -ONE), (ONE, -ONE), (ONE, ONE), (-ONE, ONE))
RIGHT = (ONE, ZERO, ZERO)  # x1
SIDE = 60  # cells of the grid in each direction


def layer(weight, bias) -> Layer:
    return Layer(tuple(tuple(map(Fraction, row)) for row in weight), tuple(map(Fraction, bias)))


small = st.integers(-4, 4)
numbers = st.tuples(*[small] * 15)
few = settings(max_examples=12)  # fractions are slow, and all of them are checked


def network_of(n: tuple[int, ...]) -> tuple[Layer, ...]:
    """Two layers of two units, and one output; weights are thirds."""
    w = [Fraction(i, 3) for i in n]
    return (
        layer([w[0:2], w[2:4]], w[4:6]),
        layer([w[6:8], w[8:10]], w[10:12]),
        layer([w[12:14]], w[14:15]),
    )


def on_a_grid(network, slope) -> tuple[np.ndarray, np.ndarray]:
    """The slow reference: f in float64 at the midpoints of cells."""
    middles = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x = np.stack([m.ravel() for m in np.meshgrid(middles, middles)])
    h = x
    for i, one in enumerate(network):
        h = np.array(one.weight, dtype=float) @ h + np.array(one.bias, dtype=float)[:, None]
        if i < len(network) - 1:
            h = np.where(h > 0, h, float(slope) * h)
    return x, h[0]


@few
@given(numbers=numbers, slope=st.sampled_from([ZERO, Fraction(1, 100)]))
def test_pieces_tile_the_square_and_are_linear_where_the_network_is(numbers, slope):
    network = network_of(numbers)
    found = pieces(network, SQUARE, slope)
    assert sum(area(piece.polygon) for piece in found) == 4
    for piece in found:
        corners = piece.polygon
        inner = tuple(sum(c[i] for c in corners) / len(corners) for i in range(2))
        units = list(inner)
        for i, one in enumerate(network):
            sums = [
                sum(w * u for w, u in zip(row, units, strict=True)) + b
                for row, b in zip(one.weight, one.bias, strict=True)
            ]
            last = i == len(network) - 1
            units = sums if last else [s if s > 0 else slope * s for s in sums]
        assert value(piece.output, inner) == units[0]


@few
@given(numbers=numbers, slope=st.sampled_from([ZERO, Fraction(1, 100)]), yes=st.booleans())
def test_the_share_is_that_of_a_fine_grid(numbers, slope, yes):
    network = network_of(numbers)
    exact = share_right(pieces(network, SQUARE, slope), (RIGHT,), zero_is_yes=yes)
    x, f = on_a_grid(network, slope)
    f = np.where(abs(f) < 1e-12, 0.0, f)  # rounding of float64: fractions this small do not occur
    says = f >= 0 if yes else f > 0
    # At most 16 lines cut cells, and a line crosses at most 2 * SIDE of them.
    assert abs(np.mean(says == (x[0] >= 0)) - float(exact)) <= 16 * 2 / SIDE


@few
@given(numbers=numbers)
def test_yes_and_zero_are_shares_of_the_same_square(numbers):
    network = network_of(numbers)
    found = pieces(network, SQUARE)
    yes = sum(map(area, says_yes(found))) / 4
    counted = share_right(found, (), zero_is_yes=True)  # no condition: every label is yes
    strict = share_right(found, (), zero_is_yes=False)
    assert yes == counted
    assert counted - strict == share_of_zero(found)


def test_a_polygon_is_clipped_at_a_line():
    assert clip(SQUARE, RIGHT) == ((ZERO, -ONE), (ONE, -ONE), (ONE, ONE), (ZERO, ONE))
    assert area(clip(SQUARE, (ONE, ONE, ZERO))) == 2


def test_what_only_touches_a_line_is_gone():
    assert clip(SQUARE, (ONE, ZERO, -ONE)) == ()


def test_a_network_with_two_outputs_is_refused():
    with pytest.raises(ValueError, match="exactly 1 unit, got 2"):
        pieces((layer([[1, 0], [0, 1]], [0, 0]),), SQUARE)
