"""Our attack beside others': the same numbers give the same images, and theirs are no weaker."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation import independent_attacks
from modeconn_lib.evaluation.independent_attacks import classifier, survivors
from modeconn_lib.evaluation.robustness import withstood
from modeconn_lib.training.attacks import Attack, perturb
from modeconn_lib.training.fit import Recipe, fit
from modeconn_lib.training.objectives import TrainNetwork

EXACT, EPSILON = Machine.reference(), 0.1
NUMBERS = {"epsilon": EPSILON, "iterations": 20, "queries": 40}


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
    )


def batch(count, seed):
    """Images whose class is the brightest of their quarters, by less than noise can hide."""
    g = torch.Generator().manual_seed(seed)
    images, labels = 0.6 * torch.rand(count, 1, 8, 8, generator=g), torch.arange(count) % 4
    for image, label in zip(images[:, 0], labels.tolist(), strict=True):
        image[4 * (label // 2) :, 4 * (label % 2) :][:4, :4] += 0.25
    return images, labels


class Batches:
    steps, examples = 8, 256

    def __call__(self, epoch, step):
        return batch(32, 100 * epoch + step)


@pytest.fixture(scope="module")
def trained():
    """A network trained on attacked images, and test images."""
    objective = TrainNetwork(network(), params_of(network()), EXACT, attack=Attack(0.05, 0.03, 2))
    fit(objective, Batches(), Recipe(3, 0.05), 0)
    return network(), objective.network.params(), *batch(60, 9_999)


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_our_attack_and_the_toolboxs_find_the_same_images(trained, steps):
    from art.attacks.evasion import ProjectedGradientDescent

    module, params, images, labels = trained
    theirs = ProjectedGradientDescent(
        classifier(module, params, images),
        eps=EPSILON,
        eps_step=0.03,
        max_iter=steps,
        num_random_init=0,
        verbose=False,
    ).generate(images.numpy(), labels.numpy())
    module = network().eval()
    module.load_state_dict(params)
    ours = perturb(
        lambda x: nn.functional.cross_entropy(module(x), labels),
        images,
        Attack(EPSILON, 0.03, steps, random_start=False),
        generator(0),
    )
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-6)


def test_the_others_attacks_leave_no_more_than_ours(trained):
    left = survivors(*trained, **NUMBERS)
    assert list(left) == ["clean", "apgd_ce", "apgd_dlr", "square"]
    own = withstood(*trained, Attack(EPSILON, 0.03, 10), EXACT)
    shares = [float(found.double().mean()) for found in left.values()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert 0 < shares[-1] <= float(own.double().mean()) < shares[0]


def test_a_survivor_has_survived_every_attack_before(trained):
    before = torch.ones(60, dtype=torch.bool)
    for left in survivors(*trained, **NUMBERS).values():
        assert not (left & ~before).any()
        before = left


def test_without_a_radius_to_speak_of_every_image_survives(trained):
    left = survivors(*trained, **{**NUMBERS, "epsilon": 1e-6})
    assert all(torch.equal(found, left["clean"]) for found in left.values())


def test_only_the_radius_given_is_used(trained):
    """Else an image outside the ball would make a network look weaker than it is."""
    near, far = (survivors(*trained, **{**NUMBERS, "epsilon": e})["square"] for e in (0.02, 0.2))
    assert near.sum() > far.sum()


def test_the_global_generators_are_put_back_and_a_seed_decides(trained):
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    wanted = np.random.rand(), random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    first = survivors(*trained, **NUMBERS, seed=2**60)
    assert (np.random.rand(), random.random()) == wanted  # noqa: NPY002
    again = survivors(*trained, **NUMBERS, seed=2**60)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_neither_the_module_nor_the_weights_change(trained):
    module, params, *images = trained
    state, before = params_of(module), {name: value.clone() for name, value in params.items()}
    survivors(module, params, *images, **NUMBERS)
    assert all(torch.equal(value, before[name]) for name, value in params.items())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_what_an_attack_gives_back_is_brought_into_the_ball_before_it_counts(trained, monkeypatch):
    """An attack that cheats, by painting everything white, may change a pixel by epsilon only."""
    module, params, images, labels = trained
    seen = []

    class Cheat:
        def generate(self, pixels, classes):
            return np.full_like(pixels, 7.0)

    def correct(network, pixels, classes):
        seen.append(pixels)
        return np.ones(len(pixels), dtype=bool)

    monkeypatch.setattr(independent_attacks, "_attacks", lambda *_: {"cheat": Cheat()})
    monkeypatch.setattr(independent_attacks, "_correct", correct)
    survivors(module, params, images, labels, **NUMBERS)
    np.testing.assert_allclose(seen[1], np.minimum(images.numpy() + EPSILON, 1), atol=1e-6)
