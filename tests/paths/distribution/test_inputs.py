"""A layer's inputs are what its weights are multiplied with."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.params import params_of
from modeconn_lib.models.layers import SameConv2d
from modeconn_lib.paths.distribution.inputs import inputs


class Counted(nn.ReLU):
    calls = 0

    def forward(self, x):
        Counted.calls += 1
        return super().forward(x)


def network(**given) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 5, (3, 2), **given),
        Counted(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(20, 6),
    )


X = torch.randn(7, 3, 9, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"stride": 2, "padding": (2, 1)},
        {"dilation": (2, 1), "padding": 1},
        {"padding": "valid"},
    ],
)
def test_inputs_times_weights_are_what_a_convolution_puts_out(given):
    module = network(**given).eval()
    params = params_of(module)
    found = inputs(module, params, "2", X)
    expected = module[:3](X).movedim(1, -1).flatten(0, -2)
    out = found @ params["2.weight"].flatten(1).T + params["2.bias"]
    torch.testing.assert_close(out, expected)


def test_inputs_of_a_linear_layer_are_rows_without_dropout_and_the_mode_stays():
    module = network()
    params = params_of(module)
    found = inputs(module, params, "7", X)
    assert module.training
    assert module[6].training
    expected = functional_call(module.eval(), params, (X,))
    torch.testing.assert_close(found @ params["7.weight"].T + params["7.bias"], expected)


def test_what_lies_behind_the_layer_is_not_computed():
    module = network()
    Counted.calls = 0
    inputs(module, params_of(module), "2", X)
    assert Counted.calls == 0
    inputs(module, params_of(module), "7", X)
    assert Counted.calls == 1


def test_it_looks_at_the_given_parameters_and_leaves_no_hook():
    module = network()
    other = {name: 2 * value for name, value in params_of(module).items()}
    found = inputs(module, other, "2", X)
    torch.testing.assert_close(found, 2 * inputs(module, params_of(module), "2", X))
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_positions_are_spread_evenly_and_every_image_has_them():
    module = network(padding=1)
    params = params_of(module)
    every, few = (inputs(module, params, "2", X, positions) for positions in (0, 2))
    grid = every.unflatten(0, (7, 9, 9))
    assert torch.equal(few, grid[:, ::4, ::4].flatten(0, 2))
    assert torch.equal(inputs(module, params, "2", X, 50), every)


def test_what_cannot_be_listed_is_refused():
    module = network()
    with pytest.raises(ValueError, match="'1' is no linear layer or convolution; there are: 0, 2"):
        inputs(module, params_of(module), "1", X)
    grouped = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3))
    with pytest.raises(ValueError, match="'0' has 3 groups and padding 'zeros'"):
        inputs(grouped, params_of(grouped), "0", X)


def test_a_layer_that_is_never_reached_is_refused():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            return self.used(x)

    module = Unused()
    with pytest.raises(ValueError, match="computes its outputs without layer 'unused'"):
        inputs(module, params_of(module), "unused", torch.zeros(3, 4))


def test_a_layer_that_computes_something_of_its_own_is_refused():
    module = nn.Sequential(SameConv2d(3, 4, 3, 2))
    with pytest.raises(ValueError, match="'0' is a SameConv2d, which computes something of its"):
        inputs(module, params_of(module), "0", X)
