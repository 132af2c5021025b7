"""Least cost within a budget: what brute force finds is found, and what is not known is said."""

import itertools
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.alignment.activations import SIMILARITIES, align_activations
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.constrained import constrained_permutation
from modeconn_lib.alignment.constrained_activations import align_constrained
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.sites import activations
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.batchnorm import reestimate

SHAPE = (1, 12, 12)


def brute_force(post, pre, budget):
    """The least cost of all permutations within the budget, every one of them tried."""
    costs = [
        math.fsum(post[i][j] for i, j in enumerate(p))
        for p in itertools.permutations(range(len(post)))
        if math.fsum(pre[i][j] for i, j in enumerate(p)) <= budget
    ]
    return min(costs)


def tables(seed, units, *, whole=False, opposed=False):
    """Two tables of costs; whole numbers below 4 have many ties, opposed ones pull apart."""
    g = torch.Generator().manual_seed(seed)
    if whole:
        return tuple(torch.randint(0, 4, (units, units), generator=g).double() for _ in range(2))
    post, pre = (torch.rand(units, units, generator=g, dtype=torch.float64) for _ in range(2))
    return post, 0.2 * pre + 1 - post if opposed else pre


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    units=st.integers(1, 6),
    whole=st.booleans(),
    opposed=st.booleans(),
)
def test_it_is_the_best_of_all_permutations_within_the_budget(seed, units, whole, opposed):
    post, pre = tables(seed, units, whole=whole, opposed=opposed)
    found = constrained_permutation(post, pre)
    assert found.feasible
    assert found.cost == pytest.approx(brute_force(post.tolist(), pre.tolist(), found.budget))
    assert found.gap == pytest.approx(0, abs=1e-9)
    assert found.budget == math.fsum(pre.diagonal().tolist())


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31), tight=st.floats(0, 1))
def test_so_it_is_for_seven_units_and_any_budget(seed, tight):
    post, pre = tables(seed, 7)
    rows = torch.arange(7)
    least = float(pre[rows, best_permutation(-pre)].sum())
    budget = least + 1e-9 + tight * (7 - least)
    found = constrained_permutation(post, pre, budget=budget)
    best = brute_force(post.tolist(), pre.tolist(), budget)
    assert found.cost == pytest.approx(best)
    assert found.gap == pytest.approx(0, abs=1e-9)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    units=st.integers(2, 6),
    whole=st.booleans(),
    effort=st.integers(0, 8),
)
def test_without_effort_the_bound_is_still_true_and_the_budget_kept(seed, units, whole, effort):
    post, pre = tables(seed, units, whole=whole, opposed=True)
    found = constrained_permutation(post, pre, effort=effort)
    best = brute_force(post.tolist(), pre.tolist(), found.budget)
    assert found.feasible
    assert found.bound - 1e-9 <= best <= found.cost + 1e-9
    assert found.gap >= 0


def test_effort_closes_a_gap_that_the_dual_leaves():
    post, pre = tables(10, 12, opposed=True)
    little, enough = (constrained_permutation(post, pre, effort=n) for n in (0, 5_000))
    assert little.gap > 1e-3
    assert enough.gap <= 1e-9
    assert little.bound < enough.bound <= enough.cost <= little.cost
    assert little.multiplier == enough.multiplier > 0


def test_the_reported_costs_are_those_of_the_permutation():
    post, pre = tables(3, 20, opposed=True)
    found = constrained_permutation(post, pre)
    rows = torch.arange(20)
    assert sorted(found.permutation.tolist()) == list(range(20))
    assert found.cost == pytest.approx(float(post[rows, found.permutation].sum()))
    assert found.pre_cost == pytest.approx(float(pre[rows, found.permutation].sum()))


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), units=st.integers(1, 30))
def test_a_budget_that_is_enough_changes_nothing(seed, units):
    post, pre = tables(seed, units)
    found = constrained_permutation(post, pre, budget=float(units))
    assert torch.equal(found.permutation, best_permutation(-post))
    assert (found.multiplier, found.gap) == (0, 0)


def test_an_identity_that_nothing_undercuts_leaves_only_its_equals():
    post, pre = tables(1, 9)
    pre = pre + 2 - 2 * torch.eye(9)  # the identity costs least, and nothing else as little
    found = constrained_permutation(post, pre)
    assert found.permutation.tolist() == list(range(9))
    assert found.pre_cost == found.budget


def test_ties_within_the_budget_are_free_to_choose_from():
    post, _ = tables(1, 8)
    found = constrained_permutation(post, torch.ones(8, 8))
    assert torch.equal(found.permutation, best_permutation(-post))


def test_among_equally_cheap_ones_it_takes_one_that_keeps_to_the_budget():
    pre = torch.ones(5, 5) - torch.eye(5)  # the identity, which alone costs nothing, is the budget
    found = constrained_permutation(torch.zeros(5, 5), pre)
    assert (found.pre_cost, found.cost, found.gap) == (0, 0, 0)
    assert found.permutation.tolist() == list(range(5))


