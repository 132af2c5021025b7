"""Streamed least squares fits as well as the pseudo-inverse of everything at once."""

import pytest
import torch

from modeconn_lib.paths.distribution import least_squares
from modeconn_lib.paths.distribution.least_squares import LeastSquares


def made_up(samples: int, features: int, rank: int, outputs: int = 3, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(samples, rank, generator=generator, dtype=torch.float64)
    phi = base @ torch.randn(rank, features, generator=generator, dtype=torch.float64)
    y = torch.randn(samples, outputs, generator=generator, dtype=torch.float64)
    return phi, y + phi[:, :outputs]


def solved(phi, y, batch: int):
    fit = LeastSquares(phi.shape[1], y.shape[1], torch.device("cpu"))
    for x, targets in zip(phi.split(batch), y.split(batch), strict=True):
        fit.add(x, targets)
    return fit.solve()


@pytest.mark.parametrize(
    ("samples", "features", "rank"),
    [(200, 20, 20), (200, 20, 12), (15, 40, 15), (15, 40, 9), (40, 40, 40), (41, 40, 40)],
)
@pytest.mark.parametrize(("batch", "block"), [(7, 256), (1000, 256), (9, 16)])
def test_it_is_the_pseudo_inverse_whatever_the_rank_and_the_batches(
    samples, features, rank, batch, block, monkeypatch
):
    monkeypatch.setattr(least_squares, "BLOCK", block)
    phi, y = made_up(samples, features, rank)
    found = solved(phi, y, batch)
    expected = y.T @ torch.linalg.pinv(phi.T)
    torch.testing.assert_close(found.weight, expected, rtol=1e-7, atol=1e-9)
    left = (y.T - expected @ phi.T).norm() / y.norm()
    assert found.residual == pytest.approx(float(left), rel=1e-6, abs=1e-7)
    assert found.rank == rank


def test_features_that_never_fire_get_no_weight():
    phi, y = made_up(100, 8, 8)
    phi[:, 5] = 0
    found = solved(phi, y, 30)
    assert found.weight[:, 5].abs().max() < 1e-12
    assert found.rank == 7


@pytest.mark.parametrize("samples", [6, 100])
def test_with_a_ridge_all_features_that_fire_are_used(samples):
    phi, y = made_up(samples, 8, 4)
    phi[:, 5] = 0
    fit = LeastSquares(8, 3, phi.device)
    fit.add(phi, y)
    assert fit.solve(ridge=0.1).rank == 7


def test_nothing_to_fit_and_nothing_to_fit_with():
    phi, y = made_up(50, 4, 4)
    nothing = solved(phi, torch.zeros_like(y), 50)
    assert (nothing.residual, nothing.weight.abs().max().item()) == (0.0, 0.0)
    blind = solved(torch.zeros_like(phi), y, 50)
    assert (blind.residual, blind.rank) == (1.0, 0)


@pytest.mark.parametrize("where", ["features", "targets"])
def test_what_is_not_finite_is_refused(where):
    phi, y = made_up(50, 4, 4)
    (phi if where == "features" else y)[3, 1] = torch.nan
    with pytest.raises(ValueError, match="needs finite features and targets"):
        solved(phi, y, 50)


def test_weak_directions_are_kept_above_the_cut_and_dropped_below_it():
    """Whether by Cholesky factor or by eigenvalues, `rcond` says which directions count."""
    phi, y = made_up(300, 6, 6)
    basis = torch.linalg.qr(phi)[0]
    for strength, rank in ((1e-3, 6), (1e-5, 6), (1e-7, 5)):  # squared: eigenvalues of the Gram
        weak = basis.clone()
        weak[:, 5] *= strength
        found = solved(weak, y, 100)
        assert found.rank == rank, strength
        if rank == 6:
            expected = y.T @ torch.linalg.pinv(weak.T)
            torch.testing.assert_close(found.weight, expected, rtol=1e-3, atol=1e-3 / strength)


def test_without_samples_it_is_refused():
    with pytest.raises(ValueError, match="needs at least one batch of samples, got none"):
        LeastSquares(3, 2, torch.device("cpu")).solve()


@pytest.mark.parametrize(("samples", "features"), [(200, 20), (15, 40)])
def test_with_a_ridge_it_is_the_damped_solution_whichever_gram_matrix_is_smaller(samples, features):
    phi, y = made_up(samples, features, min(samples, features))
    fit = LeastSquares(features, y.shape[1], torch.device("cpu"))
    fit.add(phi, y)
    found = fit.solve(ridge=0.1)
    damping = 0.1 * phi.square().sum() / features * torch.eye(features, dtype=torch.float64)
    expected = torch.linalg.solve(phi.T @ phi + damping, phi.T @ y).T
    torch.testing.assert_close(found.weight, expected, rtol=1e-8, atol=1e-10)
    left = (y.T - expected @ phi.T).norm() / y.norm()
    assert found.residual == pytest.approx(float(left), rel=1e-6)
    with pytest.raises(ValueError, match=r"a ridge is 0 or more, got -1.0"):
        fit.solve(ridge=-1.0)
