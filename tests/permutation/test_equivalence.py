"""The gate lets symmetries through and nothing else."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeconn_lib.core.params import params_of
from modeconn_lib.models.registry import ARCHITECTURES
from modeconn_lib.permutation.apply import identity, permute, random_permutations
from modeconn_lib.permutation.equivalence import (
    NotEquivalent,
    check_equivalence,
    check_permuted,
    verify_spec,
)
from modeconn_lib.permutation.operators import RULES
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks
from tests.reference import specs

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
MODULE = ARCHITECTURES["resnet20"].build((3, 16, 16), 10)
TRACED, PARAMS = trace(MODULE, X), params_of(MODULE)


def shuffled(seed):
    return random_permutations(TRACED.spec, torch.Generator().manual_seed(seed))


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_permuting_hidden_units_does_not_change_the_function(seed):
    # The bound: float64 has 2e-16, summed in another order over 20 layers.
    assert check_equivalence(TRACED, PARAMS, shuffled(seed), X) < 1e-12


def test_the_gate_is_indifferent_to_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert check_equivalence(TRACED, PARAMS, shuffled(0), X) < 1e-12


SPANS = [
    (group, i)
    for group in ("conv1", "layer1.1.conv1", "layer3.0.conv2")
    for i in range(len(TRACED.spec.spans[group]))
]


@pytest.mark.parametrize(("group", "missing"), SPANS)
def test_a_spec_with_one_span_removed_does_not_pass(group, missing):
    spans = list(TRACED.spec.spans[group])
    del spans[missing]
    spec = PermutationSpec(TRACED.spec.sizes, {**TRACED.spec.spans, group: tuple(spans)})
    with pytest.raises(NotEquivalent, match="first to differ is the parameter"):
        verify_spec(dataclasses.replace(TRACED, spec=spec), PARAMS, X)


def test_the_parameter_that_was_not_permuted_is_named():
    p = shuffled(0)
    wrong = permute(PARAMS, TRACED.spec, p) | {
        "layer2.0.conv2.weight": PARAMS["layer2.0.conv2.weight"]
    }
    with pytest.raises(NotEquivalent, match=r"the parameter 'layer2\.0\.conv2\.weight', by"):
        check_permuted(TRACED, PARAMS, wrong, p, X)


def test_the_node_where_a_wrong_rule_shows_is_named(monkeypatch):
    # As if cumsum did not care for the order of units: the graph differs from there on.
    monkeypatch.setitem(RULES, "cumsum", RULES["softmax"])
    module = networks.Sorted()
    traced = trace(module, X[:, :, :8, :8])
    with pytest.raises(NotEquivalent, match="the first to differ is node 'cumsum', by"):
        verify_spec(traced, module.state_dict(), X[:, :, :8, :8])


def test_a_spec_with_names_of_its_own_is_checked():
    spec = specs.resnet(3, 1, specs.BATCH_NORM)
    traced = dataclasses.replace(TRACED, spec=spec)
    assert verify_spec(traced, PARAMS, X) < 1e-12
    spans = {**spec.spans, "stream1": spec.spans["stream1"][1:]}
    traced = dataclasses.replace(TRACED, spec=PermutationSpec(spec.sizes, spans))
    with pytest.raises(NotEquivalent, match="the first to differ is"):
        verify_spec(traced, PARAMS, X)


def test_the_head_that_only_training_reads_is_checked_too():
    module = networks.Auxiliary()
    traced, params = trace(module, X), params_of(module)
    wrong = params | {"aux2.weight": params["aux2.weight"].flip(1)}
    with pytest.raises(NotEquivalent, match=r"differ is the parameter 'aux2\.weight'"):
        check_permuted(traced, params, wrong, identity(traced.spec), X)


class Words(torch.nn.Module):
    """A network whose input numbers the rows of a table."""

    def __init__(self):
        super().__init__()
        self.table, self.fc1 = torch.nn.Embedding(11, 8), torch.nn.Linear(8, 16)
        self.fc2 = torch.nn.Linear(16, 3)

    def forward(self, x):
        return self.fc2(self.fc1(self.table(x).mean(1)).relu())


def test_inputs_that_are_integers_stay_so():
    words = torch.randint(0, 11, (2, 6), generator=torch.Generator().manual_seed(0))
    module = Words()
    traced = trace(module, words)
    assert traced.spec.sizes == {"table": 8, "fc1": 16}
    assert verify_spec(traced, module.state_dict(), words) < 1e-12


def test_a_network_that_is_not_finite_does_not_pass():
    wrong = PARAMS | {"fc.bias": PARAMS["fc.bias"] * float("nan")}
    with pytest.raises(NotEquivalent, match="differs by inf"):
        check_permuted(TRACED, PARAMS, wrong, identity(TRACED.spec), X)


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="the networks differ"):
        check_permuted(TRACED, PARAMS, {}, identity(TRACED.spec), X)
