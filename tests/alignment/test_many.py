"""Merging many networks: the distance never rises, and every network stays what it was."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.many import merge_many
from modeconn_lib.alignment.weights import match_weights
from modeconn_lib.core.params import combine, lerp
from modeconn_lib.permutation.apply import identity, permute, random_permutations
from tests.reference import specs
from tests.reference.weight_matching import full_cost

SEEDS = st.integers(0, 2**31)
SPEC = specs.mlp((6, 5))
SHAPES = {
    "fc1.weight": (6, 4),
    "fc1.bias": (6,),
    "fc2.weight": (5, 6),
    "fc2.bias": (5,),
    "fc.weight": (2, 5),
}


def network(seed):
    g = torch.Generator().manual_seed(seed)
    return {n: torch.randn(s, generator=g, dtype=torch.float64) for n, s in SHAPES.items()}


def spread(networks):
    mean = combine([1 / len(networks)] * len(networks), networks)
    return sum(float((net[n] - mean[n]).square().sum()) for net in networks for n in SHAPES)


def placed(networks, merge):
    return [permute(n, SPEC, p) for n, p in zip(networks, merge.permutations, strict=True)]


@given(seed=SEEDS, count=st.integers(2, 5))
def test_the_distance_is_the_one_defined_and_never_rises(seed, count):
    networks = [network(seed + i) for i in range(count)]
    merge = merge_many(SPEC, networks, seed=seed)
    assert merge.distances[0] == pytest.approx(spread(networks))
    assert merge.distances[-1] == pytest.approx(spread(placed(networks, merge)))
    assert all(x > y for x, y in zip(merge.distances, merge.distances[1:], strict=False))
    assert len(merge.distances) in (merge.sweeps, merge.sweeps + 1)  # the last one may gain nothing


@given(seed=SEEDS)
def test_in_the_end_no_network_gains_by_moving_one_group(seed):
    networks = [network(seed + i) for i in range(3)]
    merge = merge_many(SPEC, networks, seed=seed)
    at = placed(networks, merge)
    for i, net in enumerate(networks):
        others = lerp(*(at[j] for j in range(3) if j != i), 0.5)
        for group, p in merge.permutations[i].items():
            cost = full_cost(SPEC, others, net, merge.permutations[i], group)
            rows, best = torch.arange(len(p)), best_permutation(cost)
            assert float((cost[rows, best] - cost[rows, p]).sum()) < 1e-6


@given(seed=SEEDS)
def test_two_networks_are_matched_as_pairs_are(seed):
    a, b = network(seed), network(seed + 1)
    merge = merge_many(SPEC, [a, b], seed=seed)
    pair = match_weights(SPEC, *placed([a, b], merge))
    assert pair.objective == pytest.approx(pair.start, rel=1e-9)


@given(seed=SEEDS)
def test_shuffled_copies_of_one_hidden_layer_merge_into_it(seed):
    spec = specs.mlp((6,))
    shapes = {"fc1.weight": (6, 4), "fc1.bias": (6,), "fc.weight": (2, 6)}
    g = torch.Generator().manual_seed(seed)
    a = {n: torch.randn(s, generator=g, dtype=torch.float64) for n, s in shapes.items()}
    copies = [permute(a, spec, random_permutations(spec, g)) for _ in range(2)]
    merge = merge_many(spec, copies, seed=seed)
    assert merge.distances[-1] == pytest.approx(0, abs=1e-18)
    rows = merge.merged["fc1.weight"]
    torch.testing.assert_close(rows.sort(0).values, a["fc1.weight"].sort(0).values)


def test_the_merge_is_the_mean_of_what_was_permuted():
    networks = [network(i) for i in range(4)]
    merge = merge_many(SPEC, networks)
    mean = combine([0.25] * 4, placed(networks, merge))
    assert all(torch.equal(merge.merged[n], mean[n]) for n in SHAPES)


def test_buffers_have_no_say_but_are_averaged_and_integers_are_the_firsts():
    networks = [network(i) for i in range(3)]
    plain = merge_many(SPEC, networks, seed=1)
    buffers = [
        {**net, "statistic": torch.full((6,), 100.0 * i), "count": torch.tensor(i + 7)}
        for i, net in enumerate(networks)
    ]
    full = merge_many(SPEC, buffers, learned=set(SHAPES), seed=1)
    assert full.distances == plain.distances
    torch.testing.assert_close(full.merged["statistic"], torch.full((6,), 100.0))
    assert full.merged["count"] == 7


def test_arguments_are_not_written_to_and_the_seed_decides():
    networks = [network(i) for i in range(3)]
    before = [{n: v.clone() for n, v in net.items()} for net in networks]
    one, two = (merge_many(SPEC, networks, seed=2) for _ in range(2))
    assert one.distances == two.distances
    assert all(
        torch.equal(p[g], q[g])
        for p, q in zip(one.permutations, two.permutations, strict=True)
        for g in p
    )
    assert all(torch.equal(x[n], y[n]) for x, y in zip(networks, before, strict=True) for n in x)


def test_no_sweep_is_the_plain_mean():
    merge = merge_many(SPEC, [network(0), network(1)], max_sweeps=0)
    assert all(torch.equal(p[g], q) for p in merge.permutations for g, q in identity(SPEC).items())
    assert (merge.sweeps, len(merge.distances)) == (0, 1)


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ({"fc.weight", "fc3.weight"}, r"no tensor 'fc3\.weight' \(1 such in `learned`\)"),
        (set(), "nothing to match: none of the 0 tensors"),
        ({"fc.bias"}, "nothing to match: none of the 1 tensors"),
    ],
)
def test_a_choice_of_tensors_that_says_nothing_of_the_units_is_refused(learned, message):
    networks = [network(i) | {"fc.bias": torch.zeros(2)} for i in range(2)]
    with pytest.raises(ValueError, match=message):
        merge_many(SPEC, networks, learned=learned)


def test_networks_without_hidden_units_are_averaged():
    networks = [{"fc.weight": torch.full((2, 3), 1.0 + i)} for i in range(2)]
    merge = merge_many(specs.mlp(()), networks)
    assert torch.equal(merge.merged["fc.weight"], torch.full((2, 3), 1.5))


def test_one_network_and_networks_that_differ_are_refused():
    with pytest.raises(ValueError, match="at least 2 networks, got 1"):
        merge_many(SPEC, [network(0)])
    with pytest.raises(ValueError, match=r"the networks differ in 'fc\.weight'"):
        merge_many(SPEC, [network(0), network(1) | {"fc.weight": torch.zeros(1)}])
