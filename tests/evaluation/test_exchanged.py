"""Exchanges measured by the two units that change are those of the whole network."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.params import lerp, params_of
from modeconn_lib.evaluation import exchanged
from modeconn_lib.evaluation.exchanged import exchange_logits, measure_exchanges
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.distribution.samples import butterflies
from modeconn_lib.paths.distribution.transport import exchanged_units, in_order, reorder
from modeconn_lib.permutation.trace import trace

X = torch.randn(50, 1, 3, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(50) % 5
PAIRS = [(0, 3), (7, 2), (4, 4), (1, 8)]


def network(widths=(9, 12)):
    torch.manual_seed(0)
    module = mlp((1, 3, 4), 5, widths=widths)
    params = {
        name: value + 0.3 * torch.randn_like(value) for name, value in params_of(module).items()
    }
    return module, params, trace(module, X).spec


@pytest.mark.parametrize("layer", ["fc1", "fc2"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("entries", [1, 1 << 20])
def test_logits_are_those_of_the_network_on_the_way(layer, share, entries, monkeypatch):
    monkeypatch.setattr(exchanged, "ENTRIES", entries)
    module, b, spec = network()
    units = butterflies(spec, layer, b)
    found = torch.cat(list(exchange_logits(module, b, layer, PAIRS, X, share)))
    for (u, v), logits in zip(PAIRS, found, strict=True):
        order = torch.arange(units.size)
        order[u], order[v] = v, u
        there = lerp(b, in_order(b, units, order), share)
        torch.testing.assert_close(logits, functional_call(module, there, (X,)))


def convolutions():
    """Return a chain with every way that a map is read: by kernels, pooled, flattened."""
    torch.manual_seed(0)
    parts = {
        "conv1": nn.Conv2d(1, 9, 3, padding=1),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(9, 10, 3, stride=2, padding="valid", dilation=2),
        "relu2": nn.ReLU(),
        "pool": nn.MaxPool2d(2, 1),
        "conv3": nn.Conv2d(10, 11, (1, 2), bias=False),
        "relu3": nn.ReLU(),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(11 * 3 * 4, 12),
        "relu4": nn.ReLU(),
        "fc": nn.Linear(12, 5),
    }
    module = nn.Sequential()
    for name, part in parts.items():
        module.add_module(name, part)
    images = torch.randn(7, 1, 11, 15, generator=torch.Generator().manual_seed(2))
    b = {n: value + 0.3 * torch.randn_like(value) for n, value in params_of(module).items()}
    return module, b, trace(module, images).spec, images


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "fc1"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("entries", [1, 1 << 20])
def test_units_of_convolutions_are_exchanged_likewise(layer, share, entries, monkeypatch):
    monkeypatch.setattr(exchanged, "ENTRIES", entries)
    module, b, spec, images = convolutions()
    units = butterflies(spec, layer, b)
    found = torch.cat(list(exchange_logits(module, b, layer, PAIRS, images, share)))
    before = functional_call(module, b, (images,))
    for (u, v), logits in zip(PAIRS, found, strict=True):
        order = torch.arange(units.size)
        order[u], order[v] = v, u
        there = lerp(b, in_order(b, units, order), share)
        torch.testing.assert_close(logits, functional_call(module, there, (images,)))
        unchanged = u == v or share in (0, 1)
        assert unchanged == torch.allclose(logits, before, rtol=0, atol=1e-4)


class Tripled(nn.Linear):
    """A layer that computes something of its own."""

    def forward(self, input):
        """Return thrice what a linear layer does."""
        return 3 * super().forward(input)


@pytest.mark.parametrize(
    ("changed", "layer", "found"),
    [
        ({"relu1": nn.BatchNorm2d(9)}, "conv1", r"found Conv2d.*, BatchNorm2d"),
        ({"conv2": nn.Conv2d(9, 9, 3, groups=9)}, "conv1", "'conv2' has 9 groups"),
        ({"conv2": nn.Conv2d(9, 9, 3, padding_mode="circular")}, "conv1", "padding 'circular'"),
        ({"flatten": nn.Flatten(2)}, "conv3", r"found Conv2d.*, Flatten\(start_dim=2, end_dim=-1"),
        ({"flatten": nn.ReLU()}, "conv3", r"found Conv2d.*, ReLU\(\), ReLU\(\), Linear"),
        ({"relu1": nn.Flatten()}, "conv1", r"found Conv2d.*, Flatten.*, Conv2d"),
        ({"fc": Tripled(12, 5)}, "fc1", "'fc' is a Tripled"),
    ],
)
def test_units_that_are_not_read_one_by_one_are_refused(changed, layer, found):
    module, b, _, images = convolutions()
    for name, part in changed.items():
        setattr(module, name, part)
    with pytest.raises(ValueError, match=found):
        next(exchange_logits(module, b, layer, PAIRS, images))


@pytest.mark.parametrize("layer", ["conv1", "conv3", "fc1"])
def test_a_nonlinearity_may_work_in_place(layer):
    module, b, _, images = convolutions()
    expected = torch.cat(list(exchange_logits(module, b, layer, PAIRS, images)))
    for part in module:
        if isinstance(part, nn.ReLU):
            part.inplace = True
    found = torch.cat(list(exchange_logits(module, b, layer, PAIRS, images)))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_dropout_between_the_layers_is_passed_over():
    plain, b, _ = network((9,))
    dropping = nn.Sequential()
    for name, part in plain.named_children():
        if name == "fc":
            dropping.add_module("drop", nn.Dropout(0.9))
        dropping.add_module(name, part)
    found, expected = (
        torch.cat(list(exchange_logits(module, b, "fc1", PAIRS, X))) for module in (dropping, plain)
    )
    assert torch.equal(found, expected)


@pytest.mark.parametrize("layer", ["fc1", "conv1", "conv3"])
def test_measured_like_the_middle_of_every_leg_of_the_path_home(layer):
    module, b, spec, images = (*network((20,)), X) if layer == "fc1" else convolutions()
    labels = LABELS[: len(images)]
    units = butterflies(spec, layer, b)
    p = torch.randperm(units.size, generator=torch.Generator().manual_seed(5))
    path, pairs = reorder(b, units, p), exchanged_units(p)
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    found = measure_exchanges(module, b, layer, pairs, batches)
    assert found.loss.shape == found.accuracy.shape == (len(pairs),)
    for k in range(len(pairs)):
        logits = functional_call(module, path.at((k + 0.5) / len(pairs)), (images,))
        loss = nn.functional.cross_entropy(logits.double(), labels)
        assert found.loss[k].item() == pytest.approx(loss.item(), abs=1e-5)
        accuracy = (logits.argmax(1) == labels).double().mean()
        assert found.accuracy[k].item() == pytest.approx(accuracy.item())
    logits = functional_call(module, b, (images,))
    assert found.loss_before == pytest.approx(
        nn.functional.cross_entropy(logits, labels).item(), abs=1e-5
    )
    assert found.accuracy_before == (logits.argmax(1) == labels).double().mean().item()
    assert (found.loss - found.loss_before).abs().max() > 1e-3


def test_what_cannot_be_exchanged_is_refused():
    module, b, _ = network()
    with pytest.raises(ValueError, match=r"'fc' cannot be exchanged: .* found Linear\(.*\)$"):
        next(exchange_logits(module, b, "fc", PAIRS, X))
    with pytest.raises(ValueError, match="found no such layer"):
        next(exchange_logits(module, b, "conv1", PAIRS, X))
    with pytest.raises(ValueError, match=r"units 0 to 8, got the pair \(1, 9\)"):
        next(exchange_logits(module, b, "fc1", [(0, 1), (1, 9)], X))
    with pytest.raises(ValueError, match=r"1 pair or more .* got 0 pairs and 50 images"):
        measure_exchanges(module, b, "fc1", [], [(X, LABELS)])
    with pytest.raises(ValueError, match="got 4 pairs and 0 images"):
        measure_exchanges(module, b, "fc1", PAIRS, [])
