r"""Linear least squares over more samples than memory holds.

features, targets, batch after batch  ->  NormalEquations  ->  solve  ->  Solution

Finds :math:`W` in :math:`W \Phi \approx Y` (Anokhin & Yarotsky 2020, equations 9 and 10) from
:math:`\Phi\Phi^\top` and :math:`Y\Phi^\top`, in float64. The features themselves are seen once, a
batch at a time; their pseudo-inverse, as large as they are, is never formed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Eigenvalues of the Gram matrix below this share of the largest count as 0. They are known up to
# about 1e-15 of it; what they would add to the fit is below a 1e-6th of what features amount to.
RCOND = 1e-12


@dataclass(frozen=True, slots=True)
class Solution:
    r"""The W of least norm among those that fit best.

    Attributes
    ----------
    weight
        :math:`W`, float64.
    residual
        :math:`\lVert Y - W\Phi \rVert / \lVert Y \rVert`, 0 to 1 (0 for targets that are all 0).
        Below about 1e-7 it is rounding.
    rank
        How many directions of the features were used.
    """

    weight: Float[Tensor, "outputs features"]
    residual: float
    rank: int


class NormalEquations:
    r"""What least squares needs to know of the samples seen so far."""

    def __init__(self, features: int, outputs: int, device: torch.device) -> None:
        self.gram = torch.zeros(features, features, dtype=torch.float64, device=device)
        self.cross = torch.zeros(outputs, features, dtype=torch.float64, device=device)
        self.square = 0.0

    def add(
        self, features: Float[Tensor, "samples features"], targets: Float[Tensor, "samples outputs"]
    ) -> None:
        """Take in a batch of samples."""
        phi, y = features.double(), targets.double()
        self.gram.addmm_(phi.T, phi)
        self.cross.addmm_(y.T, phi)
        self.square += float(y.square().sum())

    def solve(self, rcond: float = RCOND) -> Solution:
        r"""Return the best fit.

        Parameters
        ----------
        rcond
            Directions in which the features' Gram matrix has an eigenvalue of at most `rcond` times
            its largest count as unseen, and W is 0 there. Units that never fire are such.

        Raises
        ------
        ValueError
            If what was seen is not finite.
        """
        if not (torch.isfinite(self.gram).all() and torch.isfinite(self.cross).all()):
            raise ValueError("least squares needs finite features and targets; these hold NaN")
        values, vectors = torch.linalg.eigh(self.gram)
        kept = values > rcond * values[-1].clamp_min(0)
        basis, scale = vectors[:, kept], values[kept]
        weight = (self.cross @ basis / scale) @ basis.T
        return Solution(weight, self._residual(weight), int(kept.sum()))

    def _residual(self, weight: Tensor) -> float:
        """Return the relative residual of any W."""
        left = (weight @ self.gram - 2 * self.cross).mul(weight).sum()
        return max(0.0, 1 + float(left) / self.square) ** 0.5 if self.square else 0.0
