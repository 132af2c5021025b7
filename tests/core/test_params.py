"""Arithmetic on networks obeys the laws of a vector space; a layout loses nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.params import Layout, combine, dot, lerp, params_of, same_network, untied

seeds = st.integers(0, 2**31)
ts = st.floats(0, 1)


def network(seed: int) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(3, 4, generator=g, dtype=torch.float64),
        "scale": torch.randn((), generator=g, dtype=torch.float64),
        "batches": torch.randint(100, (), generator=g),
    }


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def close(a, b) -> None:
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], rtol=1e-12, atol=1e-12)


def test_a_tied_tensor_is_given_under_its_first_name():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    module[2].weight = module[0].weight
    module[2].register_buffer("same", module[1].running_mean)
    params = params_of(module)
    assert params.keys() - untied(module, params).keys() == {"2.weight", "2.same"}
    assert equal(untied(nn.Sequential(), params), params)  # unknown names are not its business


def test_params_of_holds_parameters_and_buffers_and_no_memory_of_the_module():
    module = nn.BatchNorm1d(3)
    params = params_of(module)
    assert set(params) == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert not any(value.requires_grad for value in params.values())
    params["running_mean"].fill_(7)
    assert not module.running_mean.any()


@given(seed=seeds)
def test_lerp_has_exact_endpoints(seed):
    a, b = network(seed), network(seed + 1)
    assert equal(lerp(a, b, 0.0), a)
    assert equal(lerp(a, b, 1.0), b | {"batches": a["batches"]})


@given(seed=seeds, t=ts)
def test_lerp_from_the_other_end_is_the_same_segment(seed, t):
    a, b = network(seed), network(seed + 1)
    forward, backward = lerp(a, b, t), lerp(b, a, 1 - t)
    close({**forward, "batches": 0 * a["batches"]}, {**backward, "batches": 0 * a["batches"]})


@given(seed=seeds, u=ts, v=ts, w=ts)
def test_combine_is_the_weighted_sum_and_leaves_its_arguments_alone(seed, u, v, w):
    networks = [network(seed + i) for i in range(3)]
    before = [{name: value.clone() for name, value in net.items()} for net in networks]
    total = combine((u, v, w), networks)
    for name in ("weight", "scale"):
        expected = u * networks[0][name] + v * networks[1][name] + w * networks[2][name]
        torch.testing.assert_close(total[name], expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(total["batches"], networks[0]["batches"])
    assert all(equal(net, copy) for net, copy in zip(networks, before, strict=True))
    total["batches"].add_(1)
    assert torch.equal(networks[0]["batches"], before[0]["batches"])


def test_combine_refuses_weights_and_networks_of_different_number():
    with pytest.raises(ValueError, match="zip"):
        combine((0.5, 0.5), (network(0),))


@given(seed=seeds, t=st.floats(-3, 3))
def test_dot_is_symmetric_bilinear_and_positive(seed, t):
    a, b, c = (network(seed + i) for i in range(3))
    assert dot(a, b) == dot(b, a)
    assert dot(combine((1.0, t), (a, b)), c) == pytest.approx(dot(a, c) + t * dot(b, c), abs=1e-9)
    assert dot(a, a) > 0


def test_dot_adds_in_float64():
    ones = {"weight": torch.full((2**12,), 1.0, dtype=torch.bfloat16)}
    third = {"weight": torch.full((2**12,), 1 / 3)}
    assert dot(ones, ones) == 2**12
    assert dot(third, third) == pytest.approx(2**12 * float(torch.tensor(1 / 3)) ** 2, rel=1e-15)


def test_networks_that_differ_are_refused_with_the_first_difference():
    a = network(0)
    same_network(a, network(1))
    with pytest.raises(ValueError, match=r"'scale' is in one of them only \(1 such\)"):
        same_network(a, {name: value for name, value in a.items() if name != "scale"})
    with pytest.raises(ValueError, match=r"in 'weight': \(3, 4\) torch.float64 .* \(4, 3\)"):
        same_network(a, a | {"weight": a["weight"].T})
    with pytest.raises(ValueError, match=r"in 'scale': \(\) torch.float64 .* torch.float32"):
        same_network(a, a | {"scale": a["scale"].float()})


@given(seed=seeds)
def test_a_layout_gives_back_what_was_raveled(seed):
    params = {name: value.double() for name, value in network(seed).items()}
    layout = Layout.of(params)
    flat = layout.ravel(params)
    assert flat.shape == (layout.size,) == (14,)
    assert equal(layout.views(flat), params)
    assert torch.equal(layout.ravel(layout.views(flat)), flat)


def test_a_layout_keeps_its_own_order_whatever_the_order_of_the_dictionary():
    params = {name: value.double() for name, value in network(0).items()}
    layout = Layout.of(params)
    shuffled = dict(reversed(params.items()))
    assert torch.equal(layout.ravel(shuffled), layout.ravel(params))


def test_writing_to_the_buffer_changes_the_views_but_not_what_it_was_made_from():
    params = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
    layout = Layout.of(params)
    flat = layout.ravel(params)
    views = layout.views(flat)
    flat += torch.arange(6.0)
    assert views["weight"].tolist() == [[0, 1], [2, 3]]
    assert views["bias"].tolist() == [4, 5]
    assert not params["weight"].any()


def test_one_tensor_alone_is_copied_by_ravel():
    params = {"bias": torch.zeros(2)}
    Layout.of(params).ravel(params).add_(1)
    assert not params["bias"].any()
