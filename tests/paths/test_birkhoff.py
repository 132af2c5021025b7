"""Matrices as mixtures of permutations: the greedy decomposition, and drawing from it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.paths.birkhoff import Birkhoff, decompose, draw, nearest_permutation
from modeconn_lib.paths.doubly_stochastic import matrix, project
from tests.reference.pam import greedy_terms

SEEDS = st.integers(0, 2**31)


def mixture(seed, units, terms):
    """A convex combination of random permutations."""
    g = torch.Generator().manual_seed(seed)
    weights = torch.rand(terms, generator=g, dtype=torch.float64) + 0.05
    weights /= weights.sum()
    return sum(w * matrix(torch.randperm(units, generator=g)).double() for w in weights)


@given(seed=SEEDS, units=st.integers(1, 8), terms=st.integers(1, 6))
def test_the_whole_decomposition_is_the_matrix(seed, units, terms):
    d = mixture(seed, units, terms)
    found = decompose(d, terms=None, tolerance=1e-9)
    torch.testing.assert_close(found.matrix(), d, rtol=0, atol=1e-6)
    assert float(found.weights.sum()) == pytest.approx(1, abs=1e-6)
    assert len(found.weights) <= units**2 - 2 * units + 2  # Marcus and Ree's bound


@given(seed=SEEDS, units=st.integers(1, 12), terms=st.integers(1, 4))
def test_every_weight_is_the_smallest_entry_met_and_positive(seed, units, terms):
    d, _ = project(mixture(seed, units, 5) + 0.02 * torch.rand(units, units).double())
    rest = d.clone()
    found = decompose(d, terms=terms)
    assert 1 <= len(found.weights) <= terms
    assert float(found.weights.sum()) <= 1 + 1e-4
    for weight, p in zip(found.weights, found.permutations, strict=True):
        met = rest[torch.arange(units), p]
        assert 0 < float(weight) == float(met.min())
        rest[torch.arange(units), p] -= weight
    assert float(rest.min()) >= -1e-12


@given(seed=SEEDS, units=st.integers(1, 4), terms=st.integers(1, 4))
def test_the_terms_are_the_papers(seed, units, terms):
    d = mixture(seed, units, terms)
    wanted = greedy_terms(d, tolerance=5e-4)
    found = decompose(d, terms=None)
    assert found.weights.tolist() == pytest.approx([weight for weight, _ in wanted])
    assert len(found.permutations) == len(wanted)


@given(seed=SEEDS, units=st.integers(1, 6))
def test_the_first_term_is_the_projection_where_that_lies_within(seed, units):
    d = mixture(seed, units, 4)
    nearest, first = nearest_permutation(d), decompose(d, terms=1).permutations[0]
    rows = torch.arange(units)
    if float(d[rows, nearest].min()) > 0:
        assert float(d[rows, first].sum()) == pytest.approx(float(d[rows, nearest].sum()))


def test_the_projection_need_not_be_a_part_of_any_mixture():
    """Against appendix E.4: four units are mostly themselves, the fifth is never itself."""
    d = torch.diag(torch.tensor([0.75, 0.75, 0.75, 0.75, 0.0]))
    d[4, :4] = d[:4, 4] = 0.25
    assert d.sum(0).tolist() == d.sum(1).tolist() == [1.0] * 5
    assert nearest_permutation(d).tolist() == [0, 1, 2, 3, 4]
    found = decompose(d, terms=None)
    torch.testing.assert_close(found.matrix(), d.double())
    assert not any(p.tolist() == [0, 1, 2, 3, 4] for p in found.permutations)


@pytest.mark.parametrize("terms", [1, 10, None])
def test_a_permutation_has_one_term(terms):
    p = torch.tensor([2, 0, 1, 3])
    found = decompose(matrix(p), terms=terms)
    assert found.weights.tolist() == [1.0]
    assert found.permutations.tolist() == [p.tolist()]


def test_weights_need_not_fall():
    """A large identity, and the rest cut in ever different pieces: the second is the smaller."""
    d = mixture(0, 6, 6)
    weights = decompose(d, terms=None, tolerance=1e-9).weights
    assert (weights.diff() > 0).any()


def test_entries_up_to_the_tolerance_count_as_zero():
    d = 0.999 * torch.eye(3) + 0.001 / 3
    assert len(decompose(d, terms=None, tolerance=5e-4).weights) == 1
    assert len(decompose(d, terms=None, tolerance=1e-4).weights) == 3


def test_even_the_flattest_matrix_has_a_first_term():
    n = 40
    found = decompose(torch.full((n, n), 1 / n), terms=3, tolerance=0.5)
    assert found.weights.tolist() == pytest.approx([1 / n])


def test_groups_are_drawn_independently_by_their_weights():
    p, q = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0, 1, 2], [1, 2, 0]])
    mixtures = {
        "a": Birkhoff(torch.tensor([0.6, 0.2]).double(), p),
        "b": Birkhoff(torch.tensor([0.1, 0.3]).double(), q),
    }
    drawn = draw(mixtures, 4000, torch.Generator().manual_seed(0))
    a = torch.tensor([int(one["a"][0] == 0) for one in drawn]).double()
    b = torch.tensor([int(one["b"][0] == 0) for one in drawn]).double()
    assert float(a.mean()) == pytest.approx(0.75, abs=0.03)
    assert float(b.mean()) == pytest.approx(0.25, abs=0.03)
    assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 0.05


def test_none_can_be_drawn():
    assert draw({"a": decompose(torch.eye(2))}, 0, torch.Generator()) == []


@pytest.mark.parametrize(
    "d",
    [torch.eye(3) * 0.9, torch.tensor([[1.5, -0.5], [-0.5, 1.5]]), torch.full((2, 2), torch.nan)],
)
def test_other_matrices_are_refused(d):
    with pytest.raises(ValueError, match=r"needs a doubly stochastic matrix; this one is off by"):
        decompose(d)


def test_no_term_is_refused():
    with pytest.raises(ValueError, match="1 term or more, got terms=0"):
        decompose(torch.eye(2), terms=0)
