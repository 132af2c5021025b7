r"""Doubly stochastic matrices as mixtures of permutations, :math:`D = \sum_i \alpha_i P_i`.

matrix  ->  decompose  ->  Birkhoff (weights, permutations)  ->  draw  ->  permutations

The decomposition is the greedy one of Tatro et al. 2020, appendix E.4. Nothing here knows what
the permutations are of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from modeconn_lib.alignment.assignment import best_permutation

TERMS = 10  # Tatro et al. 2020, appendix E.4
TOLERANCE = 5e-4  # the published code's: smaller entries count as zero


@dataclass(frozen=True, slots=True)
class Birkhoff:
    """A mixture of permutations.

    Attributes
    ----------
    weights
        Of each permutation, all positive; their sum is 1 at most, float64.
    permutations
        One a row, in the order in which they were found.
    """

    weights: Float[Tensor, " terms"]
    permutations: Int[Tensor, "terms units"]

    def matrix(self) -> Float[Tensor, "units units"]:
        """Return the mixture as a matrix (float64)."""
        units = self.permutations.shape[1]
        return torch.einsum(
            "t,tij->ij", self.weights, torch.eye(units, dtype=torch.float64)[self.permutations]
        )


def nearest_permutation(matrix: Float[Tensor, "units units"]) -> Int[Tensor, " units"]:
    r"""Return the permutation nearest to a matrix, :math:`\arg\max_P \mathrm{tr}(P^T D)`.

    Equation (52).
    """
    return best_permutation(matrix)


def decompose(
    matrix: Float[Tensor, "units units"], terms: int | None = TERMS, tolerance: float = TOLERANCE
) -> Birkhoff:
    r"""Return the greedy Birkhoff-von Neumann decomposition of a doubly stochastic matrix.

    Each permutation is the heaviest of those that lie where the rest of the matrix is not zero,
    :math:`\arg\max_P \mathrm{tr}(P^T D^{(i)})` (equation 54); its weight is the smallest entry it
    meets there. By the paper, the first is `nearest_permutation`. That need not be so from five
    units on: the nearest permutation may need an entry of the matrix that is zero, and is then no
    part of any such mixture.

    Parameters
    ----------
    terms
        Stop after as many; None goes on until nothing is left.
    tolerance
        Entries up to here count as zero.

    Raises
    ------
    ValueError
        If `terms` is less than 1, or the matrix is not doubly stochastic up to rounding.
    """
    if terms is not None and terms < 1:
        raise ValueError(f"a mixture has 1 term or more, got {terms=}")
    rest = matrix.double().cpu().clone()
    _refuse_others(rest)
    weights: list[Tensor] = []
    found: list[Tensor] = []
    rows = torch.arange(len(rest))
    while terms is None or len(found) < terms:
        zero = tolerance if found else 0.0  # there is a first term, however small all entries are
        # Worse than all else together: met only if there is no way around an entry that is zero.
        p = best_permutation(torch.where(rest > zero, rest, -float(len(rest))))
        met = rest[rows, p]
        if not bool((met > zero).all()):
            break
        weights.append(met.min())
        found.append(p)
        rest[rows, p] -= met.min()
    if not found:
        raise ValueError("no permutation lies where this matrix is not zero")
    return Birkhoff(torch.stack(weights), torch.stack(found))


def draw(
    mixtures: Mapping[str, Birkhoff], count: int, generator: torch.Generator
) -> list[dict[str, Int[Tensor, " _"]]]:
    """Return `count` permutations of every group, each drawn by its weight, independently."""
    chosen = {
        group: mixture.permutations[
            torch.multinomial(mixture.weights, count, replacement=True, generator=generator)
        ]
        for group, mixture in mixtures.items()
        if count
    }
    return [{group: rows[i] for group, rows in chosen.items()} for i in range(count)]


def _refuse_others(matrix: Float[Tensor, "units units"], slack: float = 1e-3) -> None:
    """Raise ValueError unless a matrix is doubly stochastic up to rounding."""
    worst = max(
        float((matrix.sum(0) - 1).abs().max()),
        float((matrix.sum(1) - 1).abs().max()),
        float(-matrix.min()),
    )
    if not worst <= slack:
        raise ValueError(
            f"a mixture of permutations needs a doubly stochastic matrix; this one is off by "
            f"{worst:.2g}; bring it back with doubly_stochastic.project"
        )
