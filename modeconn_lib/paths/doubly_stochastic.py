r"""Doubly stochastic matrices: the convex hull of the permutations, and the way back into it.

square matrices  ->  project  ->  non-negative matrices whose rows and columns sum to 1

A permutation p, which gathers, is the matrix with 1 at every :math:`(i, p_i)`: what it makes of
rows X is :math:`P X`. Matrices of one size are projected together, a stack at a time.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROUNDS = 20  # Tatro et al. 2020, appendix E.2
TOLERANCE = 1e-6  # how far below zero an entry may be that is then set to zero

Matrices = Float[Tensor, "*stack units units"]


def matrix(p: Int[Tensor, " units"]) -> Float[Tensor, "units units"]:
    """Return the matrix of a permutation.

    Examples
    --------
    >>> matrix(torch.tensor([2, 0, 1])) @ torch.tensor([10.0, 11.0, 12.0])
    tensor([12., 10., 11.])
    """
    return torch.eye(len(p), device=p.device)[p]


def project(
    matrices: Matrices, rounds: int = ROUNDS, tolerance: float = TOLERANCE
) -> tuple[Matrices, Float[Tensor, ""]]:
    r"""Return a doubly stochastic matrix near each given one, by alternating projections.

    A round sets negative entries to zero, and then takes the nearest matrix whose rows and
    columns sum to 1 (appendix E.2). That leaves negative entries behind, which the published
    code keeps. Here the rounds go on until no entry is below ``-tolerance``, and these are set to
    zero: the result has no negative entry, and its sums differ from 1 by `tolerance` times the
    number of units at most, rounding aside.

    Returns
    -------
    The matrices, and the smallest entry there was after `rounds` rounds.

    Raises
    ------
    ValueError
        If `rounds` or `tolerance` is not positive.
    """
    if rounds < 1 or not tolerance > 0:
        raise ValueError(
            f"projecting takes 1 round or more and a positive tolerance, got {rounds=}, "
            f"{tolerance=}"
        )
    for _ in range(rounds):
        matrices = summing_to_one(matrices.relu())
    lowest = left = matrices.min()
    while left < -tolerance:  # false for NaN, which the training loop reports
        for _ in range(rounds):
            matrices = summing_to_one(matrices.relu())
        left = matrices.min()
    return matrices.relu(), lowest


def summing_to_one(matrices: Matrices) -> Matrices:
    r"""Return the nearest matrices whose rows and columns sum to 1, in closed form.

    .. math:: X + \tfrac1n (1 - X1) 1^T + \tfrac1n 1 (1 - X^T1)^T - \tfrac{1}{n^2}(n - 1^TX1) 11^T
    """
    n = matrices.shape[-1]
    rows, columns = matrices.sum(-1), matrices.sum(-2)
    missing = n - rows.sum(-1, keepdim=True)
    of_rows = (1 - rows) / n - missing / n**2
    return matrices + of_rows.unsqueeze(-1) + ((1 - columns) / n).unsqueeze(-2)
