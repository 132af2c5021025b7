r"""Linear least squares over more samples than memory holds.

features, targets, batch after batch  ->  LeastSquares  ->  solve  ->  Solution

Finds :math:`W` in :math:`W \Phi \approx Y` (Anokhin & Yarotsky 2020, equations 9 and 10) from inner
products, in float64. The features themselves are seen once, a batch at a time; their
pseudo-inverse, as large as they are, is never formed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Eigenvalues of the Gram matrix below this share of the largest count as 0. They are known up to
# about 1e-15 of it; what they would add to the fit is below a 1e-6th of what features amount to.
RCOND = 1e-12
# What a path's layers are solved for with. Without, the weights that fit best are large in
# directions that hardly show at one t, and wrong half-way to the next; the fit itself loses little.
RIDGE = 1e-3
BLOCK = 256  # rows of a Gram matrix that are computed together, from the diagonal on


@dataclass(frozen=True, slots=True)
class Solution:
    r"""The W of least norm among those that fit best; with a ridge, the one that it prefers.

    Attributes
    ----------
    weight
        :math:`W`, float64.
    residual
        :math:`\lVert Y - W\Phi \rVert / \lVert Y \rVert`, 0 to 1 (0 for targets that are all 0).
        Below about 1e-7 it is rounding.
    rank
        How many directions of the features were used; with a ridge, all features that ever fire.
    """

    weight: Float[Tensor, "outputs features"]
    residual: float
    rank: int


class LeastSquares:
    r"""What a fit needs to know of the samples seen so far.

    As long as there are fewer of them than features, the samples themselves; then
    :math:`\Phi\Phi^\top` and :math:`Y\Phi^\top`. Either way the smaller of the two Gram matrices is
    solved with.
    """

    def __init__(self, features: int, outputs: int, device: torch.device) -> None:
        self.features, self.outputs, self.device = features, outputs, device
        self.samples, self.square = 0, 0.0
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._sums: tuple[Tensor, Tensor] | None = None

    def add(
        self, features: Float[Tensor, "samples features"], targets: Float[Tensor, "samples outputs"]
    ) -> None:
        """Take in a batch of samples."""
        phi, y = features.double(), targets.double()
        self.square += float(y.square().sum())
        self.samples += len(phi)
        self._kept.append((phi, y))
        if self.samples <= self.features:
            return
        if self._sums is None:
            shapes = ((self.features, self.features), (self.outputs, self.features))
            gram, cross = (
                torch.zeros(shape, dtype=torch.float64, device=self.device) for shape in shapes
            )
            self._sums = gram, cross
        gram, cross = self._sums
        for phi, y in self._kept:
            for i in range(0, self.features, BLOCK):  # what is below the diagonal is above it, too
                gram[i : i + BLOCK, i:].addmm_(phi[:, i : i + BLOCK].T, phi[:, i:])
            cross.addmm_(y.T, phi)
        self._kept.clear()

    def solve(self, ridge: float = 0.0, rcond: float = RCOND) -> Solution:
        r"""Return the best fit.

        Parameters
        ----------
        ridge
            What a squared weight costs, in mean squares of a feature summed over the samples: 0
            for the best fit. With it the solution depends continuously on the features.
        rcond
            Without a ridge, directions in which the features' Gram matrix has an eigenvalue of at
            most `rcond` times its largest count as unseen, and W is 0 there. Units that never fire
            are such.

        Raises
        ------
        ValueError
            If there are no samples, what was seen is not finite, or the ridge is negative.
        """
        if not ridge >= 0:
            raise ValueError(f"a ridge is 0 or more, got {ridge!r}")
        if not self.samples:
            raise ValueError("least squares needs at least one batch of samples, got none")
        if self._sums:
            upper, cross = self._sums
            gram = upper.triu()
            gram += upper.triu(1).T
            _check(gram, cross)
            return self._of_many(gram, cross, ridge, rcond)
        features, targets = zip(*self._kept, strict=True)
        phi, y = torch.cat(features), torch.cat(targets)
        _check(phi, y)
        return self._of_few(phi, y, ridge, rcond)

    def _of_few(self, phi: Tensor, y: Tensor, ridge: float, rcond: float) -> Solution:
        """Solve with the samples' inner products."""
        gram = phi @ phi.T
        if ridge and gram.any():
            damped = _damped(gram, ridge * float(gram.trace()) / self.features)
            dual = torch.cholesky_solve(y, torch.linalg.cholesky(damped))
            left = float((y - gram @ dual).norm()) / self.square**0.5 if self.square else 0.0
            return Solution(dual.T @ phi, left, int(phi.any(0).sum()))
        values, vectors = torch.linalg.eigh(gram)
        kept = values > rcond * values[-1].clamp_min(0)
        basis, scale = vectors[:, kept], values[kept]
        weight = ((basis / scale) @ (basis.T @ y)).T @ phi
        left = float((y - basis @ (basis.T @ y)).norm()) / self.square**0.5 if self.square else 0.0
        return Solution(weight, left, int(kept.sum()))

    def _of_many(self, gram: Tensor, cross: Tensor, ridge: float, rcond: float) -> Solution:
        """Solve with the features' inner products."""
        fires = gram.diagonal() > 0
        inner, wanted = gram[fires][:, fires], cross[:, fires]
        if ridge and len(inner):
            damped = _damped(inner, ridge * float(gram.trace()) / self.features)
            factor = torch.linalg.cholesky(damped)
        else:
            factor = _factor(inner, rcond)
        if factor is None:
            values, vectors = torch.linalg.eigh(inner)
            kept = values > rcond * values[-1:].clamp_min(0)
            basis, scale = vectors[:, kept], values[kept]
            found, rank = (wanted @ basis / scale) @ basis.T, int(kept.sum())
        else:
            found, rank = torch.cholesky_solve(wanted.T, factor).T, len(inner)
        weight = torch.zeros_like(cross)
        weight[:, fires] = found
        left = (weight @ gram - 2 * cross).mul(weight).sum()  # of all, the ridge is no part
        residual = max(0.0, 1 + float(left) / self.square) ** 0.5 if self.square else 0.0
        return Solution(weight, residual, rank)


def _damped(gram: Tensor, weight: float) -> Tensor:
    return gram + weight * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)


def _check(*seen: Tensor) -> None:
    if not all(torch.isfinite(part).all() for part in seen):
        raise ValueError("least squares needs finite features and targets; these hold NaN")


def _factor(gram: Tensor, rcond: float) -> Tensor | None:
    """Return the Cholesky factor if every direction is to be kept, at a tenth of eigenvalues' cost.

    The smallest eigenvalue is known to a few per cent after some rounds of inverse iteration, from
    above; the largest is at most the trace. Within a factor of ten of the cut, or below, None.
    """
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed or not len(gram):
        return None
    v = torch.ones(len(gram), 1, dtype=gram.dtype, device=gram.device)
    for _ in range(_ROUNDS):
        v = torch.cholesky_solve(v / v.norm(), factor)
    smallest = 1 / float(v.norm())
    return factor if smallest > 10 * rcond * float(gram.trace()) else None


_ROUNDS = 10
