"""GoogLeNet: branches are permuted each for itself, and heads that only training reads as well."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from modeconn_lib.core.params import params_of
from modeconn_lib.models.googlenet import googlenet
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.equivalence import NotEquivalent, check_equivalence, verify_spec
from modeconn_lib.permutation.sites import activations, samples_of_an_input
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks
from tests.reference import specs

SHAPE = (3, 32, 32)
IMAGES = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))


def groups(spec):
    """What a spec says, without the names of its groups."""
    return {(spec.sizes[name], frozenset(spans)) for name, spans in spec.spans.items()}


@cache
def built():
    """A GoogLeNet in which no two units are alike."""
    torch.manual_seed(0)
    module = googlenet(SHAPE, 10)
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.ndim == 1:
                value.uniform_(0.5, 1.5)
            elif value.ndim > 1:
                value.normal_(std=value[0].numel() ** -0.5)
    return trace(module, IMAGES[:2]), params_of(module), module


def test_the_derived_spec_is_the_handwritten_one():
    traced, params, _ = built()
    assert groups(traced.spec) == groups(specs.torchvision_googlenet())
    assert len(traced.spec.sizes) == 61
    traced.spec.check(params)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_permuted_computes_the_same_in_both_modes(seed):
    traced, params, _ = built()
    shuffled = random_permutations(traced.spec, torch.Generator().manual_seed(seed))
    assert len(traced.modes) == 2
    assert check_equivalence(traced, params, shuffled, IMAGES) < 1e-12


@pytest.mark.parametrize("tensor", ["aux1.fc1.weight", "aux2.conv.bn.running_var"])
def test_a_head_that_is_permuted_wrongly_does_not_pass(tensor):
    traced, params, _ = built()
    spans = {
        name: tuple(span for span in found if span.tensor != tensor)
        for name, found in traced.spec.spans.items()
    }
    wrong = replace(traced, spec=replace(traced.spec, spans=spans))
    with pytest.raises(NotEquivalent, match=rf"first to differ is the parameter '{tensor}'"):
        verify_spec(wrong, params, IMAGES[:1])


def test_units_of_the_heads_are_seen_as_in_evaluation():
    traced, params, module = built()
    assert list(traced.sites) == list(traced.spec.sizes)
    seen = {}
    for name in ("conv1.relu", "inception4a.branch2.1.relu", "aux1.conv.relu", "aux2.relu"):
        module.get_submodule(name).register_forward_hook(
            lambda _, __, y, name=name: seen.update({name: y.movedim(1, -1).flatten(0, -2)})
        )
    module.eval()
    module.training = True  # its own mode alone: the heads run, on running statistics
    with torch.no_grad():
        module(IMAGES)
    found = activations(traced, params, IMAGES)
    for group, name in [
        ("conv1.conv", "conv1.relu"),
        ("inception4a.branch2.1.conv", "inception4a.branch2.1.relu"),
        ("aux1.conv.conv", "aux1.conv.relu"),
        ("aux2.fc1", "aux2.relu"),
    ]:
        assert torch.equal(found[group][0], seen[name]), group


def test_permuting_a_network_permutes_the_activations_of_its_heads():
    traced, params, _ = built()
    p = random_permutations(traced.spec, torch.Generator().manual_seed(1))
    before = activations(traced, params, IMAGES)
    after = activations(traced, permute(params, traced.spec, p), IMAGES)
    for group in ("aux1.conv.conv", "aux1.fc1", "aux2.conv.conv", "aux2.fc1"):
        scale = float(before[group][0].abs().max())
        torch.testing.assert_close(
            after[group][0], before[group][0][:, p[group]], rtol=1e-4, atol=1e-4 * scale
        )


def test_nothing_is_dropped_where_units_are_looked_at():
    class Dropping(networks.Auxiliary):
        """The same network, with a head that is behind a dropout which is always on."""

        def forward(self, x):
            y = nn.functional.relu(self.conv(x)).mean((2, 3))
            if self.training:
                y = nn.functional.dropout(y, 0.5)
                return self.fc(y), self.aux2(nn.functional.relu(self.aux1(y)))
            return self.fc(y)

    torch.manual_seed(0)
    module = Dropping()
    traced, params = trace(module, IMAGES), params_of(module)
    with torch.no_grad():
        hidden = module.aux1(module.conv(IMAGES).relu().mean((2, 3))).relu()
    assert torch.equal(activations(traced, params, IMAGES)["aux1"][0], hidden)


def test_the_largest_map_tells_how_many_samples_an_image_gives():
    assert samples_of_an_input(built()[0]) == 32 * 32
    mlp = trace(nn.Sequential(nn.Flatten(), nn.Linear(3072, 5), nn.ReLU(), nn.Linear(5, 4)), IMAGES)
    assert samples_of_an_input(mlp) == 1
