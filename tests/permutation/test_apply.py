"""Permutations form a group, and reordering a network's units follows it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.permutation.apply import (
    check_permutations,
    compose,
    identity,
    invert,
    permute,
    random_permutations,
)
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec

SEEDS = st.integers(0, 2**31)
# Two groups: a concatenation along axis 1 of "join", a flatten of the first group in "fc".
SPEC = PermutationSpec(
    {"left": 4, "right": 3},
    {
        "left": (AxisSpan("left", 0), AxisSpan("join", 1), AxisSpan("fc", 1, 1, 2)),
        "right": (AxisSpan("right", 0), AxisSpan("join", 1, 4), AxisSpan("fc", 0)),
    },
)
SHAPES = {"left": (4, 2), "right": (3,), "join": (5, 8, 3, 3), "fc": (3, 10), "count": ()}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int) -> dict[str, torch.Tensor]:
    g = generator(seed)
    return {name: torch.randn(shape, generator=g) for name, shape in SHAPES.items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def slow_permute(params, permutations):
    """Entry by entry, from the meaning of a span."""
    out = {name: value.clone() for name, value in params.items()}
    for (tensor, axis), claims in SPEC.by_axis().items():
        source = out[tensor].clone()
        for group, span in claims:
            for new, old in enumerate(permutations[group].tolist()):
                for i in range(span.block):
                    to = out[tensor].select(axis, span.offset + new * span.block + i)
                    to.copy_(source.select(axis, span.offset + old * span.block + i))
    return out


@given(seed=SEEDS)
def test_permute_gathers_every_entry_of_every_span(seed):
    p, params = random_permutations(SPEC, generator(seed)), network(seed)
    assert_equal(permute(params, SPEC, p), slow_permute(params, p))


@given(seed=SEEDS)
def test_permuting_back_gives_the_network(seed):
    p, params = random_permutations(SPEC, generator(seed)), network(seed)
    assert_equal(permute(permute(params, SPEC, p), SPEC, invert(p)), params)


@given(seed=SEEDS)
def test_compose_applies_the_first_argument_first(seed):
    g, params = generator(seed), network(seed)
    p, q = random_permutations(SPEC, g), random_permutations(SPEC, g)
    assert_equal(permute(permute(params, SPEC, p), SPEC, q), permute(params, SPEC, compose(p, q)))


@given(seed=SEEDS)
def test_composition_is_associative_and_has_inverses(seed):
    g = generator(seed)
    p, q, r = (random_permutations(SPEC, g) for _ in range(3))
    assert_equal(compose(compose(p, q), r), compose(p, compose(q, r)))
    assert_equal(compose(p, invert(p)), identity(SPEC))
    assert_equal(compose(invert(p), p), identity(SPEC))


def test_permuting_leaves_the_arguments_alone_and_keeps_the_memory_layout():
    params = network(0)
    params["join"] = params["join"].contiguous(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in params.items()}
    out = permute(params, SPEC, random_permutations(SPEC, generator(1)))
    assert_equal(params, before)
    assert out["join"].is_contiguous(memory_format=torch.channels_last)


def test_every_unit_is_equally_likely_to_come_first():
    g = generator(0)
    firsts = torch.stack([random_permutations(SPEC, g)["left"][0] for _ in range(4000)])
    # 4000 draws from 4 units: 5 standard deviations are 5 * sqrt(4000 * 3 / 16) = 137.
    assert (firsts.bincount(minlength=4) - 1000).abs().max() < 137


NO_PERMUTATIONS = [
    (
        {"left": torch.tensor([0, 1, 2, 2])},
        r"'left' has 4 units, but its permutation .* 0\.\.3 once",
    ),
    ({"left": torch.arange(3)}, r"'left' has 4 units, but its permutation \(shape \(3,\)\)"),
    ({"left": torch.tensor([1, 2, 3, 4])}, r"does not hold each of 0\.\.3 once"),
    ({"middle": torch.arange(3)}, "'middle' is in the permutations only; start from identity"),
]


@pytest.mark.parametrize(("change", "message"), NO_PERMUTATIONS)
def test_what_is_no_permutation_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check_permutations(SPEC, identity(SPEC) | change)
    with pytest.raises(ValueError, match=message):
        permute(network(0), SPEC, identity(SPEC) | change)


def test_a_group_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="'right' is in the spec only"):
        permute(network(0), SPEC, {"left": torch.arange(4)})
    with pytest.raises(ValueError, match="cannot compose: group 'right' is in one of the two only"):
        compose(identity(SPEC), {"left": torch.arange(4)})
