"""An arc keeps the distribution of normally distributed units, where a straight line shrinks it."""

import math

import pytest
import torch

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.curves import segment
from modeconn_lib.paths.distribution.arc import arc, turned
from modeconn_lib.paths.distribution.samples import Units, butterflies, rows, samples
from modeconn_lib.permutation.spec import AxisSpan
from modeconn_lib.permutation.trace import trace

MIDDLE = math.sqrt(0.5)


def networks(count: int, **given):
    found = [mlp((1, 3, 2), 4, **given) for _ in range(count)]
    with torch.no_grad():
        for network in found:
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) + 0.5)
    return trace(found[0], torch.zeros(2, 1, 3, 2)).spec, [params_of(one) for one in found]


def normal(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.tensor([[2.0, 0.5, 0.0], [0.0, 1.0, -0.3], [0.0, 0.0, 0.1]])
    drawn = torch.randn(200_000, 3, generator=generator)
    return {"w": drawn @ mix + torch.tensor([5.0, -1.0, 0.2])}


@pytest.mark.parametrize("t", [0.2, 0.5, 0.9])
def test_mean_and_covariance_of_normal_units_stay_and_a_straight_line_shrinks_them(t):
    a, b = normal(1), normal(2)
    units = Units(200_000, (AxisSpan("w", 0),))
    there = arc(a, b, [units]).at(t)["w"]
    torch.testing.assert_close(there.T.cov(), a["w"].T.cov(), rtol=0.02, atol=0.01)
    torch.testing.assert_close(there.mean(0), a["w"].mean(0), rtol=0.01, atol=0.01)
    straight = segment(a, b).at(t)["w"].T.cov()
    expected = ((1 - t) ** 2 + t**2) * a["w"].T.cov()
    torch.testing.assert_close(straight, expected, rtol=0.02, atol=0.01)


def test_at_the_middle_it_is_equation_6_unit_by_unit():
    spec, (a, b) = networks(2, widths=(7,))
    units = butterflies(spec, "fc1", a)
    found = samples(arc(a, b, [units]).at(0.5), units).double()
    x, y = samples(a, units).double(), samples(b, units).double()
    centre = torch.cat([x, y]).mean(0)
    for unit in range(7):
        expected = centre + MIDDLE * (x[unit] - centre) + MIDDLE * (y[unit] - centre)
        torch.testing.assert_close(found[unit], expected, rtol=0, atol=1e-6)


def test_the_bias_of_the_units_is_one_of_their_coordinates_and_not_an_arc_of_its_own():
    spec, (a, b) = networks(2, widths=(7,))
    middle = arc(a, b, [butterflies(spec, "fc1", a)]).at(0.5)
    pooled = (a["fc1.bias"].mean() + b["fc1.bias"].mean()) / 2
    expected = pooled + MIDDLE * (a["fc1.bias"] + b["fc1.bias"] - 2 * pooled)
    torch.testing.assert_close(middle["fc1.bias"], expected)
    half = (a["fc1.bias"] + b["fc1.bias"]) / 2
    assert not torch.allclose(middle["fc1.bias"], half, atol=1e-2)
    torch.testing.assert_close(middle["fc.bias"], (a["fc.bias"] + b["fc.bias"]) / 2)


def test_ends_are_exact_and_every_layer_can_have_its_own_distribution():
    _, (a, b) = networks(2, widths=(7, 5))
    path = arc(a, b, [rows(a, name) for name in ("fc1", "fc2", "fc")])
    assert path.breakpoints == (0.0, 1.0)
    for t, end in ((0.0, a), (1.0, b)):
        assert all(torch.equal(path.at(t)[name], value) for name, value in end.items())
    pooled = (a["fc2.weight"].mean(0) + b["fc2.weight"].mean(0)) / 2
    turn = MIDDLE * (a["fc2.weight"] + b["fc2.weight"] - 2 * pooled)
    torch.testing.assert_close(path.at(0.5)["fc2.weight"], pooled + turn)


def test_weights_of_two_distributions_are_refused():
    spec, (a, b) = networks(2, widths=(7, 5))
    both = [butterflies(spec, "fc1", a), butterflies(spec, "fc2", a)]
    with pytest.raises(ValueError, match=r"'fc2.weight' belongs to units of two distributions"):
        arc(a, b, both)


def test_an_arc_has_three_points():
    with pytest.raises(ValueError, match=r"3 control points .* got 2"):
        turned(0.5, 2)
