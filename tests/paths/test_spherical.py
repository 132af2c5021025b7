"""The laws of the arc: exact ends, its sphere, its speed, and what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.params import lerp, params_of
from modeconn_lib.paths.path import Path
from modeconn_lib.paths.spherical import angle_between, slerp

T = st.floats(0, 1)
SEED = st.integers(0, 2**31)
MODULE = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
NAMES = [name for name, _ in MODULE.named_parameters()]


def network(seed):
    """Values of no order at all: float64, so that the laws hold to its digits."""
    g = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(value.shape, generator=g, dtype=torch.float64)
        if value.is_floating_point()
        else torch.randint(99, value.shape, generator=g)
        for name, value in params_of(MODULE).items()
    }


def vector(params):
    return torch.cat([params[name].reshape(-1).double() for name in NAMES])


def on_the_unit_sphere(params):
    norm = vector(params).norm()
    return {n: value / norm if n in NAMES else value for n, value in params.items()}


@given(seed=SEED)
def test_the_ends_are_exactly_the_given_networks(seed):
    a, b = network(seed), network(seed + 1)
    path = slerp(MODULE, a, b)
    assert isinstance(path, Path)
    assert path.breakpoints == (0.0, 1.0)
    for t, end in ((0.0, a), (1.0, b)):
        found = path.at(t)
        assert found.keys() == end.keys()
        assert all(torch.equal(found[name], end[name]) for name in end)


@given(seed=SEED, t=T)
def test_between_networks_of_one_norm_the_norm_stays(seed, t):
    path = slerp(MODULE, *(on_the_unit_sphere(network(seed + i)) for i in (0, 1)))
    assert float(vector(path.at(t)).norm()) == pytest.approx(1.0, rel=1e-9)


@given(seed=SEED, t=T)
def test_the_angle_grows_at_constant_speed(seed, t):
    a, b = (on_the_unit_sphere(network(seed + i)) for i in (0, 1))
    path = slerp(MODULE, a, b)
    whole = math.acos(float(vector(a) @ vector(b)))
    assert path.angle == pytest.approx(whole, abs=1e-7)
    assert angle_between(vector(a), vector(path.at(t))) == pytest.approx(t * whole, abs=1e-7)


@given(seed=SEED, t=T)
def test_swapping_the_ends_walks_the_other_way(seed, t):
    a, b = network(seed), network(seed + 1)
    there, back = slerp(MODULE, a, b).at(t), slerp(MODULE, b, a).at(1 - t)
    torch.testing.assert_close(vector(there), vector(back), rtol=1e-9, atol=1e-9)


@given(seed=SEED)
def test_halfway_is_the_middle_of_the_chord_made_longer(seed):
    a, b = network(seed), network(seed + 1)
    path = slerp(MODULE, a, b)
    wanted = (vector(a) + vector(b)) / (2 * math.cos(path.angle / 2))
    torch.testing.assert_close(vector(path.at(0.5)), wanted, rtol=1e-9, atol=1e-9)


@given(seed=SEED, t=st.floats(0.01, 0.99))
def test_buffers_go_along_the_straight_line_and_do_not_turn_the_angle(seed, t):
    a, b = network(seed), network(seed + 1)
    other = {**b, "1.running_mean": 100 * b["1.running_mean"]}
    assert slerp(MODULE, a, b).angle == slerp(MODULE, a, other).angle
    found, wanted = slerp(MODULE, a, b).at(t), lerp(a, b, t)
    for name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(found[name], wanted[name])


@given(seed=SEED, t=T, step=st.sampled_from([0.0, 1e-12, 1e-6]))
def test_between_nearly_equal_networks_the_arc_is_the_line(seed, t, step):
    a, c = network(seed), network(seed + 1)
    b = lerp(a, c, step)
    torch.testing.assert_close(
        vector(slerp(MODULE, a, b).at(t)), vector(lerp(a, b, t)), rtol=1e-8, atol=1e-12
    )


def test_from_a_network_of_zeros_the_arc_is_the_line():
    b = network(0)
    a = {name: torch.zeros_like(value) for name, value in b.items()}
    torch.testing.assert_close(slerp(MODULE, a, b).at(0.25)["0.weight"], 0.25 * b["0.weight"])


def test_a_parameter_with_two_names_stays_one():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    torch.manual_seed(0)
    a, b = params_of(module), {n: torch.randn_like(v) for n, v in params_of(module).items()}
    b["1.weight"] = b["0.weight"]
    found = slerp(module, a, b).at(0.3)
    assert torch.equal(found["0.weight"], found["1.weight"])


def test_opposite_networks_are_refused():
    a = network(0)
    b = {n: -value if value.is_floating_point() else value for n, value in a.items()}
    with pytest.raises(ValueError, match="point in opposite directions"):
        slerp(MODULE, a, b)


def test_different_networks_are_refused():
    with pytest.raises(ValueError, match=r"the networks differ in '0\.weight'"):
        slerp(MODULE, network(0), {**network(1), "0.weight": torch.zeros(2, 2)})


@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan")])
def test_t_outside_the_unit_interval_is_refused(t):
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\], got"):
        slerp(MODULE, network(0), network(1)).at(t)


def test_changing_a_point_of_the_path_does_not_change_the_given_network():
    a, b = network(0), network(1)
    for t in (0.0, 0.5):
        slerp(MODULE, a, b).at(t)["0.weight"].zero_()
    assert a["0.weight"].abs().sum() > 0
