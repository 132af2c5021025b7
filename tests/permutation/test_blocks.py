"""Heads move as blocks, and what is in them moves within: derived, applied, matched."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.permutation.apply import (
    check_permutations,
    compose,
    identity,
    invert,
    permute,
    random_permutations,
)
from modeconn_lib.permutation.equivalence import NotEquivalent, verify_spec
from modeconn_lib.permutation.nested import assign, families, shuffles, whole_blocks
from modeconn_lib.permutation.sites import activations
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks, transformers

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
SEEDS = st.integers(0, 2**31)
# Three blocks of two units, seen at two places; a group inside of these units; one on its own.
SPEC = PermutationSpec(
    {"alone": 4, "inner": 6, "heads": 3, "innermost": 12},
    {
        "alone": (AxisSpan("w", 1),),
        "inner": (AxisSpan("w", 0), AxisSpan("v", 0, 1)),
        "heads": (AxisSpan("bias", 0),),
        "innermost": (AxisSpan("u", 0),),
    },
    {"inner": "heads", "innermost": "inner"},
)
PARAMS = {"w": torch.rand(6, 4), "v": torch.rand(7), "bias": torch.rand(3), "u": torch.rand(12)}


def draw(seed, spec=SPEC):
    return random_permutations(spec, torch.Generator().manual_seed(seed))


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@given(seed=SEEDS)
def test_what_is_drawn_moves_whole_blocks(seed):
    p = draw(seed)
    check_permutations(SPEC, p)
    assert torch.equal(p["inner"].view(3, 2) // 2, p["heads"][:, None].expand(3, 2))
    assert torch.equal(p["innermost"].view(6, 2) // 2, p["inner"][:, None].expand(6, 2))


@given(a=SEEDS, b=SEEDS)
def test_nested_permutations_are_a_group_and_permuting_follows_it(a, b):
    p, q = draw(a), draw(b)
    for found in (compose(p, q), invert(p)):
        check_permutations(SPEC, found)
    assert_equal(compose(p, invert(p)), identity(SPEC))
    twice = permute(permute(PARAMS, SPEC, p), SPEC, q)
    assert_equal(twice, permute(PARAMS, SPEC, compose(p, q)))
    assert_equal(permute(permute(PARAMS, SPEC, p), SPEC, invert(p)), PARAMS)


def test_every_nested_order_is_drawn():
    spec = PermutationSpec({"heads": 2, "inner": 4}, {"heads": (), "inner": ()}, {"inner": "heads"})
    seen = {tuple(draw(seed, spec)["inner"].tolist()) for seed in range(200)}
    assert len(seen) == math.prod(math.factorial(n) ** k for k, n in shuffles(spec).values()) == 8


def test_a_permutation_that_tears_a_block_is_refused():
    wrong = identity(SPEC) | {"inner": torch.tensor([0, 2, 1, 3, 4, 5])}
    with pytest.raises(ValueError, match="'inner' is inside 'heads', but its permutation does not"):
        permute(PARAMS, SPEC, wrong)


NO_BLOCKS = [
    ({"inner": "nothing"}, "'inner' is inside 'nothing', which is no group of the spec"),
    ({"inner": "alone"}, "'inner' has 6 units, which are no 4 blocks of the same size"),
    ({"inner": "heads", "heads": "inner"}, "inside itself: inner in heads in inner"),
]


@pytest.mark.parametrize(("inside", "message"), NO_BLOCKS)
def test_blocks_that_are_none_are_refused(inside, message):
    spec = PermutationSpec(SPEC.sizes, SPEC.spans, inside)
    with pytest.raises(ValueError, match=message):
        spec.check(PARAMS)


def test_the_table_says_what_is_inside_of_what():
    assert "inner: 6 units, in the 3 of heads" in SPEC.table()


def test_families_are_matched_together_the_outermost_first():
    assert families(SPEC) == [("alone",), ("heads", "inner", "innermost")]


@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_assignment_of_blocks_is_the_best_of_all(seed):
    spec = PermutationSpec(
        {"heads": 2, "a": 4, "b": 6}, {"heads": (), "a": (), "b": ()}, {"a": "heads", "b": "heads"}
    )
    g = torch.Generator().manual_seed(seed)
    gains = {name: torch.randn(n, n, generator=g) for name, n in spec.sizes.items()}
    found = assign(spec, gains, best_permutation)
    check_permutations(spec, found)

    def gain(p):
        return sum(float(gains[n][range(len(p[n])), p[n]].sum()) for n in gains)

    best = max(
        gain({"heads": torch.tensor(heads), "a": blocks(heads, a), "b": blocks(heads, b)})
        for heads in itertools.permutations(range(2))
        for a in itertools.product(itertools.permutations(range(2)), repeat=2)
        for b in itertools.product(itertools.permutations(range(3)), repeat=2)
    )
    assert gain(found) == pytest.approx(best, abs=1e-5)  # sums of float32


def blocks(heads, within):
    return torch.tensor([h * len(w) + i for h, w in zip(heads, within, strict=True) for i in w])


@given(seed=SEEDS)
def test_a_planted_nested_permutation_is_found(seed):
    p = draw(seed)
    gains = {group: torch.eye(len(index))[index] for group, index in p.items() if group != "heads"}
    assert_equal(assign(SPEC, gains, best_permutation), p)


def test_groups_of_families_without_gains_are_left_out():
    assert list(assign(SPEC, {"alone": torch.eye(4)}, best_permutation)) == ["alone"]


def test_whole_blocks_keep_the_order_within():
    spec = whole_blocks(SPEC)
    assert spec.sizes == {"alone": 4, "heads": 3}
    assert not spec.inside
    assert set(spec.spans["heads"]) == {
        AxisSpan("bias", 0),
        AxisSpan("w", 0, 0, 2),
        AxisSpan("v", 0, 1, 2),
        AxisSpan("u", 0, 0, 4),
    }


def understood(network):
    torch.manual_seed(0)
    module = network()
    traced = trace(module, IMAGES)
    traced.spec.check(module.state_dict())
    assert verify_spec(traced, module.state_dict(), IMAGES) < 1e-12
    return traced


@pytest.mark.parametrize("network", transformers.ALL, ids=lambda network: network.__name__)
def test_what_is_found_is_a_symmetry(network):
    understood(network)


ATTENTION = ["HandWritten", "Fused", "Einsum", "Swin"]


@pytest.mark.parametrize("name", ATTENTION)
def test_heads_move_and_dimensions_move_within_them(name):
    spec = understood(getattr(transformers, name)).spec
    assert spec.sizes == {"patches": 12, "qkv blocks": 3, "qkv": 12, "qkv[24:]": 12}
    assert spec.inside == {"qkv": "qkv blocks", "qkv[24:]": "qkv blocks"}
    assert set(spec.spans["qkv"]) == {
        AxisSpan(f"qkv.{tensor}", 0, offset) for tensor in ("weight", "bias") for offset in (0, 12)
    }
    assert set(spec.spans["qkv[24:]"]) == {
        AxisSpan("qkv.weight", 0, 24),
        AxisSpan("qkv.bias", 0, 24),
        AxisSpan("proj.weight", 1),
    }


@pytest.mark.parametrize("group", ["qkv", "qkv[24:]"])
@pytest.mark.parametrize("missing", range(3))
def test_attention_without_one_of_its_spans_does_not_pass(group, missing):
    traced = understood(transformers.HandWritten)
    spans = list(traced.spec.spans[group])
    del spans[missing]
    spec = dataclasses.replace(traced.spec, spans={**traced.spec.spans, group: tuple(spans)})
    with pytest.raises(NotEquivalent, match="the first to differ is"):
        verify_spec(
            dataclasses.replace(traced, spec=spec),
            transformers.HandWritten().state_dict(),
            IMAGES,
        )


def test_what_belongs_to_a_head_moves_with_it():
    spec = understood(transformers.Cosine).spec
    assert spec.inside == {"qkv": "scale", "qkv[24:]": "scale"}
    assert set(spec.spans["scale"]) == {AxisSpan("scale", 0), AxisSpan("table", 1)}


def test_dimensions_that_are_told_apart_only_move_with_their_head():
    spec = understood(transformers.Rotary).spec
    assert spec.sizes == {"patches": 12, "qkv": 3, "qkv[24:]": 12}
    assert AxisSpan("qkv.weight", 0, 0, 4) in spec.spans["qkv"]
    assert spec.inside == {"qkv[24:]": "qkv"}


def test_weights_shared_by_all_heads_cost_the_order_of_heads():
    spec = understood(transformers.SharedNorm).spec
    assert not spec.inside
    assert AxisSpan("inner.weight", 0) in spec.spans["qkv"]
    assert {spec.sizes[group] for group in spec.sizes if group != "patches"} == {4}


def test_torchs_packed_attention_is_understood():
    for network, name in ((transformers.Packed, "attention"), (transformers.EncoderLayer, "layer")):
        spec = understood(network).spec
        (packed,) = {s.tensor for s in spec.spans["patches"] if "in_proj_weight" in s.tensor}
        assert packed.startswith(name)
        assert sorted(n for g, n in spec.sizes.items() if g in spec.inside) == [12, 12]
        assert [spec.sizes[outer] for outer in spec.inside.values()] == [3, 3]


def test_tokens_that_see_those_before_them_stay():
    free = trace(transformers.Causal(is_causal=False), IMAGES).spec
    assert AxisSpan("tokens", 0) in free.spans["tokens"]
    traced = understood(transformers.Causal)
    assert ("tokens", 0) not in {(s.tensor, s.axis) for x in traced.spec.spans.values() for s in x}
    (reason,) = {p.reason for p in traced.pinned if (p.tensor, p.axis) == ("tokens", 0)}
    assert reason == "is a position in scaled_dot_product_attention"


def test_channels_of_a_group_of_a_convolution_move_within_it():
    traced = understood(networks.Grouped)
    assert traced.spec.sizes == {"first": 3, "each": 12}
    assert traced.spec.inside == {"each": "first"}
    reasons = {p.reason for p in traced.pinned if p.tensor == "each.weight"}
    assert reasons == {"is shared by all groups of conv2d_1"}


def test_groups_of_a_norm_move_as_blocks():
    spec = understood(networks.GroupNorm).spec
    assert spec.sizes == {"conv blocks": 2, "conv": 8}
    assert spec.inside == {"conv": "conv blocks"}


def test_a_product_of_two_weights_has_units_that_only_parameters_show():
    traced = understood(transformers.LowRank)
    assert traced.spec.spans["a"] == (AxisSpan("a", 1), AxisSpan("b", 0))
    assert "a" not in traced.sites


def test_a_recurrent_layer_is_pinned_and_says_so():
    traced = understood(transformers.Recurrent)
    assert traced.spec.sizes == {"hidden": 7}
    reasons = {p.reason for p in traced.pinned if p.tensor == "lstm.weight_ih_l0"}
    assert reasons == {"goes into lstm, which permutations are not known for"}


def test_nested_units_are_seen_and_move_as_said():
    torch.manual_seed(0)
    module = transformers.HandWritten().eval()
    traced, params = trace(module, IMAGES), module.state_dict()
    p = draw(3, traced.spec)
    before = activations(traced, params, IMAGES)
    after = activations(traced, permute(params, traced.spec, p), IMAGES)
    for group in ("qkv", "qkv[24:]"):
        for old, new in zip(before[group], after[group], strict=True):
            torch.testing.assert_close(new, old[:, p[group]], rtol=1e-4, atol=1e-5)


def test_tables_that_are_not_trained_stay():
    traced = understood(TableOfPlaces)
    reasons = {p.reason for p in traced.pinned if p.tensor == "places"}
    assert reasons == {"is a table that is not trained"}


class TableOfPlaces(transformers.UserWritten):
    def __init__(self):
        super().__init__()
        self.register_buffer("places", torch.from_numpy(np.ones((7, 3), np.float32)))
        self.inner, self.outer = torch.nn.Linear(3, 5), torch.nn.Linear(5, 1)

    def forward(self, x):
        return super().forward(x) + self.outer(self.inner(self.places).relu()).mean()
