"""Activations read off the graph are those that hooks would see."""

from functools import cache

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.registry import ARCHITECTURES
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.sites import activations
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks, transformers

IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@cache
def built(name):
    torch.manual_seed(0)
    module = ARCHITECTURES[name].build((3, 16, 16), 10)
    with torch.no_grad():  # as after training: no two units alike
        for value in module.state_dict().values():
            if value.ndim == 1:
                value.uniform_(0.5, 1.5)
    return trace(module, IMAGES[:2]), params_of(module), module.eval()


def hooked(module, x):
    """(input, output) of every ReLU, in the order of the forward pass, by hooks."""
    seen, hooks = [], []
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            hooks.append(part.register_forward_hook(lambda _, x, y: seen.append((x[0].clone(), y))))
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    return seen


def samples(value):
    return value.movedim(1, -1).flatten(0, -2)


@pytest.mark.parametrize("name", ["mlp_small", "tinyten", "resnet20", "resnet20_layernorm"])
def test_activations_are_what_hooks_see(name):
    traced, params, module = built(name)
    seen = hooked(module, IMAGES)
    order = [site for sites in traced.sites.values() for site in sites]
    names = {node.name: i for i, node in enumerate(traced.graph.module.graph.nodes)}
    order.sort(key=lambda site: names[site.post])
    position = {site.post: i for i, site in enumerate(order)}
    assert len(seen) == len(order)
    for which, stage in enumerate(("pre", "post")):
        found = activations(traced, params, IMAGES, stage)
        for group, sites in traced.sites.items():
            for site, value in zip(sites, found[group], strict=True):
                assert torch.equal(value, samples(seen[position[site.post]][which]))


def test_a_residual_stream_is_seen_at_the_stem_and_at_the_end_of_every_block():
    traced, _, _ = built("resnet20")
    counts = {group: len(sites) for group, sites in traced.sites.items()}
    assert counts.pop("conv1") == 4
    assert counts.pop("layer2.0.conv2") == counts.pop("layer3.0.conv2") == 3
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("stage", ["pre", "post"])
def test_permuting_a_network_permutes_its_activations(stage):
    traced, params, _ = built("resnet20")
    p = random_permutations(traced.spec, torch.Generator().manual_seed(1))
    before = activations(traced, params, IMAGES, stage)
    after = activations(traced, permute(params, traced.spec, p), IMAGES, stage)
    for group, values in before.items():
        for old, new in zip(values, after[group], strict=True):
            # float32 sums over channels in another order: about 1e-6 of the largest value
            torch.testing.assert_close(new, old[:, p[group]], rtol=1e-4, atol=1e-4)


def test_activations_do_not_depend_on_the_other_images_of_the_batch():
    traced, params, _ = built("tinyten")
    all_at_once = activations(traced, params, IMAGES)
    for group, (value,) in all_at_once.items():
        (first,) = activations(traced, params, IMAGES[:3])[group]
        torch.testing.assert_close(value[: len(first)], first)


def test_activations_leave_parameters_and_buffers_alone():
    traced, params, _ = built("tinyten")
    before = {name: value.clone() for name, value in params.items()}
    activations(traced, params, IMAGES)
    assert all(torch.equal(value, before[name]) for name, value in params.items())


class TwoFold(networks.Flatten):
    """A map of 5 channels at 2 x 1 positions, flattened before its nonlinearity."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 6)

    def forward(self, x):
        y = nn.functional.adaptive_avg_pool2d(self.conv(x), (2, 1)).flatten(1)
        return self.fc2(self.fc1(y.relu()).relu())


def test_units_with_two_entries_are_seen_at_two_sites():
    torch.manual_seed(0)
    module = TwoFold().eval()
    traced, params = trace(module, IMAGES[:2]), params_of(module)
    upper, lower = activations(traced, params, IMAGES)["conv"]
    with torch.no_grad():
        y = nn.functional.adaptive_avg_pool2d(module.conv(IMAGES), (2, 1)).relu()
    assert torch.equal(upper, y[:, :, 0, 0])
    assert torch.equal(lower, y[:, :, 1, 0])


def test_a_group_without_nonlinearity_is_seen_where_it_is_computed():
    module = nn.Sequential(nn.Flatten(), nn.Linear(768, 5), nn.Linear(5, 4))
    traced = trace(module, IMAGES[:2])
    (site,) = traced.sites["1"]
    assert site.pre == site.post == "linear"


def test_the_formats_of_the_machine_are_used():
    machine = Machine.detect()
    traced, params, _ = built("tinyten")
    params = {name: value.to(machine.device) for name, value in params.items()}
    with machine.precision():
        found = activations(traced, params, machine.place(IMAGES))
    for (value,) in found.values():
        assert value.dtype == (machine.autocast or torch.float32)
        if machine.memory_format == torch.channels_last:
            assert value.is_contiguous()  # a view of the map, not a transposed copy


def test_a_missing_parameter_is_refused():
    traced, params, _ = built("mlp_small")
    params = {name: value for name, value in params.items() if name != "fc1.bias"}
    with pytest.raises(KeyError, match=r"the network reads 'fc1\.bias', which the parameters lack"):
        activations(traced, params, IMAGES)


def test_units_are_not_looked_at_where_samples_play_no_part():
    # Swin v2 adds a bias that it has changed: its clone has the units, but does nothing on images.
    torch.manual_seed(0)
    module = transformers.Cosine().eval()
    example = torch.randn(4, 3, 8, 8)
    traced = trace(module, example[:2])
    assert traced.sites
    for group, found in activations(traced, params_of(module), example).items():
        for samples in found:
            assert len(samples) == 4 * 16, group
            assert samples.std(0).max() > 0, group
