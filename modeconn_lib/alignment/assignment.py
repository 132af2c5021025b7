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
    if not torch.isfinite(similarity).all():
        raise ValueError("similarities must be finite; a network or its activations hold NaN")
    _, columns = linear_sum_assignment(similarity.double().cpu().numpy(), maximize=True)
    return torch.from_numpy(columns)
