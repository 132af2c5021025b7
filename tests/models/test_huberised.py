"""ReLUs with a corner that is rounded off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.params import params_of
from modeconn_lib.models.layers import HuberisedReLU, huberised
from modeconn_lib.models.mlp import mlp

POINTS = torch.linspace(-3, 3, 2001, dtype=torch.float64)


def by_cases(z: float, delta: float) -> float:
    """Equation 38 as it is printed."""
    if z <= 0:
        return 0.0
    return z**2 / (2 * delta) if z <= delta else z - delta / 2


@pytest.mark.parametrize("delta", [1e-3, 0.5, 2.0])
def test_it_is_equation_38(delta):
    expected = torch.tensor([by_cases(float(z), delta) for z in POINTS], dtype=torch.float64)
    torch.testing.assert_close(HuberisedReLU(delta)(POINTS), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(delta=st.floats(1e-6, 10))
def test_it_lies_at_most_half_a_width_below_relu(delta):
    gap = POINTS.relu() - HuberisedReLU(delta)(POINTS)
    assert gap.min() >= -1e-12
    assert gap.max() <= delta / 2 * (1 + 1e-9)


def test_its_derivative_is_continuous_and_at_most_one():
    z = POINTS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(HuberisedReLU(0.5)(z).sum(), z)
    torch.testing.assert_close(slope, (POINTS / 0.5).clamp(0, 1), rtol=1e-9, atol=1e-9)


def test_a_corner_of_no_width_is_refused():
    with pytest.raises(ValueError, match="over a positive width, got delta="):
        HuberisedReLU(0.0)


def test_a_huberised_network_has_the_same_parameters_and_no_relu_left():
    network = nn.Sequential(mlp((1, 2, 2), 2, (3, 3)), nn.ReLU())
    twin = huberised(network, 0.1)
    assert params_of(twin).keys() == params_of(network).keys()
    assert not any(isinstance(part, nn.ReLU) for part in twin.modules())
    assert sum(isinstance(part, nn.ReLU) for part in network.modules()) == 3
    assert "HuberisedReLU(delta=0.1)" in str(twin)
    assert isinstance(huberised(nn.ReLU(), 0.1), HuberisedReLU)
