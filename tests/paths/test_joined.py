"""Joined paths are walked one after another, and only where each begins where the last ended."""

import pytest
import torch

from modeconn_lib.paths.curves import chain, segment
from modeconn_lib.paths.joined import joined
from modeconn_lib.paths.path import Path


def point(value: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([value], dtype=torch.float64)}


def test_each_part_is_walked_in_its_share():
    path = joined(
        segment(point(0), point(1)), chain(point(1), point(3), point(2)), shares=(1.0, 3.0)
    )
    assert isinstance(path, Path)
    assert path.breakpoints == pytest.approx((0, 0.25, 0.625, 1))
    for t, value in ((0.0, 0), (0.125, 0.5), (0.25, 1), (0.625, 3), (0.8125, 2.5), (1.0, 2)):
        assert path.at(t)["w"].item() == pytest.approx(value)


def test_joints_and_corners_are_exact():
    legs = [chain(*(point(v) for v in (i, i + 0.1, i + 1))) for i in range(7)]
    path = joined(*legs, shares=[1 / 3 + i for i in range(7)])
    corners = [value for i in range(7) for value in (float(i), i + 0.1)] + [7.0]
    for b, corner in zip(path.breakpoints, corners, strict=True):
        assert path.at(b)["w"].item() == corner


def test_parts_that_do_not_meet_are_refused():
    parts = segment(point(0), point(1)), segment(point(1 + 1e-12), point(2))
    with pytest.raises(ValueError, match="path 1 does not end where path 2 begins: 'w' differs"):
        joined(*parts)


@pytest.mark.parametrize("shares", [(1.0,), (1.0, 0.0), (1.0, 1.0, 1.0)])
def test_shares_that_do_not_fit_are_refused(shares):
    parts = segment(point(0), point(1)), segment(point(1), point(2))
    with pytest.raises(ValueError, match="a positive share for each, got 2 paths"):
        joined(*parts, shares=shares)
    with pytest.raises(ValueError, match="at least one"):
        joined()


@pytest.mark.parametrize("t", [-1e-9, 1.5])
def test_t_outside_is_refused(t):
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        joined(segment(point(0), point(1))).at(t)
