"""The plane through three networks: where they are in it, what lies in it, what has no plane."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.params import combine, lerp, params_of
from modeconn_lib.evaluation.planes import Grid, Plane, through, trace
from modeconn_lib.paths.curves import bezier, chain, segment

SEED = st.integers(0, 2**31)
ROUNDING = 1e-6  # of the networks' length: float32 weights


def module():
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


def network(seed):
    """Weights about as large as trained ones, and batch-norm statistics that mean nothing here."""
    g = torch.Generator().manual_seed(seed)
    found = params_of(module())
    for name, value in found.items():
        if value.is_floating_point():
            found[name] = torch.randn(value.shape, generator=g)
    return found


def flat(params):
    return torch.cat([params[n].reshape(-1) for n, _ in module().named_parameters()]).double()


def written(plane, x, y):
    out = torch.empty(plane.layout.size)
    plane.write(x, y, out)
    return out.double()


def length(seed):
    return float(flat(network(seed)).norm())


@given(seed=SEED)
def test_the_three_networks_are_where_they_should_be(seed):
    a, b, c = (network(seed + i) for i in range(3))
    plane = through(module(), a, b, c)
    places = [plane.place(one) for one in (a, b, c)]
    assert [(p.x, p.y) for p in places[:2]] == [(0, 0), pytest.approx((1, 0), abs=1e-12)]
    assert places[2].y == pytest.approx(1)
    assert max(p.distance for p in places) <= 1e-12 * plane.width
    for one, place in zip((a, b, c), places, strict=True):
        found = written(plane, place.x, place.y)
        torch.testing.assert_close(found, flat(one), rtol=1e-6, atol=1e-7)


@given(seed=SEED)
def test_the_axes_are_at_right_angles_and_as_long_as_they_say(seed):
    a, b, c = (network(seed + i) for i in range(3))
    plane = through(module(), a, b, c)
    assert abs(float(plane.across @ plane.up)) <= 1e-12 * plane.width * plane.height
    assert plane.width == pytest.approx(float((flat(b) - flat(a)).norm()))
    to_c = float((flat(c) - flat(a)).norm())
    assert math.hypot(plane.place(c).x * plane.width, plane.height) == pytest.approx(to_c)


def test_axes_are_at_right_angles_though_the_networks_nearly_lie_on_a_line():
    a, b, aside = (network(seed) for seed in range(3))
    plane = through(module(), a, b, combine((0.3, 0.7, 1e-4), (a, b, aside)))
    assert abs(float(plane.across @ plane.up)) <= 1e-10 * plane.width * plane.height


@given(seed=SEED, x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_what_is_written_is_found_there_again(seed, x, y):
    plane = through(module(), *(network(seed + i) for i in range(3)))
    out = plane.layout.views(written(plane, x, y).float())
    place = plane.place(out)
    assert (place.x, place.y) == pytest.approx((x, y), abs=1e-5)
    assert place.distance <= ROUNDING * 6 * length(seed)


@given(seed=SEED)
def test_the_distance_from_the_plane_is_the_shortest_way_to_it(seed):
    a, b, c, other = (network(seed + i) for i in range(4))
    plane = through(module(), a, b, c)
    place = plane.place(other)
    basis = np.stack([plane.across.numpy(), plane.up.numpy()], 1)
    away = (flat(other) - flat(a)).numpy()
    (x, y), *_ = np.linalg.lstsq(basis, away, rcond=None)
    assert (place.x, place.y) == pytest.approx((x, y), abs=1e-9)
    assert place.distance == pytest.approx(np.linalg.norm(away - basis @ [x, y]))


@given(seed=SEED)
def test_a_bezier_curve_lies_in_the_plane_of_its_ends_and_its_inner_point(seed):
    a, c, b = (network(seed + i) for i in range(3))
    plane, curve = through(module(), a, b, c), bezier(a, c, b)
    ts = (0.0, 0.2, 0.5, 0.9, 1.0)
    places = trace(plane, curve, ts)
    assert max(p.distance for p in places) <= ROUNDING * length(seed)
    top = plane.place(c).x
    for t, p in zip(ts, places, strict=True):
        # The curve's formula holds for coordinates, too; the inner point is at (top, 1).
        assert p.y == pytest.approx(2 * t * (1 - t), abs=1e-6)
        assert p.x == pytest.approx(2 * t * (1 - t) * top + t**2, abs=1e-6)


def test_through_its_middle_a_bezier_curve_has_the_same_plane():
    a, c, b = (network(seed) for seed in range(3))
    curve = bezier(a, c, b)
    plane = through(module(), a, b, curve.at(0.5))
    assert plane.place(c).distance <= ROUNDING * length(0)
    assert plane.place(c).y == pytest.approx(2, abs=1e-5)
    assert max(p.distance for p in trace(plane, curve, (0.1, 0.7))) <= ROUNDING * length(0)


def test_a_path_out_of_the_plane_is_seen_to_leave_it():
    a, b, c, other = (network(seed) for seed in range(4))
    plane = through(module(), a, b, c)
    first, out, _ = trace(plane, chain(a, other, b), (0.0, 0.5, 1.0))
    assert first.distance == 0
    assert out.distance > 0.1 * length(0)


def test_a_segment_is_walked_along_the_x_axis():
    a, b, c = (network(seed) for seed in range(3))
    places = trace(through(module(), a, b, c), segment(a, b), (0.0, 0.25, 1.0))
    assert [p.x for p in places] == pytest.approx([0, 0.25, 1], abs=1e-6)
    assert [p.y for p in places] == pytest.approx([0, 0, 0], abs=1e-6)


def test_statistics_have_no_place_in_the_plane():
    a, b, c = (network(seed) for seed in range(3))
    moved = {**c, "1.running_mean": c["1.running_mean"] + 100}
    one, other = through(module(), a, b, c), through(module(), a, b, moved)
    assert torch.equal(one.up, other.up)
    assert one.place(moved) == one.place(c)
    bare = {name: c[name] for name, _ in module().named_parameters()}
    assert torch.equal(through(module(), a, b, bare).up, one.up)


def test_networks_are_not_changed():
    networks = [network(seed) for seed in range(3)]
    before = [{n: v.clone() for n, v in one.items()} for one in networks]
    plane = through(module(), *networks)
    plane.place(networks[2])
    for one, old in zip(networks, before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in one.items())


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0, 0.123])
def test_three_networks_on_one_line_are_refused(t):
    a, b = network(0), network(1)
    with pytest.raises(ValueError, match="the three networks lie on one line up to rounding"):
        through(module(), a, b, lerp(a, b, t))


def test_two_equal_networks_are_refused():
    with pytest.raises(ValueError, match="the first and the second network are the same"):
        through(module(), network(0), network(0), network(1))


def test_a_third_network_close_to_the_line_is_not_taken_for_one_on_it():
    a, b, aside = (network(seed) for seed in range(3))
    third = combine((0.5, 0.5, 1e-3), (a, b, aside))
    assert through(module(), a, b, third).height == pytest.approx(1e-3 * length(2), rel=0.3)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_network_that_is_not_finite_is_refused(value):
    broken = network(1)
    broken["0.weight"][1, 2] = value
    with pytest.raises(ValueError, match="the second network has 1 entries that are not finite"):
        through(module(), network(0), broken, network(2))


def test_networks_of_another_shape_are_refused():
    other = {**network(2), "0.weight": torch.zeros(4, 6)}
    with pytest.raises(ValueError, match=r"the networks differ in '0.weight': \(4, 5\)"):
        through(module(), network(0), network(1), other)
    with pytest.raises(ValueError, match=r"a tensor '0.weight' of shape \(4, 5\); of this .* \(4"):
        through(module(), *map(network, range(3))).place(other)


def test_a_network_that_lacks_a_tensor_is_refused():
    lacking = {name: value for name, value in network(2).items() if name != "2.bias"}
    with pytest.raises(ValueError, match=r"'2.bias' is in one of them only"):
        through(module(), network(0), network(1), lacking)
    with pytest.raises(ValueError, match=r"a tensor '2.bias' of shape .*it is None"):
        through(module(), *map(network, range(3))).place(lacking)


@given(resolution=st.integers(2, 40), low=st.floats(-3, 0), high=st.floats(0.1, 3))
def test_a_grid_is_even_and_holds_the_ends_of_its_ranges(resolution, low, high):
    found = Grid.over((low, high), (0.0, 1.0), resolution)
    assert (found.xs[0], found.xs[-1], found.ys[0], found.ys[-1]) == (low, high, 0, 1)
    steps = np.diff(found.xs)
    assert steps == pytest.approx(steps[0])
    assert len(found.xs) == len(found.ys) == resolution


def test_the_points_of_a_grid_go_row_by_row():
    found = Grid((0.0, 1.0), (5.0, 6.0)).points
    assert found == ((0.0, 5.0), (1.0, 5.0), (0.0, 6.0), (1.0, 6.0))


def test_grids_without_an_extent_are_refused():
    with pytest.raises(ValueError, match="at least 2 columns and rows, got 1"):
        Grid.over((0.0, 1.0), (0.0, 1.0), 1)
    with pytest.raises(ValueError, match=r"must rise, got 1.0 to 0.5"):
        Grid.over((0.0, 1.0), (1.0, 0.5), 3)


def test_a_plane_on_a_device_is_the_same_plane():
    plane = through(module(), *(network(seed) for seed in range(3)))
    there = plane.to(torch.device("cpu"))
    assert isinstance(there, Plane)
    assert torch.equal(written(there, 0.2, 0.7), written(plane, 0.2, 0.7))
