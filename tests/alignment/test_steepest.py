"""The steepest reordering: lowest inner product with the gradient, exact for one hidden layer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.alignment.steepest import steepest_descent
from modeconn_lib.core.params import dot
from modeconn_lib.permutation.apply import permute
from tests.reference import specs
from tests.reference.weight_matching import best_of_all

SPEC = specs.mlp((4,))
SHAPES = {"fc1.weight": (4, 3), "fc1.bias": (4,), "fc.weight": (2, 4)}
SEEDS = st.integers(0, 2**31)


def draw(seed):
    g = torch.Generator().manual_seed(seed)
    made = {n: torch.randn(s, generator=g, dtype=torch.float64) for n, s in SHAPES.items()}
    return {**made, "count": torch.tensor(2)}


@given(seed=SEEDS)
def test_with_one_hidden_layer_no_reordering_is_steeper(seed):
    gradient, b = draw(seed), draw(seed + 1)
    found = steepest_descent(SPEC, gradient, b)
    uphill = {n: -v for n, v in gradient.items() if n != "count"}
    theirs = {n: v for n, v in b.items() if n != "count"}
    assert found.objective == pytest.approx(-best_of_all(SPEC, uphill, theirs))


@given(seed=SEEDS)
def test_objectives_are_inner_products_with_the_gradient_and_fall(seed):
    gradient, b = draw(seed), draw(seed + 1)
    found = steepest_descent(SPEC, gradient, b, orders=2, seed=seed)
    assert found.start == pytest.approx(dot(gradient, b))
    assert found.objective == pytest.approx(dot(gradient, permute(b, SPEC, found.permutations)))
    assert found.objective <= found.start
    assert found.objective == min(*found.objectives, found.start)


def test_the_loss_falls_faster_than_towards_b_itself():
    a, b, g = draw(0), draw(1), torch.Generator().manual_seed(2)
    x = torch.randn(50, 3, dtype=torch.float64, generator=g)

    def loss(net):
        hidden = torch.relu(x @ net["fc1.weight"].T + net["fc1.bias"])
        return (hidden @ net["fc.weight"].T - 1).square().mean()

    gradient = torch.func.grad(lambda net: loss(a | net))({n: a[n] for n in SHAPES})
    found = steepest_descent(SPEC, gradient, {n: b[n] for n in SHAPES})

    def slope(other):
        step = {n: a[n] + 1e-6 * (other[n] - a[n]) for n in SHAPES}
        return float(loss(step) - loss(a)) / 1e-6

    assert slope(permute(b, SPEC, found.permutations)) < slope(b)
