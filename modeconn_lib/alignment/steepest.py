r"""Of all reorderings of B, the one that lies most nearly downhill of A.

gradient of the loss at A, B  ->  match_weights with the sign turned  ->  WeightMatching

The authors' failed idea (Git Re-Basin, appendix A.7), kept because it shows why: the loss does fall
at first, and then a high barrier follows. Where the gradient comes from is the caller's business.
"""

from dataclasses import replace

from modeconn_lib.alignment.weights import WeightMatching, match_weights
from modeconn_lib.core.params import Params
from modeconn_lib.permutation.spec import Permutations, PermutationSpec


def steepest_descent(
    spec: PermutationSpec,
    gradient: Params,
    b: Params,
    *,
    init: Permutations | None = None,
    orders: int = 1,
    seed: int = 0,
    max_sweeps: int = 100,
) -> WeightMatching:
    r"""Return :math:`\pi` with a low :math:`\langle \nabla L(\theta_A), \pi(\theta_B) \rangle`.

    Up to a constant that is the slope of the loss at A on the straight line to
    :math:`\pi(\theta_B)`. The result's objectives are these inner products: they fall, and the
    best is the lowest.

    Parameters
    ----------
    gradient
        :math:`\nabla L(\theta_A)`, under the names, shapes and dtypes of `b`.
    init, orders, seed, max_sweeps
        As for `match_weights`.

    Raises
    ------
    ValueError
        As `match_weights` does.

    References
    ----------
    Git Re-Basin (Ainsworth et al. 2023), appendix A.7, equations 6 and 7.
    """
    downhill = {n: -v if v.is_floating_point() else v for n, v in gradient.items()}
    found = match_weights(
        spec, downhill, b, init=init, orders=orders, seed=seed, max_sweeps=max_sweeps
    )
    return replace(
        found,
        objective=-found.objective,
        start=-found.start,
        objectives=tuple(-objective for objective in found.objectives),
    )
