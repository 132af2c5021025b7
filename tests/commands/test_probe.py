"""Which inputs a network takes is found by trying; what it says to others is passed on."""

import pytest
import torch
from torch import nn

from modeconn_lib.commands.probe import accepted, is_random
from modeconn_lib.core.errors import Refusal


class Calling(nn.Module):
    """A network that is one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class TwoInputs(nn.Module):
    def forward(self, x, mask, scale=1.0):
        return x * mask * scale


class NoInput(nn.Module):
    def forward(self):
        return torch.ones(1)


def refused(module, *shapes, data=""):
    with pytest.raises(Refusal) as found:
        accepted(module, "mine", shapes or ((4,),), data)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_the_first_shape_that_is_taken_is_returned():
    assert accepted(nn.Linear(4, 2), "mine", ((3,), (4,), (5, 4))) == (4,)


def test_the_reason_is_that_of_the_first_shape():
    message = refused(nn.Linear(4, 2), (3, 5), (2,))
    assert message.startswith("mine does not take inputs of shape 3x5, 2 (RuntimeError: ")
    assert "(6x5 and 4x2)" in message
    assert message.endswith("; give one with --shape C,H,W")


def test_a_shape_of_the_data_is_called_so():
    message = refused(nn.Linear(4, 2), (3,), data="mnist")
    assert "of shape 3 (the shape of --data mnist) (RuntimeError" in message
    assert message.endswith("; name other data with --data")


def test_whatever_a_forward_raises_is_told():
    def broken(x):
        return {}["b"] if len(x.shape) == 3 else torch.zeros(3) + torch.zeros(4)

    assert refused(Calling(broken), (4,), (5, 5), (6, 6)) == (
        "mine fails on inputs of shape 5x5: KeyError: 'b'"
    )
    assert "mine fails on inputs of shape 4: AttributeError: " in refused(
        Calling(lambda x: x.nothing)
    )


def test_a_network_is_random_if_two_passes_differ():
    x = torch.ones(2, 4)
    assert not is_random(nn.Linear(4, 2), x)
    assert not is_random(nn.Dropout().eval(), x)
    assert is_random(nn.Dropout(), x)
    assert is_random(Calling(lambda x: {"seen": x, "drawn": (3, torch.rand_like(x))}), x)


@pytest.mark.parametrize(
    "module",
    [
        nn.Embedding(5, 2),
        Calling(lambda x: torch.zeros(5)[x]),
        Calling(lambda x: nn.functional.one_hot(x)),
        Calling(lambda x: torch.zeros(2, 4).gather(1, x)),
    ],
    ids=["embedding", "index", "one_hot", "gather"],
)
def test_a_network_of_tokens_is_told_that_inputs_are_floats(module):
    message = refused(module)
    assert "inputs are float tensors here, and it seems to want indices" in message
    assert "--shape" not in message


def test_a_network_of_other_than_one_input_is_refused():
    assert refused(TwoInputs()) == (
        "the forward of mine needs 2 inputs (x, mask); wrap it in a module that takes one"
    )
    assert "needs 0 inputs; wrap it in a module that takes one" in refused(NoInput())


def test_a_forward_that_takes_anything_is_tried():
    class Anything(nn.Module):
        def forward(self, *inputs, **options):
            return inputs[0]

    assert accepted(Anything(), "mine", ((4,),)) == (4,)
