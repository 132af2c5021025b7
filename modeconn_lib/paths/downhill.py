r"""Permutations that lie downhill of the present ones, for `monotone` to choose from.

gradient of the objective by B  ->  what every unit is worth at every place  ->  swaps, mixtures

Relaxed to a matrix, a permutation has a slope: entry (i, j) is what unit j of B is worth at place
i. A step against it, brought back to the doubly stochastic matrices, is a mixture of permutations;
as in Tatro et al. 2020, appendix E.4, some are drawn from it, and its projection is one, too.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from modeconn_lib.alignment.costs import Costs
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths.birkhoff import decompose, draw, nearest_permutation
from modeconn_lib.paths.doubly_stochastic import matrix, project
from modeconn_lib.paths.monotone import Candidates
from modeconn_lib.paths.smoothed import Flat, Problem
from modeconn_lib.permutation.spec import Permutations

STEPS = (0.3, 1.0, 3.0)  # of the largest slope: how far to go towards lower objectives


def downhill(draws: int, seed: int) -> Candidates:
    """Return candidates by the slope of the objective.

    Those are the best swap of two units in each group; then, for every length of `STEPS`, the
    permutation nearest to the relaxed step, the same in one group alone, and `draws` from the
    mixture that it is.
    """

    def candidates(
        problem: Problem, phi: Flat, p: Permutations, k: int
    ) -> Iterator[dict[str, Int[Tensor, " _"]]]:
        slopes = tables(problem, phi, p)
        swaps = {group: best_swap(slope, p[group]) for group, slope in slopes.items()}
        yield from ({**p, group: swap} for group, swap in swaps.items())
        yield {**p, **swaps}
        for length in STEPS:
            relaxed = {group: _step(p[group], slope, length) for group, slope in slopes.items()}
            nearest = {group: nearest_permutation(of) for group, of in relaxed.items()}
            yield from ({**p, group: one} for group, one in nearest.items())
            yield {**p, **nearest}
            mixtures = {group: decompose(of) for group, of in relaxed.items()}
            drawn = draw(mixtures, draws, generator(seed, "candidates", k, str(length)))
            yield from ({**p, **q} for q in drawn)

    return candidates


def tables(problem: Problem, phi: Flat, p: Permutations) -> dict[str, Float[Tensor, "units units"]]:
    r"""Return :math:`\partial Q_\delta / \partial P_l` of every group, the others as they are."""
    _, _, slope = problem.gradient(phi, problem.end(p))
    at_b = {name: value.double() for name, value in problem.b.items()}
    costs = Costs(problem.spec, problem.layout.views(slope), at_b)
    for group, of in p.items():
        costs.move(group, of)
    return {group: costs.table(group).clone() for group in problem.spec.sizes}


def best_swap(
    slope: Float[Tensor, "units units"], p: Int[Tensor, " units"]
) -> Int[Tensor, " units"]:
    """Return `p` with the two units changed whose change lowers the slope's sum most.

    If none does, `p` itself.
    """
    here = slope[:, p.to(slope.device)]  # entry (i, k): the unit at place k, put at place i
    gain = here + here.T - here.diagonal()[:, None] - here.diagonal()[None, :]
    i, k = divmod(int(gain.argmin()), len(p))
    out = p.clone()
    out[[i, k]] = p[[k, i]]
    return out


def _step(
    p: Int[Tensor, " units"], slope: Float[Tensor, "units units"], length: float
) -> Float[Tensor, "units units"]:
    """Return the doubly stochastic matrix near a step downhill from a permutation."""
    slope = slope.cpu() - slope.mean(1, keepdim=True).cpu()
    largest = slope.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    relaxed, _ = project(matrix(p.cpu()).double() - length * slope / largest)
    return relaxed