def test_very_unlike_scales_do_not_matter():
    post, pre = tables(7, 6, opposed=True)
    once = constrained_permutation(post, pre)
    scaled = constrained_permutation(1e-9 * post, 1e9 * pre)
    assert torch.equal(once.permutation, scaled.permutation)
    assert scaled.cost == pytest.approx(1e-9 * once.cost)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_costs_that_are_not_finite_are_refused(which, bad):
    both = list(tables(0, 4))
    both[which][1, 2] = bad
    with pytest.raises(ValueError, match="costs must be finite"):
        constrained_permutation(*both)


@pytest.mark.parametrize("shapes", [((3, 3), (4, 4)), ((3, 4), (3, 4))])
def test_tables_that_are_not_square_or_differ_in_size_are_refused(shapes):
    with pytest.raises(ValueError, match=r"two square tables of one size, got \(3, [34]\) and"):
        constrained_permutation(*map(torch.zeros, shapes))


def test_a_budget_below_all_permutations_is_refused():
    post, pre = tables(0, 4)
    with pytest.raises(ValueError, match=r"no permutation keeps to the budget -1\.0; the least"):
        constrained_permutation(post, pre, budget=-1.0)


def network(name, seed):
    torch.manual_seed(seed)
    module = architecture(name).build(SHAPE, 10).eval()
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d | nn.Linear):
            nn.init.uniform_(m.bias, 0.3, 1.0)
    module.load_state_dict(reestimate(module, params_of(module), images(), Machine.reference()))
    return module


def images(count=48):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5)).split(16)


@cache
def pair(name):
    a, b = network(name, 1), network(name, 2)
    return a, trace(a, torch.zeros(2, *SHAPE)), params_of(a), params_of(b)


@pytest.mark.parametrize("name", ["tinyten", "resnet20", "mlp_small"])
def test_networks_are_matched_within_the_budget_of_every_group(name):
    _, traced, a, b = pair(name)
    x = images()
    found = align_constrained(traced, a, b, x, x[0])
    free = align_activations(traced, a, b, x, x[0], similarity=SIMILARITIES["l2"])
    of_a, of_b = (activations(traced, params, torch.cat(x), "pre") for params in (a, b))
    for group, match in found.matches.items():
        p = found.alignment.permutations[group]
        z = [(u.double(), v.double()) for u, v in zip(of_a[group], of_b[group], strict=True)]
        after = sum(float((u - v[:, p]).square().sum() / len(u)) for u, v in z)
        before = sum(float((u - v).square().sum() / len(u)) for u, v in z)
        assert match.pre_cost == pytest.approx(after, rel=1e-4)
        assert match.budget == pytest.approx(before, rel=1e-4)
        assert after <= before
        if match.multiplier == 0:
            assert torch.equal(p, free.permutations[group])
    assert found.alignment.equivalence_error < 1e-9
    assert group in found.table()
    reports = zip(found.alignment.groups, free.groups, strict=True)
    assert all(mine.objective_after <= its.objective_after + 1e-9 for mine, its in reports)


def test_an_iterator_of_images_is_refused():
    _, traced, a, b = pair("mlp_small")
    with pytest.raises(ValueError, match="gone through twice: give a list of batches"):
        align_constrained(traced, a, b, iter(images()), images()[0])


def test_groups_inside_one_another_are_refused():
    _, traced, a, b = pair("mlp_small")
    spans = {"heads": (AxisSpan("x", 0, block=2),), "dimensions": (AxisSpan("x", 0),)}
    spec = PermutationSpec({"heads": 2, "dimensions": 4}, spans, {"dimensions": "heads"})
    nested = replace(traced, spec=spec)
    with pytest.raises(ValueError, match="group 'dimensions' is inside 'heads'"):
        align_constrained(nested, a, b, images(), images()[0])


def test_before_the_nonlinearity_of_tinyten_is_what_batch_norm_gives():
    module, traced, params, _ = pair("tinyten")
    seen = {}
    for i in range(1, 9):
        hook = lambda _, __, out, i=i: seen.setdefault(f"conv{i}", out)  # noqa: E731
        getattr(module, f"bn{i}").register_forward_hook(hook)
    x = images()[0]
    module(x)
    for group, (found,) in activations(traced, params, x, "pre").items():
        wanted = seen[group].detach().movedim(1, -1).flatten(0, -2)
        torch.testing.assert_close(found, wanted)
        assert (found < 0).any()


def test_before_the_nonlinearity_of_a_residual_stream_is_the_sum_with_the_shortcut():
    module, traced, params, _ = pair("resnet20")
    seen = []
    for block in module.layer2:
        block.relu2.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    x = images()[0]
    module(x)
    groups = [g for g, n in traced.spec.sizes.items() if n == 32 and len(traced.sites[g]) == 3]
    (stream,) = groups
    for found, wanted in zip(activations(traced, params, x, "pre")[stream], seen, strict=True):
        torch.testing.assert_close(found, wanted.detach().movedim(1, -1).flatten(0, -2))
