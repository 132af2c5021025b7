"""The network in one buffer is the network."""

import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.training.objectives import TrainNetwork


def tied(seed):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4))
    module[3].weight = module[0].weight
    return module


def test_tied_weights_are_learned_once_and_given_under_both_names():
    module, start = tied(0), params_of(tied(1))
    objective = TrainNetwork(module, start, Machine.reference())
    assert all(
        torch.equal(value, start[name]) for name, value in objective.network.params().items()
    )
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 4, generator=g), torch.randint(4, (8,), generator=g)
    objective.gradient(x, y, g)
    (learned,) = objective.learned
    learned.data.sub_(learned.grad)
    after = objective.network.params()
    assert list(after) == list(start)
    assert torch.equal(after["0.weight"], after["3.weight"])

    other = tied(1)
    nn.functional.cross_entropy(other(x), y).backward()
    torch.testing.assert_close(after["0.weight"], other[0].weight - other[0].weight.grad)
