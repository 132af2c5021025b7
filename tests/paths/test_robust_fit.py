"""Learning a curve on attacked images: each attack is at the network of the very same t."""

import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.training.attacks import Attack, perturb
from modeconn_lib.training.fit import Recipe, fit

EXACT, ATTACK = Machine.reference(), Attack(0.1, 0.05, 3)


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(16, 1, 6, 6, generator=g), torch.randint(3, (16,), generator=g)


def curve():
    a, b = params_of(network(1)), params_of(network(2))
    return bezier(a, midpoint(a, b), b)


def objective(attack=ATTACK, penalty=0.01):
    return LearnCurve(network(0), curve(), EXACT, penalty, attack=attack)


def test_the_step_is_a_plain_one_on_images_attacked_at_the_network_of_its_t():
    images, labels = batch()
    drawn = generator(7)
    t = float(torch.rand((), generator=drawn, dtype=torch.float64))
    point, module = curve().at(t), network(0).train()

    def loss(x):
        fresh = {name: value.clone() for name, value in point.items()}
        return nn.functional.cross_entropy(functional_call(module, fresh, (x,)), labels)

    found = perturb(loss, images, ATTACK, drawn)
    plain, robust = objective(None), objective()
    wanted = plain.gradient(found, labels, generator(7))
    step = robust.gradient(images, labels, generator(7))
    torch.testing.assert_close(step.loss, wanted.loss)
    torch.testing.assert_close(robust.inner.grad, plain.inner.grad)
    at_ends = objective(None).gradient(images, labels, generator(7))
    assert float(step.loss) > float(at_ends.loss)


def test_an_attack_of_radius_0_changes_nothing():
    images, labels = batch()
    plain, none = objective(None), objective(Attack(epsilon=0.0))
    for one in (plain, none):
        one.gradient(images, labels, generator(7))
    assert torch.equal(plain.inner.grad, none.inner.grad)


class Toy:
    steps, examples = 4, 64

    def __call__(self, epoch, step):
        return batch(step)


def test_robust_training_lowers_the_robust_loss_and_keeps_the_ends():
    learner = objective(penalty=0.0)
    history = fit(learner, Toy(), Recipe(6, 0.05, weight_decay=0.0), 0)
    assert history.losses[-1] < 0.9 * history.losses[0]
    found, start = learner.result(), curve()
    for end in (0, -1):
        assert all(torch.equal(v, start.points[end][n]) for n, v in found.points[end].items())
    again = objective(penalty=0.0)
    assert fit(again, Toy(), Recipe(6, 0.05, weight_decay=0.0), 0).losses == history.losses
