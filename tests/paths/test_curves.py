"""The laws of curves: exact ends, symmetry, and the formulas of the papers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.paths.curves import Curve, bernstein, bezier, chain, hat, midpoint, segment
from modeconn_lib.paths.path import Path

T = st.floats(0, 1)
SEED = st.integers(0, 2**31)


def network(seed):
    g = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(3, 4, generator=g),
        "running_var": torch.rand(3, generator=g),
        "batches": torch.randint(0, 99, (), generator=g),
    }


def curves(seed):
    a, c, b = (network(seed + i) for i in range(3))
    return a, b, [segment(a, b), bezier(a, c, b), chain(a, c, b), chain(a, c, c, b)]


def close(x, y, **options):
    assert x.keys() == y.keys()
    for name, value in x.items():
        torch.testing.assert_close(value, y[name], **options)


@given(seed=SEED)
def test_the_ends_are_exactly_the_given_networks(seed):
    a, b, found = curves(seed)
    for curve in found:
        assert isinstance(curve, Path)
        close(curve.at(0.0), a, rtol=0, atol=0)
        close(curve.at(1.0), b, rtol=0, atol=0)


@given(seed=SEED, t=st.floats(0.001, 0.999))
def test_swapping_the_ends_walks_the_other_way(seed, t):
    a, c, b = (network(seed + i) for i in range(3))
    for make in (bezier, chain):
        there, back = make(a, c, b).at(t), make(b, c, a).at(1 - t)
        for name in ("weight", "running_var"):
            torch.testing.assert_close(there[name], back[name], rtol=1e-4, atol=1e-5)


@given(seed=SEED, t=T)
def test_a_bezier_through_the_midpoint_is_the_segment(seed, t):
    a, b = network(seed), network(seed + 1)
    close(bezier(a, midpoint(a, b), b).at(t), segment(a, b).at(t), rtol=1e-4, atol=1e-5)


@given(seed=SEED, t=T)
def test_the_bezier_is_equation_seven(seed, t):
    a, c, b = (network(seed + i) for i in range(3))
    found = bezier(a, c, b).at(t)["weight"]
    wanted = (1 - t) ** 2 * a["weight"] + 2 * t * (1 - t) * c["weight"] + t**2 * b["weight"]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@given(seed=SEED, inner=st.integers(0, 4))
def test_a_chain_passes_through_its_points_at_its_breakpoints(seed, inner):
    points = [network(seed + i) for i in range(inner + 2)]
    curve = chain(*points)
    assert curve.breakpoints[0] == 0
    assert curve.breakpoints[-1] == 1
    for t, point in zip(curve.breakpoints, points, strict=True):
        torch.testing.assert_close(curve.at(t)["weight"], point["weight"], rtol=1e-5, atol=1e-6)


@given(t=T, points=st.integers(2, 6))
def test_weights_are_a_mixture(t, points):
    for weights in (bernstein(t, points), hat(t, points)):
        assert len(weights) == points
        assert min(weights) >= 0
        assert sum(weights) == pytest.approx(1)


def test_changing_a_point_of_the_path_does_not_change_the_given_network():
    a, b = network(0), network(1)
    segment(a, b).at(0.0)["weight"].zero_()
    assert a["weight"].abs().sum() > 0


@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan")])
def test_t_outside_the_unit_interval_is_refused(t):
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\], got"):
        segment(network(0), network(1)).at(t)


def test_a_curve_between_different_networks_is_refused():
    other = {**network(1), "weight": torch.zeros(2, 2)}
    with pytest.raises(ValueError, match="the networks differ in 'weight'"):
        segment(network(0), other)


def test_a_curve_of_one_point_is_refused():
    with pytest.raises(ValueError, match="at least 2 control points, got 1"):
        Curve((network(0),), hat, (0.0, 1.0))
