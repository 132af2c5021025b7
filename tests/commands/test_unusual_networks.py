"""Networks that are no plain classifiers: aligned, or refused for what they are."""

import sys

import pytest
import torch

from modeconn_lib.commands import align
from modeconn_lib.commands.checkpoints import read
from tests.commands.own_network import saved

ODD_OUTPUTS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 6)
        self.fc2 = nn.Linear(6, 10)
        self.register_buffer("shift", torch.linspace(0, 1, 10), persistent=False)

    def forward(self, x):
        return self.fc2(self.fc1(x.flatten(1)).relu()) + self.shift


class Pair(Net):
    def forward(self, x):
        return super().forward(x), x


class Maps(Net):
    def forward(self, x):
        return super().forward(x)[:, :, None]


class Random(Net):
    def forward(self, x):
        return super().forward(x + torch.rand_like(x))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""


@pytest.fixture
def odd_pair(folder, tmp_path, monkeypatch):
    """Write two files of a network of the module `odd_outputs` of the user's."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "odd_outputs.py").write_text(ODD_OUTPUTS)
    monkeypatch.delitem(sys.modules, "odd_outputs", raising=False)
    module = __import__("odd_outputs")
    monkeypatch.setitem(sys.modules, "odd_outputs", module)

    def call(name):
        for seed, file in enumerate("ab"):
            torch.manual_seed(seed)
            saved(tmp_path / f"{file}.safetensors", getattr(module, name)().state_dict())
        return (*(f"{x}.safetensors" for x in "ab"), "--arch", f"odd_outputs:{name}")

    return call


STE = ("--method", "ste", "--data", "fashion_mnist_small", "--examples", 4, "--epochs", 1)


@pytest.mark.parametrize(("name", "kind"), [("Pair", "tuple"), ("Maps", "(2, 10, 1)")])
def test_ste_is_refused_where_the_output_is_no_logits(modeconn, odd_pair, monkeypatch, name, kind):
    def work(*_, **__):
        raise AssertionError("work was begun")

    monkeypatch.setattr(align, "learn_permutation", work)
    status, _, err = modeconn("align", *odd_pair(name), "--out", "c.safetensors", *STE)
    assert (status, err) == (
        2,
        "modeconn: the method 'ste' needs a network whose output is logits (images, classes); "
        f"for 2 images odd_outputs:{name} gives {kind}\n",
    )


def test_ste_takes_buffers_that_no_file_has_from_the_network(modeconn, odd_pair):
    assert modeconn("align", *odd_pair("Net"), "--out", "c.safetensors", *STE)[::2] == (0, "")


@pytest.mark.parametrize("method", ["weights", "activations"])
def test_a_network_without_free_units_is_written_as_it_is(modeconn, odd_pair, tmp_path, method):
    data = ("--data", "fashion_mnist_small") if method != "weights" else ()
    status, out, _ = modeconn(
        "align", *odd_pair("Plain"), "--out", "c.safetensors", "--method", method, *data
    )
    assert status == 0
    assert ": 0 groups, 0 free units" in out
    b, c = read(tmp_path / "b.safetensors").tensors, read(tmp_path / "c.safetensors").tensors
    assert all(torch.equal(value, c[name]) for name, value in b.items())


@pytest.mark.parametrize("command", ["align", "merge"])
def test_a_network_that_is_random_is_said_to_be(modeconn, odd_pair, tmp_path, command):
    status, _, err = modeconn(command, *odd_pair("Random"), "--out", "c.safetensors")
    assert status == 1
    assert err.startswith("modeconn: odd_outputs:Random is random in evaluation mode, too: the")
    assert err.count("\n") == 1
    assert not (tmp_path / "c.safetensors").exists()
