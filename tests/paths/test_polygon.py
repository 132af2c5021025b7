"""A polygon goes straight from corner to corner and makes each of them once."""

import pytest
import torch

from modeconn_lib.paths.path import Path
from modeconn_lib.paths.polygon import Polygon

CORNERS = (0.0, 1.0, 5.0, 2.0)


def polygon(made: list[int]) -> Polygon:
    def corner(i):
        made.append(i)
        return {"w": torch.tensor([CORNERS[i]]), "count": torch.tensor(i)}

    return Polygon(corner, len(CORNERS) - 1)


def test_it_is_straight_between_its_corners_and_exact_at_them():
    path = polygon([])
    assert isinstance(path, Path)
    for i, b in enumerate(path.breakpoints):
        assert path.at(b)["w"].item() == CORNERS[i]
        assert path.at(b)["count"].item() == i
    assert path.at(0.5)["w"].item() == pytest.approx(3.0)
    assert path.at(1 / 3 + 0.25 / 3)["w"].item() == pytest.approx(2.0)


def test_walked_in_order_every_corner_is_made_once():
    made: list[int] = []
    path = polygon(made)
    for i in range(31):
        path.at(i / 30)
    assert made == [0, 1, 2, 3]


def test_what_it_returns_can_be_written_to():
    path = polygon([])
    path.at(0.0)["w"].fill_(9.0)
    assert path.at(0.0)["w"].item() == 0.0


@pytest.mark.parametrize("t", [-0.1, 1.1])
def test_t_outside_is_refused(t):
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        polygon([]).at(t)


def test_a_polygon_without_legs_is_refused():
    with pytest.raises(ValueError, match="at least 1 leg, got 0"):
        Polygon(lambda i: {}, 0)


@pytest.mark.parametrize("legs", [3, 7, 49, 1999])
def test_every_breakpoint_is_a_corner_whatever_the_rounding(legs):
    path = Polygon(lambda i: {"w": torch.tensor([float(i)], dtype=torch.float64)}, legs)
    for i, b in enumerate(path.breakpoints):
        assert path.at(b)["w"].item() == i
