"""What layers draw at random while training is a function of the seed and the batch alone."""

import itertools

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.training.fit import OutOfTime, Recipe, fit
from modeconn_lib.training.objectives import TrainNetwork


class Toy:
    """Three batches of eight vectors, made from their position."""

    steps, examples = 3, 24

    def __call__(self, epoch, step):
        random = generator(0, "toy", epoch, step)
        return torch.randn(8, 6, generator=random), torch.randint(4, (8,), generator=random)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 4))


def trained(seed=0, state=1, **options):
    module = network()
    torch.manual_seed(state)  # whatever else was drawn before
    objective = TrainNetwork(module, params_of(module), Machine.reference())
    fit(objective, Toy(), Recipe(2), seed, **options)
    return objective.network.params()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_dropout_is_repeatable_whatever_else_was_drawn():
    assert same(trained(state=1), trained(state=2))
    assert not same(trained(seed=0), trained(seed=1))


def test_the_callers_random_state_stays():
    trained(state=3)
    found = torch.rand(())
    torch.manual_seed(3)
    assert torch.equal(found, torch.rand(()))


@pytest.mark.parametrize("batches", [1, 4])
def test_a_resumed_run_drops_what_the_whole_one_dropped(batches, tmp_path):
    calls = itertools.count()
    with pytest.raises(OutOfTime):
        trained(folder=tmp_path, out_of_time=lambda: next(calls) == batches)
    assert same(trained(folder=tmp_path), trained())
