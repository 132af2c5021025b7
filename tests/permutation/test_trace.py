"""The spec derived from a network's graph is the one written by hand, and a symmetry."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.registry import ARCHITECTURES
from modeconn_lib.permutation.equivalence import verify_spec
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks
from tests.reference import specs

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def groups(spec):
    """What a spec says, without the names of its groups."""
    return {(spec.sizes[name], frozenset(spans)) for name, spans in spec.spans.items()}


def understood(module):
    """Trace a small network and let the spec prove itself."""
    traced = trace(module, IMAGES)
    traced.spec.check(module.state_dict())
    assert verify_spec(traced, module.state_dict(), IMAGES) < 1e-12
    return traced


REGISTRY = {
    "mlp": specs.mlp((512, 512, 512)),
    "mlp_small": specs.mlp((64, 32)),
    "tinyten": specs.tinyten(),
    "resnet20": specs.resnet(3, 1, specs.BATCH_NORM),
    "resnet32": specs.resnet(5, 1, specs.BATCH_NORM),
    "resnet20_layernorm": specs.resnet(3, 1, specs.LAYER_NORM),
}


@cache
def traced_architecture(name):
    module = ARCHITECTURES[name].build((3, 16, 16), 10)
    images = torch.randn(2, 3, 16, 16)
    return trace(module, images), module.state_dict(), images


@pytest.mark.parametrize("name", REGISTRY)
def test_the_derived_spec_is_the_handwritten_one(name):
    traced, params, images = traced_architecture(name)
    assert groups(traced.spec) == groups(REGISTRY[name])
    traced.spec.check(params)
    assert verify_spec(traced, params, images) < 1e-12


TORCHVISION = {
    "resnet18": (specs.torchvision_resnet((2, 2, 2, 2), 2, 1), {}),
    "resnet50": (specs.torchvision_resnet((3, 4, 6, 3), 3, 4), {}),
    "googlenet": (specs.torchvision_googlenet(), {"init_weights": False}),
    "vgg11_bn": (specs.torchvision_vgg11_bn(), {"init_weights": False}),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_networks_are_understood(name):
    expected, options = TORCHVISION[name]
    module = getattr(torchvision().models, name)(weights=None, **options)
    images = torch.randn(2, 3, 32, 32)
    traced = trace(module, images)
    assert groups(traced.spec) == groups(expected)
    assert verify_spec(traced, module.state_dict(), images) < 1e-12


@pytest.mark.parametrize("network", networks.ALL, ids=lambda network: network.__name__)
def test_what_is_found_is_a_symmetry(network):
    torch.manual_seed(0)
    understood(network())


def test_groups_are_named_in_the_order_in_which_the_network_computes_them():
    traced, _, _ = traced_architecture("resnet20")
    assert list(traced.spec.sizes)[:6] == [
        "conv1",
        "layer1.0.conv1",
        "layer1.1.conv1",
        "layer1.2.conv1",
        "layer2.0.conv1",
        "layer2.0.conv2",
    ]


def test_a_flattened_map_moves_in_blocks():
    spans = understood(networks.Flatten()).spec.spans["conv"]
    assert specs.AxisSpan("fc1.weight", 1, 0, 4) in spans


def test_a_map_flattened_with_channels_last_moves_at_every_position():
    spans = understood(networks.ChannelsLastFlatten()).spec.spans["conv"]
    assert [s.offset for s in spans if s.tensor == "fc1.weight"] == [0, 5, 10, 15]


def test_a_depthwise_convolution_keeps_its_units():
    assert understood(networks.Depthwise()).spec.sizes == {"first": 6}
    doubled = understood(networks.Depthwise(multiplier=2)).spec
    assert doubled.sizes == {"first": 6, "each": 12}
    assert doubled.inside == {"each": "first"}


def test_a_channel_shuffle_costs_no_symmetry():
    spec = understood(networks.Shuffle()).spec
    assert spec.sizes == {"first": 4, "first[4:]": 4, "branch": 4}
    assert specs.AxisSpan("last.weight", 1, 1, 1, (1, 3, 5, 7)) in spec.spans["branch"]


def test_units_that_do_different_things_are_not_exchanged():
    assert understood(networks.HalfNonlinear()).spec.sizes == {"wide": 4, "wide[4:]": 6}


def test_a_unit_that_is_picked_by_its_place_stays():
    traced = understood(networks.Picked())
    assert traced.spec.sizes == {"fc1": 5}
    report = [str(item) for item in traced.pinned]
    assert "fc1.bias axis 0, 1 entries: is picked by its place in select" in report


def test_one_unit_for_all_others_stays_and_they_move():
    for gate_first in (True, False):
        traced = understood(networks.OneForAll(gate_first))
        assert traced.spec.sizes == {"fc1": 4, "fc1[5:]": 4}
        report = [str(item) for item in traced.pinned]
        assert "fc1.bias axis 0, 1 entries: is one entry for a whole axis in mul" in report


def test_operators_with_several_results_cost_no_symmetry():
    assert understood(networks.Pooled()).spec.sizes == {"conv": 6}
    traced = understood(networks.NativeDropout())
    assert traced.training is not None
    assert traced.spec.sizes == {"conv": 6}


def test_every_group_has_a_name_of_its_own():
    assert understood(networks.Raw()).spec.sizes == {"w0": 8, "w1": 9, "w2": 7}
    inside = understood(networks.RawInside()).spec
    assert inside.sizes == {"0": 8, "0[0:]": 9, "0.w2": 7}
    nested = understood(networks.NormOfNorm()).spec
    assert nested.sizes == {"0 blocks": 2, "0 blocks#2": 4, "0": 8}
    assert nested.inside == {"0": "0 blocks#2", "0 blocks#2": "0 blocks"}


def test_a_weight_may_be_on_either_side_of_a_product():
    assert understood(networks.Products()).spec.sizes == {"w1": 5}


def test_a_gate_moves_with_what_it_gates():
    assert understood(networks.Gated()).spec.sizes == {"wide": 5}
    assert understood(networks.SqueezeExcite()).spec.sizes == {"first": 8, "down": 3}


def test_heads_that_only_training_reads_are_permuted_along():
    traced = understood(networks.Auxiliary())
    assert traced.spec.sizes == {"conv": 6, "aux1": 5}
    assert specs.AxisSpan("aux1.weight", 1) in traced.spec.spans["conv"]
    assert list(traced.sites) == ["conv", "aux1"]


def test_tied_weights_share_their_group():
    spec = understood(networks.Tied()).spec
    assert spec.sizes == {"inp": 6}


def test_an_unknown_operator_pins_what_it_reads_and_says_so():
    traced = understood(networks.Sorted())
    assert traced.spec.sizes == {"fc2": 5}
    report = [str(item) for item in traced.pinned]
    expected = (
        "fc1.weight axis 0, 6 entries: goes into cumsum, which permutations are not known for"
    )
    assert expected in report
    assert "fc1.weight axis 1, 192 entries: meets the network's input in linear" in report
    assert "fc3.bias axis 0, 4 entries: is the network's output" in report
    assert expected in traced.report()


def test_what_nothing_reads_stays():
    pinned = {
        (item.tensor, item.axis): item.reason for item in trace(networks.Auxiliary(), IMAGES).pinned
    }
    assert pinned["unused.weight", 0] == "is not read by the network"


def test_tracing_leaves_the_module_as_it_was():
    module = networks.Auxiliary().train()
    module.aux1.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    trace(module, IMAGES)
    assert module.training
    assert not module.aux1.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


LAYERS = st.sampled_from(["conv", "norm", "relu", "add", "branch", "depthwise", "pool", "shuffle"])


class Random(nn.Module):
    """A network put together from a list of words."""

    def __init__(self, words):
        super().__init__()
        self.words, width = words, 4
        self.parts = nn.ModuleList([networks.conv(3, width)])
        for word in words:
            if word == "branch":
                self.parts.append(networks.conv(width, 2))
                width += 2
            elif word == "norm":
                self.parts.append(nn.BatchNorm2d(width))
            else:
                groups = width if word == "depthwise" else 1
                self.parts.append(networks.conv(width, width, groups=groups))
        self.fc = nn.Linear(width * 4, 4)

    def forward(self, x):
        x = self.parts[0](x)
        for word, part in zip(self.words, self.parts[1:], strict=True):
            if word in ("conv", "depthwise", "norm"):
                x = part(x)
            elif word == "add":
                x = x + part(x).relu()
            elif word == "branch":
                x = torch.cat([x, part(x)], 1)
            elif word == "relu":
                x = x.relu()
            elif word == "pool":
                x = nn.functional.avg_pool2d(x, 2, 1, 1)
            elif word == "shuffle":
                x = x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))


@settings(max_examples=10)
@given(words=st.lists(LAYERS, min_size=1, max_size=6))
def test_whatever_a_network_is_made_of_what_is_found_is_a_symmetry(words):
    module = Random(words)
    traced = trace(module, IMAGES)
    traced.spec.check(module.state_dict())
    assert verify_spec(traced, module.state_dict(), IMAGES) < 1e-12
