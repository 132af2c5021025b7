"""The assignment is the best of all, and what is not finite is refused."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.alignment.assignment import best_permutation


@given(seed=st.integers(0, 2**31), units=st.integers(1, 5))
def test_no_permutation_is_better(seed, units):
    similarity = torch.randn(units, units, generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(units)
    best = max(
        float(similarity[rows, list(p)].double().sum())
        for p in itertools.permutations(range(units))
    )
    found = float(similarity[rows, best_permutation(similarity)].double().sum())
    assert found == pytest.approx(best)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 2)])
def test_what_is_not_finite_is_refused(value, place):
    similarity = torch.eye(3)
    similarity[place] = value
    with pytest.raises(ValueError, match="similarities must be finite"):
        best_permutation(similarity)


def test_infinities_that_cancel_are_refused():
    similarity = torch.tensor([[-float("inf"), float("inf")], [float("inf"), -float("inf")]])
    with pytest.raises(ValueError, match="similarities must be finite"):
        best_permutation(similarity)
