"""Projecting matrices: the closed form, what always holds of the result, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.paths.doubly_stochastic import ROUNDS, matrix, project, summing_to_one
from tests.reference.pam import alternating, nearest_doubly_stochastic, nearest_with_sums

SEEDS = st.integers(0, 2**31)
UNITS = st.integers(1, 7)
SPREADS = st.sampled_from([1e-3, 0.1, 1.0, 10.0])


def drawn(seed, *shape, spread=1.0):
    return spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@given(seed=SEEDS, units=UNITS, spread=SPREADS)
def test_the_closed_form_is_the_nearest_matrix_with_sums_of_one(seed, units, spread):
    x = drawn(seed, units, units, spread=spread)
    torch.testing.assert_close(summing_to_one(x), nearest_with_sums(x), rtol=1e-8, atol=1e-8)


@given(seed=SEEDS, units=UNITS, spread=SPREADS, stack=st.integers(1, 3))
def test_the_result_is_doubly_stochastic_whatever_is_given(seed, units, spread, stack):
    x = drawn(seed, stack, units, units, spread=spread).float()
    found, _ = project(x)
    assert found.shape == x.shape
    assert float(found.min()) >= 0
    ones = torch.ones(stack, units)
    for axis in (-1, -2):
        torch.testing.assert_close(found.sum(axis), ones, rtol=0, atol=2e-6 * (units + 1))


@given(seed=SEEDS, units=UNITS)
def test_the_rounds_are_those_of_the_paper(seed, units):
    x = torch.eye(units).double() + drawn(seed, units, units, spread=0.05)
    found, lowest = project(x)
    published = alternating(x, ROUNDS)
    assert float(lowest) == pytest.approx(float(published.min()), abs=1e-9)
    if float(lowest) >= -1e-6:
        torch.testing.assert_close(found, published.clamp_min(0), rtol=0, atol=1e-9)


@given(seed=SEEDS, units=st.integers(2, 5))
def test_near_the_set_the_result_is_about_as_near_as_can_be(seed, units):
    x, _ = project(drawn(seed, units, units))
    x = x + drawn(seed + 1, units, units, spread=0.02)
    nearest = nearest_doubly_stochastic(x, 100)
    found, _ = project(x)
    assert (found - x).norm() <= 1.25 * (nearest - x).norm() + 1e-5


@given(seed=SEEDS, units=UNITS)
def test_what_is_doubly_stochastic_stays_where_it_is(seed, units):
    x, _ = project(drawn(seed, units, units))
    again, lowest = project(x)
    torch.testing.assert_close(again, x, rtol=0, atol=1e-5)
    assert float(lowest) >= -1e-5


@given(seed=SEEDS, units=UNITS)
def test_the_matrix_of_a_permutation_gathers(seed, units):
    p = torch.randperm(units, generator=torch.Generator().manual_seed(seed))
    x = drawn(seed, units, 2).float()
    assert torch.equal(matrix(p) @ x, x[p])
    assert torch.equal(project(matrix(p))[0], matrix(p))


def test_few_rounds_leave_negative_entries_behind_and_they_are_mended():
    x = drawn(0, 16, 16)
    found, lowest = project(x, rounds=2)
    assert float(lowest) < -0.1
    assert float(found.min()) >= 0
    torch.testing.assert_close(found.sum(0), torch.ones(16).double(), rtol=0, atol=1e-4)


def test_not_a_number_stays_one_and_ends():
    found, _ = project(torch.full((3, 3), torch.nan))
    assert found.isnan().all()


@pytest.mark.parametrize("options", [{"rounds": 0}, {"tolerance": 0.0}])
def test_nonsense_is_refused(options):
    with pytest.raises(ValueError, match="1 round or more and a positive tolerance, got rounds="):
        project(torch.eye(3), **options)
