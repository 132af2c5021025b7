"""Networks with skip connections and batch norm are connected layer by layer, too."""

import pytest
import torch
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import residual_mlp
from modeconn_lib.models.resnet import resnet
from modeconn_lib.paths.distribution.layerwise import Method, connect
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.batchnorm import reestimate

MACHINE = Machine.detect().exact()
BATCHES = [torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(2)]
METHODS = [
    Method(rule, adjust, 3, ridge=0.0)
    for rule in ("linear", "arc", "transport")
    for adjust in (False, True)
]


def convolutional():
    return resnet((1, 8, 8), 3, depth=8)


def fully_connected(width: int = 12):
    return residual_mlp((1, 8, 8), 3, width=width, blocks=2)


def shaken(build, **given):
    torch.manual_seed(0)
    module = build(**given)
    a, b = params_of(module), params_of(build(**given))
    for network in (a, b):
        for name, value in network.items():
            if value.is_floating_point():
                network[name] = value * (1 + torch.rand_like(value)) + 0.01
    return module, a, b, trace(module, BATCHES[0]).spec


@pytest.mark.parametrize("build", [convolutional, fully_connected])
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_it_leads_from_a_to_b_in_bs_own_order_without_a_gap(build, method):
    module, a, b, spec = shaken(build)
    before = {name: value.clone() for name, value in a.items()}
    found = connect(module, a, b, spec, BATCHES, method)
    for t, end in ((0.0, a), (1.0, b)):
        there = found.path.at(t)
        assert all(torch.equal(there[name], value) for name, value in end.items())
    assert all(torch.equal(a[name], value) for name, value in before.items())
    assert set(found.orders) == (set(spec.sizes) if method.rule == "transport" else set())


@pytest.mark.parametrize("rule", ["linear", "arc", "transport"])
def test_with_more_units_than_images_every_adjusted_network_computes_what_a_does(rule):
    module, a, b, spec = shaken(fully_connected, width=90)
    found = connect(module, a, b, spec, BATCHES, Method(rule, True, 3, ridge=0.0))
    assert max(found.residuals.values()) < 1e-3
    assert ("fc1", "fc") in found.residuals  # the stream is read to its end
    for part in found.parts[:-1]:
        for t in part.breakpoints:
            for x in BATCHES:
                out, wanted = (functional_call(module, n, (x,)) for n in (part.at(t), a))
                torch.testing.assert_close(out, wanted, rtol=1e-2, atol=3e-2)


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("build", [convolutional, fully_connected])
def test_matched_networks_that_differ_in_order_alone_stay_what_they_are(build, adjust):
    module, a, _, spec = shaken(build)
    moved = random_permutations(spec, torch.Generator().manual_seed(3))
    images = [torch.cat(BATCHES)]  # one batch, as below: then statistics are the same
    found = connect(
        module, a, permute(a, spec, moved), spec, images, Method("transport", adjust, 2, ridge=0.0)
    )
    for group, p in found.orders.items():
        assert torch.equal(moved[group][p], torch.arange(len(p)))
    wanted = output(module, a)
    for part in found.parts:
        for t in (0.0, 0.5, 1.0):
            torch.testing.assert_close(output(module, part.at(t)), wanted, rtol=1e-2, atol=1e-2)


def output(module, params):
    anew = reestimate(module, params, [torch.cat(BATCHES)], MACHINE)
    module.eval()
    return functional_call(module, anew, (BATCHES[0],))
