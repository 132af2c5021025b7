"""A network that the library has never seen: a skip connection, a concatenation, batch norm."""

import sys

import torch
from safetensors.torch import save_file

from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.trace import trace

ARCH = "own_network_of_a_test:network"
SOURCE = """
import torch
from torch import nn


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 12, 3, padding=1)
        self.outer = nn.Conv2d(12, 8, 3, padding=1)
        self.left = nn.Conv2d(8, 5, 1)
        self.right = nn.Conv2d(8, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(11)
        self.fc = nn.Linear(11, 4)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (x + self.outer(self.inner(x).relu())).relu()
        x = torch.cat([self.left(x), self.right(x)], 1)
        return self.fc(self.norm(x).relu().mean((2, 3)))


def network():
    return Own()


def double():
    return Own().double()


def with_argument(width):
    return Own()


def no_module():
    return [1]


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        y = self.fc(x)
        return y if y.sum() > 0 else -y


def branching():
    return Branching()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x).relu())


def tied():
    return Tied()


width = 3
"""


def write(folder, monkeypatch):
    """Write the user's module into the current folder and forget it after the test."""
    (folder / "own_network_of_a_test.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "own_network_of_a_test", raising=False)
    module = __import__("own_network_of_a_test")
    monkeypatch.setitem(sys.modules, "own_network_of_a_test", module)
    return module


def networks(module, count, seed=0):
    """State dicts with statistics that are not all alike, as after training."""
    out = []
    for i in range(count):
        torch.manual_seed(seed + i)
        state = module.network().state_dict()
        state["norm.running_mean"] = torch.randn(11)
        state["norm.running_var"] = torch.rand(11) + 0.5
        state["norm.weight"], state["norm.bias"] = torch.rand(11) + 0.5, torch.randn(11)
        out.append({name: value.clone() for name, value in state.items()})
    return out


def planted(module, seed=0):
    """A network, and the same one with its units in another order."""
    (a,) = networks(module, 1, seed)
    traced = trace(module.network().eval(), torch.zeros(2, 3, 8, 8))
    generator = torch.Generator().manual_seed(seed)
    return a, permute(a, traced.spec, random_permutations(traced.spec, generator))


def saved(path, state, metadata=None):
    """Write a state dict, and return where."""
    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata)
    return path
