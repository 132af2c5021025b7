"""The counterexample's accuracies, to three digits and to the last."""

from fractions import Fraction

import numpy as np
import pytest

from modeconn_lib.evaluation.counterexample import (
    ORDERS,
    PUBLISHED_SLOPE,
    A,
    B,
    accuracy,
    between,
    exactly_zero,
    output,
    reordered,
)

# Computed by hand-written float64 sums on 2000 x 2000 cell midpoints, whose error is below 0.0005.
TO_THREE_DIGITS = {
    "as written": (1.000, 0.750, 0.750, 0.750, 0.750, 0.750),
    "first layer swapped": (1.000, 0.959, 0.910, 0.856, 0.801, 0.750),
    "second layer swapped": (1.000, 0.750, 0.750, 0.750, 0.750, 0.750),
    "both swapped": (1.000, 0.972, 0.938, 0.893, 0.833, 0.750),
}


def along(order: str, tenths: int, **rule) -> Fraction:
    return accuracy(between(A, reordered(B, order), Fraction(tenths, 10)), **rule)


@pytest.mark.parametrize("order", ORDERS)
def test_the_accuracy_at_each_tenth_of_the_line(order):
    found = [along(order, i) for i in range(6)]
    assert np.allclose([float(v) for v in found], TO_THREE_DIGITS[order], rtol=0, atol=5e-4)


@pytest.mark.parametrize("order", ORDERS)
def test_the_line_is_the_same_from_both_ends(order):
    assert [along(order, i) for i in range(11)] == [along(order, 10 - i) for i in range(11)]


@pytest.mark.parametrize("order", ORDERS)
def test_a_quarter_of_the_outputs_of_a_right_network_is_exactly_zero(order):
    network = reordered(B, order)
    assert accuracy(network) == 1
    assert exactly_zero(network) == Fraction(1, 4)
    assert accuracy(network, zero_is_yes=False) == Fraction(3, 4)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_of_the_units_does_not_change_the_function(order):
    network = reordered(B, order)
    assert order == "as written" or network != B
    for x in [(-0.3, 0.7), (0.2, -0.9), (0.6, 0.1), (-0.5, -0.5)]:
        assert output(network, x) == output(B, x)


def test_the_midpoint_of_every_line_is_right_on_exactly_three_quarters():
    assert {along(order, 5) for order in ORDERS} == {Fraction(3, 4)}


def test_fractions_on_the_better_lines():
    assert along("first layer swapped", 2) == Fraction(495, 544)
    assert along("both swapped", 2) == Fraction(15, 16)


def test_with_the_published_codes_leaky_units_the_ends_are_not_perfect():
    assert 0.998 < accuracy(A, slope=PUBLISHED_SLOPE) < 1
    # f takes both signs then, so that the rule for 0 makes no difference.
    assert accuracy(A, slope=PUBLISHED_SLOPE, zero_is_yes=False) == accuracy(
        A, slope=PUBLISHED_SLOPE
    )


def test_a_grid_of_floats_agrees():
    side = 50
    middles = [(2 * i + 1) / side - 1 for i in range(side)]
    network = between(A, reordered(B, "both swapped"), Fraction(1, 5))
    right = [(output(network, (x, y)) >= 0) == (x < 0 and y > 0) for x in middles for y in middles]
    # Four lines, each through at most 2 * side cells.
    assert abs(np.mean(right) - float(accuracy(network))) < 4 * 2 / side


def test_an_order_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="no order 'third'"):
        reordered(B, "third")
