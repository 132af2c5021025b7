"""Auxiliary heads: their losses in training, and their statistics where nothing visits them."""

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.googlenet import googlenet
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.training.batchnorm import normalise_by_batch, reestimate
from modeconn_lib.training.objectives import (
    FlatNetwork,
    TrainNetwork,
    cross_entropy,
    with_auxiliary,
)

SHAPE = (1, 16, 16)
EXACT = Machine.reference()
HEADS = ("aux1", "aux2")


def material(count=8):
    g = torch.Generator().manual_seed(1)
    return torch.randn(count, *SHAPE, generator=g), torch.randint(4, (count,), generator=g)


def network(seed=0):
    """A GoogLeNet without chance."""
    torch.manual_seed(seed)
    module = googlenet(SHAPE, 4, width=8)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module


def random():
    return torch.Generator().manual_seed(0)


def test_the_heads_losses_count_by_their_weight():
    x, y = material()
    outputs = tuple(torch.randn(8, 4, generator=random()) + k for k in range(3))
    own, early, late = (nn.functional.cross_entropy(z, y) for z in outputs)
    value, logits = with_auxiliary(0.3)(lambda _: outputs, x, y)
    torch.testing.assert_close(value, own + 0.3 * (early + late))
    assert torch.equal(logits, outputs[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_alone_give_the_plain_loss(dtype):
    x, y = material()

    def alone(batch):
        return batch.flatten(1)[:, :4].to(dtype)

    found, wanted = with_auxiliary(0.3)(alone, x, y), cross_entropy(alone, x, y)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_training_follows_the_gradient_of_all_three_losses():
    module, (x, y) = network(), material()
    start = params_of(module)
    objective = TrainNetwork(module, start, EXACT, with_auxiliary(0.3))
    step = objective.gradient(x, y, random())
    other = network()
    logits, early, late = other.train()(x)
    losses = [nn.functional.cross_entropy(z, y) for z in (logits, early, late)]
    total = losses[0] + 0.3 * (losses[1] + losses[2])
    total.backward()
    torch.testing.assert_close(step.loss, total.detach())
    assert int(step.correct) == int((logits.argmax(1) == y).sum())
    wanted = torch.cat([parameter.grad.flatten() for parameter in other.parameters()])
    torch.testing.assert_close(objective.learned[0].grad, wanted)


def test_a_curve_is_learned_with_the_heads_losses():
    a, b = (params_of(network(seed)) for seed in (0, 1))
    curve, (x, y) = bezier(a, midpoint(a, b), b), material()
    with_heads, without = (
        LearnCurve(network(), curve, EXACT, loss=loss)
        for loss in (with_auxiliary(0.3), with_auxiliary(0.0))
    )
    steps = [objective.gradient(x, y, random()) for objective in (with_heads, without)]
    assert steps[0].loss > steps[1].loss
    views = [o.network.layout.views(o.inner.grad[0]) for o in (with_heads, without)]
    assert views[0]["aux1.fc1.weight"].abs().max() > 0
    assert views[1]["aux1.fc1.weight"].abs().max() == 0


def test_heads_that_a_mode_does_not_run_have_no_gradient():
    module, (x, y) = network(), material()
    params = params_of(module)
    normalise_by_batch(module)
    flat = FlatNetwork(module, params, EXACT)
    gradient = torch.empty_like(flat.values)
    flat.gradient(x, y, cross_entropy, gradient)
    for name, value in flat.layout.views(gradient).items():
        if name.startswith(HEADS):
            assert not value.any(), name
    assert flat.layout.views(gradient)["conv1.conv.weight"].any()


def test_statistics_of_layers_that_evaluation_does_not_visit_stay():
    module, (x, _) = network(), material()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if "running" in name:
                value.fill_(3.0)
    before = params_of(module)
    after = reestimate(module, before, [x], EXACT)
    for name, value in after.items():
        if "running" in name:
            stays = name.startswith(HEADS)
            assert torch.equal(value, before[name]) == stays, name
