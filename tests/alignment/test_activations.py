"""Activation matching: planted permutations come back, and the report says what happened."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.alignment.activations import (
    SIMILARITIES,
    align_activations,
    apply,
    gather_moments,
    inner_product,
)
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import identity, invert, permute, random_permutations
from modeconn_lib.permutation.sites import activations
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.batchnorm import reestimate

SHAPE = (1, 12, 12)


def network(name, seed):
    """A network with the images' batch-norm statistics and no dead unit (one may go anywhere)."""
    torch.manual_seed(seed)
    module = architecture(name).build(SHAPE, 10).eval()
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d | nn.Linear):
            nn.init.uniform_(m.bias, 0.3, 1.0)
    module.load_state_dict(reestimate(module, params_of(module), images(), Machine.reference()))
    return module


def images(count=48):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5)).split(16)


@pytest.fixture(scope="module", params=["tinyten", "resnet20", "mlp_small"])
def traced(request):
    module = network(request.param, 0)
    return request.param, trace(module, torch.zeros(2, *SHAPE))


@pytest.mark.parametrize("similarity", SIMILARITIES.values(), ids=SIMILARITIES.keys())
@pytest.mark.parametrize("stage", ["pre", "post"])
def test_a_planted_permutation_is_undone(traced, similarity, stage):
    name, found = traced
    a = params_of(network(name, 1))
    planted = random_permutations(found.spec, generator(3, "planted"))
    b = permute(a, found.spec, planted)
    x = images()
    alignment = align_activations(found, a, b, x, x[0], similarity=similarity, stage=stage)
    back = apply(alignment, found, b)
    inverse = invert(planted)
    for group, p in alignment.permutations.items():
        assert torch.equal(p, inverse[group]), group
    assert all(torch.equal(a[key], back[key]) for key in a)


def test_a_network_is_already_aligned_with_itself(traced):
    name, found = traced
    a = params_of(network(name, 1))
    x = images()
    alignment = align_activations(found, a, a, x, x[0])
    for group in alignment.groups:
        assert group.correlation_after == pytest.approx(group.correlation_before)
    same = identity(found.spec)
    assert all(torch.equal(p, same[g]) for g, p in alignment.permutations.items())


def test_the_best_inner_products_are_git_re_basins_over_all_images(traced):
    name, found = traced
    a, b = params_of(network(name, 1)), params_of(network(name, 2))
    x = images()
    alignment = align_activations(found, a, b, x, x[0], similarity=inner_product)
    closest = align_activations(found, a, b, x, x[0], similarity=SIMILARITIES["l2"])
    of_a, of_b = (activations(found, params, torch.cat(x)) for params in (a, b))
    for group, p in alignment.permutations.items():
        z_a, z_b = torch.cat(of_a[group]).double(), torch.cat(of_b[group]).double()
        products = z_a.T @ z_b  # (units, units): equation (1), every sample at once
        best, q = best_permutation(products), closest.permutations[group]
        rows = torch.arange(len(p))
        for other in (p, q):
            assert float(products[rows, other].sum()) == pytest.approx(
                float(products[rows, best].sum()), rel=1e-6
            )
    for group, report in zip(found.spec.sizes, alignment.groups, strict=True):
        assert report.objective_after >= report.objective_before, group


def test_dead_units_take_the_places_that_are_left():
    module = network("mlp_small", 0)
    found = trace(module, torch.zeros(2, *SHAPE))
    a = params_of(module)
    group = next(iter(found.spec.sizes))
    a[f"{group}.bias"][:5] = -100.0
    planted = random_permutations(found.spec, generator(3, "planted"))
    b, x = permute(a, found.spec, planted), images()
    alignment = align_activations(found, a, b, x, x[0])
    units = found.spec.sizes[group]
    assert alignment.groups[0].correlation_after == pytest.approx((units - 5) / units)
    assert set(alignment.permutations[group][:5].tolist()) == set(
        invert(planted)[group][:5].tolist()
    )


def test_alignment_raises_the_objective_and_keeps_the_function(traced):
    name, found = traced
    a, b = params_of(network(name, 1)), params_of(network(name, 2))
    x = images()
    alignment = align_activations(found, a, b, x, x[0])
    for group in alignment.groups:
        assert group.objective_after >= group.objective_before
        assert group.correlation_after >= group.correlation_before
    assert alignment.equivalence_error < 1e-9
    assert alignment.groups[0].name in alignment.table()


def test_a_residual_stream_is_matched_on_all_its_sites():
    module = network("resnet20", 0)
    found = trace(module, torch.zeros(2, *SHAPE))
    a, b = params_of(network("resnet20", 1)), params_of(network("resnet20", 2))
    moments = gather_moments(found, a, b, images())
    streams = {group: sites for group, sites in moments.items() if len(sites) > 1}
    assert sorted(len(sites) for sites in streams.values()) == [3, 3, 4]  # the stem joins one
    x = images()
    alignment = align_activations(found, a, b, x, x[0])
    for group, sites in streams.items():
        total = sum(site.correlation() for site in sites)
        assert torch.equal(alignment.permutations[group], best_permutation(total))


def test_pre_and_post_activations_differ(traced):
    name, found = traced
    a, b = params_of(network(name, 1)), params_of(network(name, 2))
    first = next(iter(found.spec.sizes))
    pre, post = (gather_moments(found, a, b, images(), stage)[first] for stage in ("pre", "post"))
    assert not torch.allclose(pre[0].correlation(), post[0].correlation())


@given(seed=st.integers(0, 2**31), units=st.integers(1, 6))
def test_the_assignment_is_the_best_of_all_permutations(seed, units):
    table = torch.randn(units, units, generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(units)
    best = max(
        float(table[rows, torch.tensor(p)].double().sum())
        for p in itertools.permutations(range(units))
    )
    assert float(table[rows, best_permutation(table)].double().sum()) == pytest.approx(best)


def test_an_assignment_of_nan_is_refused():
    with pytest.raises(ValueError, match="similarities must be finite"):
        best_permutation(torch.tensor([[float("nan")]]))


def test_networks_of_different_shapes_are_refused(traced):
    name, found = traced
    a = params_of(network(name, 1))
    key = next(iter(a))
    b = {**a, key: torch.zeros(1)}
    with pytest.raises(ValueError, match="the networks differ in"):
        align_activations(found, a, b, images(), images()[0])


def test_no_images_are_refused(traced):
    name, found = traced
    a = params_of(network(name, 1))
    with pytest.raises(ValueError, match="needs images, got none"):
        align_activations(found, a, a, [], images()[0])


def test_a_network_without_hidden_units_has_nothing_to_match():
    torch.manual_seed(0)
    a, b = (params_of(nn.Sequential(nn.Flatten(), nn.Linear(144, 3))) for _ in range(2))
    module = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    found = trace(module, torch.zeros(2, *SHAPE))
    alignment = align_activations(found, a, b, images(), images()[0])
    assert (alignment.permutations, alignment.groups) == ({}, ())
    assert alignment.equivalence_error == 0


@pytest.mark.parametrize("similarity", SIMILARITIES.values(), ids=SIMILARITIES.keys())
def test_networks_that_are_not_finite_are_refused(similarity):
    module = network("mlp_small", 0)
    found, a = trace(module, torch.zeros(2, *SHAPE)), params_of(module)
    b = {name: value.clone() for name, value in a.items()}
    b["fc1.bias"][3] = float("nan")
    with pytest.raises(ValueError, match="similarities must be finite"):
        align_activations(found, a, b, images(), images()[0], similarity=similarity)
