"""Attacks on images: where they end, what they find, and what they leave alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.training.attacks import Attack, perturb
from modeconn_lib.training.objectives import TrainNetwork, cross_entropy
from tests.reference.attacks import attack_one

EXACT = Machine.reference()
ROUNDING = 1e-7  # of float32 pixels in [0, 1]
attacks = st.builds(
    Attack,
    epsilon=st.floats(0, 1),
    step=st.floats(0, 1),
    steps=st.integers(0, 3),
    random_start=st.booleans(),
)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)
    )


def batch(count=8, seed=0):
    """Images with pixels all over [0, 1], many of them black or white."""
    g = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 2, 5, 5, generator=g).mul(2).sub(0.5).clamp(0, 1)
    return images, torch.randint(3, (count,), generator=g)


def against(module, labels):
    return lambda images: nn.functional.cross_entropy(module(images), labels)


@given(attack=attacks, seed=st.integers(0, 5))
def test_attacked_images_are_in_the_ball_and_are_images(attack, seed):
    module, (images, labels) = network().eval(), batch(seed=seed)
    found = perturb(against(module, labels), images, attack, generator(seed))
    assert (found - images).abs().max() <= attack.epsilon + ROUNDING
    assert found.min() >= 0
    assert found.max() <= 1
    assert not found.requires_grad


@given(attack=attacks)
def test_the_images_given_are_left_alone(attack):
    module, (images, labels) = network().eval(), batch()
    perturb(against(module, labels), images, attack, generator(0))
    assert torch.equal(images, batch()[0])


@pytest.mark.parametrize(
    "attack", [Attack(epsilon=0.0), Attack(steps=0, random_start=False)], ids=["radius", "steps"]
)
def test_an_attack_of_nothing_is_the_identity(attack):
    module, (images, labels) = network().eval(), batch()
    assert torch.equal(perturb(against(module, labels), images, attack, generator(0)), images)


def test_without_steps_there_is_a_random_image_of_the_ball():
    images, attack = torch.full((64, 2, 8, 8), 0.5), Attack(epsilon=0.25, steps=0)
    found = perturb(lambda x: x.sum(), images, attack, generator(3))
    assert torch.equal(found, perturb(lambda x: x.sum(), images, attack, generator(3)))
    assert not torch.equal(found, perturb(lambda x: x.sum(), images, attack, generator(4)))
    away = (found - images) / 0.25
    assert away.abs().max() > 0.99
    assert abs(away.mean()) < 0.02
    assert abs(away.square().mean() - 1 / 3) < 0.02


def test_the_start_is_put_into_the_box():
    white = torch.ones(4, 1, 5, 5)
    found = perturb(lambda x: x.sum(), white, Attack(epsilon=0.3, steps=0), generator(0))
    assert found.max() == 1
    assert found.min() < 0.75


@given(
    epsilon=st.floats(0.01, 0.3),
    steps=st.integers(4, 8),
    random_start=st.booleans(),
    seed=st.integers(0, 100),
)
def test_a_linear_classifier_meets_its_worst_case(epsilon, steps, random_start, seed):
    g = torch.Generator().manual_seed(seed)
    w, images = torch.randn(12, generator=g), torch.rand(6, 1, 3, 4, generator=g)
    sign = torch.randint(2, (6,), generator=g).mul(2).sub(1).float()

    def loss(x):
        return nn.functional.softplus(-sign * (x.flatten(1) @ w)).sum()

    # Steps that cross the ball from any start: 4 times epsilon / 2.
    attack = Attack(epsilon, epsilon / 2, steps, random_start)
    found = perturb(loss, images, attack, generator(seed))
    worst = (images - epsilon * sign.view(-1, 1, 1, 1) * w.view(1, 3, 4).sign()).clamp(0, 1)
    torch.testing.assert_close(found, worst)


def test_inside_the_box_the_worst_margin_is_less_by_epsilon_times_the_length_of_the_weights():
    w, images, epsilon = torch.tensor([3.0, -1.0, 0.5, 2.0]), torch.full((1, 1, 2, 2), 0.5), 0.1
    attack = Attack(epsilon, epsilon, 2)
    found = perturb(lambda x: -(x.flatten() @ w), images, attack, generator(0))
    assert math.isclose(
        float(images.flatten() @ w - found.flatten() @ w), epsilon * 6.5, rel_tol=1e-5
    )


@pytest.mark.parametrize("random_start", [False, True])
def test_a_batch_is_attacked_as_each_image_alone(random_start):
    module, (images, labels) = network().double().eval(), batch()
    images, attack = images.double(), Attack(0.1, 0.03, 5, random_start)
    start = perturb(lambda x: x.sum(), images, Attack(0.1, 0.03, 0, random_start), generator(1))
    found = perturb(against(module, labels), images, attack, generator(1))
    wanted = [attack_one(module, *row, attack) for row in zip(images, labels, start, strict=True)]
    torch.testing.assert_close(found, torch.stack(wanted))


def test_an_attack_raises_the_loss_and_a_longer_one_more():
    module, (images, labels) = network().eval(), batch(64)
    loss = against(module, labels)
    losses = [loss(images).item()] + [
        loss(perturb(loss, images, Attack(0.1, 0.02, k, False), generator(0))).item()
        for k in (1, 3, 8)
    ]
    assert losses == sorted(losses)
    assert losses[3] > losses[0] + 0.05


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"epsilon": 8.0}, r"epsilon must lie in \[0, 1\], where white is 1, got 8.0"),
        ({"epsilon": -0.1}, "epsilon must lie"),
        ({"steps": -1}, "0 steps or more.*got steps=-1"),
        ({"step": -0.1}, "and step=-0.1"),
        ({"step": float("nan")}, "and step=nan"),
    ],
)
def test_an_attack_that_cannot_be_meant_is_refused(numbers, message):
    with pytest.raises(Refusal, match=message):
        Attack(**numbers)


def objective(attack=None, loss=cross_entropy):
    return TrainNetwork(network(), params_of(network(1)), EXACT, loss, attack)


def test_training_on_attacked_images_is_training_on_the_images_the_attack_finds():
    images, labels = batch(16)
    attack = Attack(0.1, 0.05, 3)
    robust, plain, module = objective(attack), objective(), network(1).train()
    robust_step = robust.gradient(images, labels, generator(5))
    found = perturb(against(module, labels), images, attack, generator(5))
    plain_step = plain.gradient(found, labels, generator(5))
    torch.testing.assert_close(robust_step.loss, plain_step.loss)
    torch.testing.assert_close(robust.learned[0].grad, plain.learned[0].grad)
    assert float(robust_step.loss) > float(objective().gradient(images, labels, generator(5)).loss)


def test_an_attack_leaves_statistics_and_counter_to_the_step_after_it():
    images, labels = batch(16)
    robust, plain = objective(Attack(0.1, 0.05, 4)), objective()
    seen = []

    def spying(network, x, y):
        seen.append(x.detach().clone())
        return cross_entropy(network, x, y)

    robust.loss = spying
    robust.gradient(images, labels, generator(5))
    assert len(seen) == 4 + 1
    plain.gradient(seen[-1], labels, generator(5))
    assert robust.network.buffers["1.num_batches_tracked"] == 1
    for name, value in plain.network.buffers.items():
        torch.testing.assert_close(robust.network.buffers[name], value)


def test_an_attack_asks_for_no_gradient_but_that_of_the_images():
    images, labels = batch()
    robust, kept = objective(Attack(0.1, 0.05, 2)), []

    def keep(tensor):
        if tensor.is_leaf and tensor.requires_grad:
            kept.append(tensor.shape)
        return tensor

    def spying(network, x, y):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            return cross_entropy(network, x, y)

    robust.network.attacked(images, labels, spying, robust.attack, generator(0))
    assert set(kept) <= {images.shape}
    robust.network.gradient(images, labels, spying, robust.learned[0].grad)
    assert torch.Size([4, 2, 3, 3]) in kept  # so weights are seen where their gradient is wanted
