"""The linear assignment problem, solved exactly.

similarity (units, units)  ->  best_permutation  ->  p
"""

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def best_permutation(similarity: Float[Tensor, "units units"]) -> Int[Tensor, " units"]:
    r"""Return the p that maximises :math:`\sum_i S_{i,p(i)}`.

    Row i is unit i of A; column j is unit j of B; unit ``p[i]`` of B is put at place i.

    Raises
    ------
    ValueError
        If an entry is not finite.
    """
    similarity = similarity.double().cpu()
    highest = similarity.amax(0)
    # The maxima hold a NaN wherever their column does, and the sum of the minima likewise.
    if not torch.isfinite(highest).all() or not torch.isfinite(similarity.amin()):
        raise ValueError("similarities must be finite; a network or its activations hold NaN")
    # What a column is worth at best is the dual that every solver begins with, and SciPy's does
    # not: a third of the time is saved where few units still move.
    _, columns = linear_sum_assignment((highest - similarity).numpy())
    return torch.from_numpy(columns)
