"""The bounds of appendix C.1 bound, and their premise is what it is said to be."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.evaluation import bounds
from modeconn_lib.evaluation.bounds import LOSSES, loss_bound, measure_segment, recursion
from modeconn_lib.evaluation.chains import (
    Layer,
    chain,
    homogeneous,
    homogeneous_norms,
    layer_names,
    mix,
    preactivations,
    spectral_norms,
)
from modeconn_lib.models.mlp import mlp
from tests.reference import bounds as slow

T = np.array([0.0, 0.2, 0.5, 0.9, 1.0])


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int, sizes=(5, 4, 3, 2)):
    drawn = source(seed)
    return tuple(
        Layer(
            torch.randn(n, m, generator=drawn, dtype=torch.float64),
            torch.randn(n, generator=drawn, dtype=torch.float64),
        )
        for m, n in pairwise(sizes)
    )


def images(seed: int, count: int = 7):
    drawn = source(1000 + seed)
    x = torch.randn(count, 5, generator=drawn, dtype=torch.float64)
    return x, torch.randint(0, 2, (count,), generator=drawn)


def plain(layers):
    return [(layer.weight.numpy(), layer.bias.numpy()) for layer in layers]


def bounded(a, b, found, t=T):
    return recursion(found.ends, spectral_norms(a), spectral_norms(b), t)


def test_distances_are_those_found_image_by_image():
    a, b, (x, y) = network(0), network(1), images(0)
    found = measure_segment(a, b, [(x, y)], T)
    for i in range(3):
        apart = slow.distance(plain(a), plain(b), x.numpy(), i)
        assert found.ends[i] == pytest.approx(apart, rel=1e-12)
        for k, t in enumerate(T):
            here = slow.mixed(plain(a), plain(b), t)
            for end, mine in ((a, found.to_a), (b, found.to_b)):
                expected = slow.distance(here, plain(end), x.numpy(), i)
                assert mine[k, i] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    expected = [slow.deviation(plain(a), plain(b), x.numpy(), t) for t in T]
    np.testing.assert_allclose(found.deviation, expected, rtol=1e-12, atol=1e-12)


def test_losses_are_those_of_torch():
    a, b, (x, y) = network(0), network(1), images(0)
    found = measure_segment(a, b, [(x, y)], T)
    for k, t in enumerate(T):
        outputs = preactivations(mix(a, b, t), x)[-1]
        assert found.losses["cross_entropy"][k] == pytest.approx(
            float(nn.functional.cross_entropy(outputs, y)), rel=1e-12
        )
        apart = outputs - nn.functional.one_hot(y, 2)
        error = float(apart.norm() / len(x) ** 0.5)
        assert found.losses["rmse"][k] == pytest.approx(error, rel=1e-12)


def test_how_images_come_in_batches_does_not_matter():
    a, b, (x, y) = network(0), network(1), images(0)
    whole = measure_segment(a, b, [(x, y)], T)
    parts = measure_segment(a, b, [(x[:2], y[:2]), (x[2:], y[2:])], T)
    np.testing.assert_allclose(parts.to_a, whole.to_a, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(parts.losses["rmse"], whole.losses["rmse"], rtol=1e-12)


def test_bounds_are_those_found_by_hand():
    a, b, (x, y) = network(0), network(1), images(0)
    found = bounded(a, b, measure_segment(a, b, [(x, y)], T))
    for k, t in enumerate(T):
        to_a, to_b, deviation = slow.bounds(plain(a), plain(b), x.numpy(), t)
        np.testing.assert_allclose(found.to_a[k], to_a, rtol=1e-12)
        np.testing.assert_allclose(found.to_b[k], to_b, rtol=1e-12)
        assert found.deviation[k] == pytest.approx(deviation, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 4))
def test_nothing_true_exceeds_its_bound(seed, depth):
    sizes = (5, *(4,) * (depth - 1), 2)
    a, b, batch = network(seed, sizes), network(seed + 1, sizes), images(seed)
    found = measure_segment(a, b, [batch], T)
    high = bounded(a, b, found)
    slack = 1 + 1e-12
    assert (found.to_a[:, :-1] <= high.to_a * slack + 1e-12).all()
    assert (found.to_b[:, :-1] <= high.to_b * slack + 1e-12).all()
    assert (found.deviation <= high.deviation * slack + 1e-12).all()
    for name, values in found.losses.items():
        bound = loss_bound(values[0], values[-1], high.deviation, T, LOSSES[name].constant)
        assert (values <= bound * slack + 1e-12).all()


def test_of_the_first_layer_distances_are_shares_of_the_difference_not_of_the_sum():
    # Equations 15 and 16, which print a plus.
    a, b, (x, y) = network(0), network(1), images(0)
    found = measure_segment(a, b, [(x, y)], T)
    np.testing.assert_allclose(found.to_a[:, 0], T * found.ends[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.to_b[:, 0], (1 - T) * found.ends[0], rtol=1e-12, atol=1e-14)
    of_a, of_b = preactivations(a, x)[0], preactivations(b, x)[0]
    total = float((of_a + of_b).norm() / len(x) ** 0.5)
    assert abs(total - found.ends[0]) > 0.1


@settings(max_examples=40, deadline=None)
@given(
    ends=st.lists(st.floats(0, 10), min_size=3, max_size=3),
    less=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    norms=st.lists(st.floats(0, 3), min_size=8, max_size=8),
)
def test_a_b_that_is_nearer_in_every_layer_has_the_lower_bounds(ends, less, norms):
    a, b = np.array(norms[:4]), np.array(norms[4:])
    high = recursion(np.array([*ends, 1.0]), a, b, T)
    nearer = np.array([*(e * share for e, share in zip(ends, less, strict=True)), 9.0])
    low = recursion(nearer, a, b, T)
    for name in ("to_a", "to_b", "deviation"):
        assert (getattr(low, name) <= getattr(high, name) * (1 + 1e-12)).all()


def test_a_flatter_nonlinearity_lowers_what_is_carried_on():
    ends, norms = np.array([1.0, 0.5, 1.0]), np.array([2.0, 3.0, 4.0])
    relu, half = (recursion(ends, norms, norms, T, lipschitz) for lipschitz in (1.0, 0.5))
    np.testing.assert_allclose(half.to_a[:, 0], relu.to_a[:, 0])
    carried = relu.to_a[:, 1] - T * 0.5
    np.testing.assert_allclose(half.to_a[:, 1], 0.5 * carried + T * 0.5, atol=1e-14)
    assert (half.deviation[1:-1] < relu.deviation[1:-1] / 2 + 1e-9).all()


def test_reordering_units_moves_preactivations_and_changes_no_norm():
    a, b, (x, y) = network(0), network(1), images(0)
    p, q = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    moved = (
        Layer(b[0].weight[p], b[0].bias[p]),
        Layer(b[1].weight[q][:, p], b[1].bias[q]),
        Layer(b[2].weight[:, q], b[2].bias),
    )
    np.testing.assert_allclose(spectral_norms(moved), spectral_norms(b), rtol=1e-12)
    of_b, of_moved = preactivations(b, x), preactivations(moved, x)
    for order, before, after in zip((p, q, slice(None)), of_b, of_moved, strict=True):
        torch.testing.assert_close(after, before[:, order])
    asis, other = (measure_segment(a, end, [(x, y)], T).ends for end in (b, moved))
    assert (abs(asis - other)[:2] > 1e-3).all()
    assert asis[2] == pytest.approx(other[2])


def test_spectral_norms_are_the_largest_singular_values():
    expected = [slow.norm(weight) for weight, _ in plain(network(3))]
    np.testing.assert_allclose(spectral_norms(network(3)), expected, rtol=1e-12)


def test_homogeneous_coordinates_compute_the_same_and_have_the_larger_norm():
    (layer, *_), (x, _) = network(0), images(0)
    wide = torch.cat([x, torch.ones(len(x), 1)], 1) @ homogeneous(layer).T
    torch.testing.assert_close(wide[:, :-1], x @ layer.weight.T + layer.bias)
    assert (wide[:, -1] == 1).all()
    assert (homogeneous_norms(network(0)) > spectral_norms(network(0))).all()


def test_true_distances_of_the_last_hidden_layer_give_a_bound_between():
    a, b, batch = network(0), network(1), images(0)
    found = measure_segment(a, b, [batch], T)
    last = spectral_norms(a)[-1], spectral_norms(b)[-1]
    half = bounds.last_layer(found.to_a[:, -2], found.to_b[:, -2], *last, T)
    assert (found.deviation[1:-1] < half[1:-1]).all()
    assert (half[1:-1] < bounded(a, b, found).deviation[1:-1]).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 30))
def test_cross_entropy_changes_no_faster_than_its_constant(seed, scale):
    drawn = source(seed)
    x, y = (scale * torch.randn(6, 5, generator=drawn, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(0, 5, (6,), generator=drawn)
    change = (bounds.cross_entropy(x, labels) - bounds.cross_entropy(y, labels)).abs()
    constant = LOSSES["cross_entropy"].constant
    assert (change <= constant * (x - y).norm(dim=1) * (1 + 1e-12)).all()


def test_the_constant_of_cross_entropy_cannot_be_less():
    # All belief in one wrong class: the gradient is one-hot minus one-hot.
    logits = torch.tensor([[30.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = bounds.cross_entropy(logits, torch.tensor([1])).sum()
    (slope,) = torch.autograd.grad(loss, logits)
    assert float(slope.norm()) == pytest.approx(LOSSES["cross_entropy"].constant, rel=1e-9)


def test_a_bound_is_the_loss_itself_at_both_ends():
    deviation = recursion(np.ones(3), np.ones(3), np.ones(3), T).deviation
    assert deviation[[0, -1]].tolist() == [0, 0]
    bound = loss_bound(0.3, 0.7, deviation, T, 2.0)
    assert bound[[0, -1]].tolist() == [0.3, 0.7]
    printed = bounds.printed_bound(0.3, 0.7, deviation)
    np.testing.assert_allclose(printed, deviation + 0.7)
    assert (printed >= loss_bound(0.3, 0.7, deviation, T, 1.0) - 1e-12).all()


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="need at least one image, got none"):
        measure_segment(network(0), network(1), [], T)


def test_a_perceptron_is_a_chain():
    module = mlp((1, 3, 3), 2, (5, 4))
    layers = chain(module, module.state_dict())
    assert layer_names(module) == ("fc1", "fc2", "fc")
    x = torch.randn(6, 1, 3, 3, generator=source(0))
    found = preactivations(layers, x.flatten(1).double())[-1]
    torch.testing.assert_close(found, module(x).detach().double(), rtol=1e-5, atol=1e-6)
    bare = nn.Sequential(nn.Sequential(nn.Linear(2, 2, bias=False)), nn.ReLU(), nn.Linear(2, 1))
    assert layer_names(bare) == ("0.0", "2")
    assert not chain(bare, bare.state_dict())[0].bias.any()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), "0 is a Conv2d, where a chain .* a Flatten"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), "1 is a Linear, where .* has a ReLU"),
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh()), "1 is a Tanh, where .* has a ReLU"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "ends without a linear layer"),
        (nn.Bilinear(1, 1, 1), "the network is a Bilinear"),
    ],
)
def test_what_is_no_chain_is_refused(module, message):
    with pytest.raises(ValueError, match=message):
        layer_names(module)
