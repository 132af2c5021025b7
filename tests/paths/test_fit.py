"""Learning a curve: the fused step against autograd through the formula, and its effect."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths.curves import bezier, chain, midpoint, segment
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.training.fit import Recipe, fit

EXACT = Machine.reference()


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(16, 1, 6, 6, generator=g), torch.randint(3, (16,), generator=g)


def slow_gradient(module, curve, penalty, images, labels, t):
    """Autograd through every control point: as many copies of the network as points."""
    names = [name for name, _ in module.named_parameters()]
    inner = [
        {name: point[name].clone().requires_grad_() for name in names}
        for point in curve.points[1:-1]
    ]
    points = [curve.points[0], *inner, curve.points[-1]]
    weights = curve.weights(t, len(points))
    at_t = {n: sum(w * p[n] for w, p in zip(weights, points, strict=True)) for n in names}
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    loss = nn.functional.cross_entropy(
        functional_call(module.train(), {**at_t, **buffers}, (images,)), labels
    )
    loss = loss + 0.5 * penalty * sum(value.square().sum() for value in at_t.values())
    loss.backward()
    return loss.detach(), torch.stack(
        [torch.cat([point[name].grad.reshape(-1) for name in names]) for point in inner]
    )


@pytest.mark.parametrize("inner", [1, 2, 3])
@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_the_fused_step_is_autograd_through_the_formula(inner, penalty):
    module = network(0)
    points = [params_of(network(seed)) for seed in range(inner + 2)]
    curve = bezier(*points) if inner == 1 else chain(*points)
    images, labels = batch()
    t = float(torch.rand((), generator=generator(7), dtype=torch.float64))
    wanted_loss, wanted = slow_gradient(module, curve, penalty, images, labels, t)
    objective = LearnCurve(module, curve, EXACT, penalty)
    step = objective.gradient(images, labels, generator(7))
    torch.testing.assert_close(step.loss, wanted_loss)
    torch.testing.assert_close(objective.inner.grad, wanted, rtol=1e-4, atol=1e-6)


class Toy:
    steps, examples = 4, 64

    def __call__(self, epoch, step):
        return batch(step)


def learned(epochs=5, **options):
    module, a, b = network(0), params_of(network(1)), params_of(network(2))
    start = bezier(a, midpoint(a, b), b)
    objective = LearnCurve(module, start, EXACT, **options)
    history = fit(objective, Toy(), Recipe(epochs, 0.05, weight_decay=0.0), 0)
    return start, objective.result(), history


def test_learning_moves_the_inner_point_and_nothing_else():
    start, found, _ = learned()
    for end in (0, 2):
        assert all(torch.equal(start.points[end][n], v) for n, v in found.points[end].items())
    assert not torch.equal(start.points[1]["0.weight"], found.points[1]["0.weight"])
    assert found.points[1]["0.weight"].shape == start.points[1]["0.weight"].shape


def test_learning_lowers_the_loss():
    _, _, history = learned(epochs=30)
    assert history.losses[-1] < 0.8 * history.losses[0]


def test_a_segment_has_nothing_to_learn():
    a, b = params_of(network(1)), params_of(network(2))
    with pytest.raises(ValueError, match="has nothing to learn"):
        LearnCurve(network(0), segment(a, b), EXACT)


def test_the_networks_given_are_not_changed():
    module, a, b = network(0), params_of(network(1)), params_of(network(2))
    before = {name: value.clone() for name, value in a.items()}
    objective = LearnCurve(module, bezier(a, midpoint(a, b), b), EXACT)
    fit(objective, Toy(), Recipe(2, 0.05), 0)
    assert all(torch.equal(before[name], a[name]) for name in a)
    assert all(
        torch.equal(value, params_of(network(0))[n]) for n, value in params_of(module).items()
    )
