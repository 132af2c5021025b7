"""Planted permutations: what counts as found, and where weight matching finds them."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.alignment import recovery
from modeconn_lib.alignment.recovery import match_from_starts, plant, recover
from modeconn_lib.alignment.weights import match_weights
from modeconn_lib.core.params import dot, params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from tests.reference import specs

BLOCKS = range(3)
# A residual MLP: the stream is read and written by every block.
RESIDUAL = PermutationSpec(
    {"stream": 12, **{f"hidden{k}": 12 for k in BLOCKS}},
    {
        "stream": tuple(s for k in BLOCKS for s in (AxisSpan(f"u{k}", 1), AxisSpan(f"w{k}", 0))),
        **{f"hidden{k}": (AxisSpan(f"u{k}", 0), AxisSpan(f"w{k}", 1)) for k in BLOCKS},
    },
)


def residual(seed):
    g = torch.Generator().manual_seed(seed)
    return {f"{m}{k}": torch.randn(12, 12, generator=g) for k in BLOCKS for m in "uw"}


def fresh(name, seed):
    torch.manual_seed(seed)
    return params_of(architecture(name).build((3, 12, 12), 10))


@given(seed=st.integers(0, 2**31))
def test_the_truth_brings_the_planted_network_back(seed):
    params = residual(seed)
    planted = plant(RESIDUAL, params, torch.Generator().manual_seed(seed))
    back = permute(planted.network, RESIDUAL, planted.truth)
    assert all(torch.equal(back[name], params[name]) for name in params)
    assert any(not torch.equal(planted.network[name], params[name]) for name in params)


@pytest.mark.parametrize("seed", range(5))
def test_an_mlp_is_recovered_exactly(seed):
    found = recover(specs.mlp((64, 32)), fresh("mlp_small", seed), seed=seed)
    assert found.exact
    assert found.units == 1
    assert found.reached == pytest.approx(1, rel=1e-7)


def test_a_network_that_is_not_recovered_says_so():
    found = [recover(RESIDUAL, residual(seed), seed=seed) for seed in range(10)]
    lost = [r for r in found if not r.exact]
    assert lost
    assert all(r.reached < 1 - 1e-6 and r.units < 1 for r in lost)
    assert all(r.reached == pytest.approx(1, rel=1e-6) for r in found if r.exact)


def test_more_starts_recover_more():
    few = sum(recover(RESIDUAL, residual(s), seed=s).exact for s in range(10))
    many = sum(recover(RESIDUAL, residual(s), seed=s, starts=12).exact for s in range(10))
    assert many > few


def test_the_first_start_is_the_identity_and_the_best_is_kept():
    a, b = residual(0), residual(1)
    runs = [match_from_starts(RESIDUAL, a, b, starts=k).objective for k in (1, 3, 8)]
    assert runs == sorted(runs)
    assert runs[0] < runs[2]
    alone = [
        match_weights(RESIDUAL, a, b, init=random_permutations(RESIDUAL, generator(k))).objective
        for k in range(3)
    ]
    assert runs[0] >= dot(a, b)
    assert len(set(alone)) > 1


def test_units_that_cannot_be_told_apart_are_recovered_in_any_order():
    params = {
        "fc1.weight": torch.ones(4, 2),
        "fc1.bias": torch.zeros(4),
        "fc.weight": torch.ones(1, 4),
    }
    found = recover(specs.mlp((4,)), params, seed=1)
    assert found.exact
    assert found.units < 1


def test_seconds_are_those_of_all_starts(monkeypatch):
    monkeypatch.setattr(
        recovery, "match_weights", lambda *n, **o: replace(match_weights(*n, **o), seconds=2.0)
    )
    assert match_from_starts(RESIDUAL, residual(0), residual(1), starts=3).seconds == 6


def test_a_network_of_zeros_is_recovered():
    params = {name: torch.zeros_like(value) for name, value in residual(0).items()}
    found = recover(RESIDUAL, params)
    assert (found.exact, found.reached) == (True, 1)


def test_no_start_is_refused():
    with pytest.raises(ValueError, match="at least 1 start, got 0"):
        match_from_starts(RESIDUAL, residual(0), residual(1), starts=0)
