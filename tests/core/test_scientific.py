"""Numbers are written as a reader reads them."""

import math

import pytest

from modeconn_lib.core.scientific import scientific


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-8, "10⁻⁸"),
        (2.24e-5, "2.2 × 10⁻⁵"),
        (-3e-14, "-3 × 10⁻¹⁴"),
        (-1e-10, "-1 × 10⁻¹⁰"),
        (9.99e-5, "10⁻⁴"),
        (123456.0, "1.2 × 10⁵"),
        (12345.0, "12000"),
        (0.01, "0.01"),
        (0.0123, "0.012"),
        (1.0, "1"),
        (0.0, "0"),
        (-0.0, "0"),
    ],
)
def test_small_and_large_numbers_are_powers_of_ten_and_others_are_plain(value, text):
    assert scientific(value) == text


def test_digits_can_be_chosen():
    assert scientific(math.pi * 1e-6, 1) == "3 × 10⁻⁶"
    assert scientific(math.pi * 1e-6, 4) == "3.142 × 10⁻⁶"
