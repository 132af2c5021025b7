"""An adjusted layer puts out what it did before its inputs changed, as far as they allow it."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.distribution.adjustment import adjustment
from modeconn_lib.paths.distribution.samples import butterflies
from modeconn_lib.paths.distribution.transport import in_order
from modeconn_lib.permutation.trace import trace

BATCHES = [torch.randn(40, 1, 3, 4, generator=torch.Generator().manual_seed(i)) for i in range(3)]


def pair(width: int, seed: int = 0):
    torch.manual_seed(seed)
    module = mlp((1, 3, 4), 5, widths=(width,))
    found = [params_of(module), params_of(mlp((1, 3, 4), 5, widths=(width,)))]
    for network in found:
        network["fc.bias"] += torch.randn(5)
    return module, *found


def mixed(a, b):
    """Return A with the first layer of B."""
    return a | {name: b[name] for name in ("fc1.weight", "fc1.bias")}


def test_with_more_units_than_images_nothing_is_lost():
    module, a, b = pair(width=300)
    found = adjustment(module, a, "fc", BATCHES).at(mixed(a, b))
    assert found.residual < 1e-6
    for x in BATCHES:
        out = functional_call(module, found.params, (x,))
        torch.testing.assert_close(out, functional_call(module, a, (x,)), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(functional_call(module, mixed(a, b), (x,)), out, atol=0.1)


def test_with_fewer_it_is_the_pseudo_inverse_and_the_bias_stays_that_of_a():
    module, a, b = pair(width=20)
    found = adjustment(module, a, "fc", BATCHES).at(mixed(a, b) | {"fc.bias": b["fc.bias"]})
    x = torch.cat(BATCHES).flatten(1).double()
    old, new = ((x @ n["fc1.weight"].double().T + n["fc1.bias"].double()).relu() for n in (a, b))
    y = old @ a["fc.weight"].double().T
    expected = y.T @ torch.linalg.pinv(new.T)
    torch.testing.assert_close(found.params["fc.weight"].double(), expected, rtol=1e-3, atol=1e-4)
    assert torch.equal(found.params["fc.bias"], a["fc.bias"])
    left = (y.T - expected @ new.T).norm() / y.norm()
    assert found.residual == pytest.approx(float(left), rel=1e-4)
    assert 0.05 < found.residual < 1
    assert all(torch.equal(found.params[n], b[n]) for n in ("fc1.weight", "fc1.bias"))


def test_units_in_another_order_are_adjusted_to_exactly():
    module, a, _ = pair(width=20)
    units = butterflies(trace(module, BATCHES[0]).spec, "fc1", a)
    moved = in_order(a, units, torch.randperm(20))
    found = adjustment(module, a, "fc", BATCHES).at(moved | {"fc.weight": a["fc.weight"]})
    torch.testing.assert_close(found.params["fc.weight"], moved["fc.weight"], rtol=1e-3, atol=1e-4)
    assert found.residual < 1e-6


def test_a_convolution_is_adjusted_patch_by_patch():
    torch.manual_seed(0)

    def build():
        return nn.Sequential(nn.Conv2d(1, 6, 2), nn.ReLU(), nn.Conv2d(6, 3, 2, padding=1))

    module, a, b = build(), params_of(build()), params_of(build())
    changed = a | {name: b[name] for name in ("0.weight", "0.bias")}
    found = adjustment(module, a, "2", BATCHES).at(changed)
    assert found.params["2.weight"].shape == a["2.weight"].shape
    wanted, before, after = (
        torch.cat([functional_call(module, n, (x,)) for x in BATCHES])
        for n in (a, changed, found.params)
    )
    bias = a["2.bias"][:, None, None]
    left = (after - wanted).norm() / (wanted - bias).norm()
    assert found.residual == pytest.approx(float(left), rel=1e-3)
    assert left < 0.7 * (before - wanted).norm() / (wanted - bias).norm()


def test_without_images_it_is_refused():
    module, a, _ = pair(width=20)
    with pytest.raises(ValueError, match="needs at least one batch of images, got none"):
        adjustment(module, a, "fc", [])
