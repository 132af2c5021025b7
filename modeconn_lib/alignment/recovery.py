r"""Hide a known permutation in a network, and see whether matching finds it again.

spec, params  ->  plant  ->  Planted;   ->  recover  ->  Recovery

A network and its reordered copy are the one case in which the best permutation is known: with
:math:`\theta_B = \pi(\theta_A)` the objective reaches :math:`\|\theta_A\|^2`, which nothing exceeds
(Cauchy-Schwarz). A search that stays below it is in a local optimum.
"""

from dataclasses import dataclass, replace

import torch

from modeconn_lib.alignment.weights import WeightMatching, match_weights, within
from modeconn_lib.core.params import Params, dot
from modeconn_lib.core.seeds import derive, generator
from modeconn_lib.permutation.apply import invert, permute, random_permutations
from modeconn_lib.permutation.spec import Permutations, PermutationSpec


@dataclass(frozen=True, slots=True)
class Planted:
    """A reordered network, and the permutations that bring it back."""

    network: Params
    truth: Permutations


@dataclass(frozen=True, slots=True)
class Recovery:
    r"""How much of a planted permutation was found.

    Attributes
    ----------
    exact
        Whether the network came back entry by entry. Units that cannot be told apart may then have
        changed places.
    units
        Share of units whose place is the planted one.
    reached
        The objective as a share of :math:`\|\theta\|^2`, the highest there is; 1 if that is 0.
    """

    exact: bool
    units: float
    reached: float


def plant(spec: PermutationSpec, params: Params, random: torch.Generator) -> Planted:
    """Return `params` with all units shuffled, and what undoes it."""
    shuffle = random_permutations(spec, random)
    return Planted(permute(params, within(spec, params), shuffle), invert(shuffle))


def recover(
    spec: PermutationSpec, params: Params, *, seed: int = 0, starts: int = 1, orders: int = 1
) -> Recovery:
    """Plant a permutation, search for it, and compare.

    Parameters
    ----------
    params
        What matching looks at: no batch-norm statistics.
    seed
        Determines what is planted, and the search.
    starts, orders
        As for `match_from_starts`.

    Raises
    ------
    ValueError
        If there is no start, or `params` are not finite or do not fit the spec.
    """
    planted = plant(spec, params, generator(seed, "planted"))
    found = match_from_starts(
        spec, params, planted.network, starts=starts, seed=seed, orders=orders
    )
    back = permute(planted.network, within(spec, params), found.permutations)
    highest = dot(params, params)
    same = sum(int((p == planted.truth[g]).sum()) for g, p in found.permutations.items())
    return Recovery(
        exact=all(torch.equal(back[name], value) for name, value in params.items()),
        units=same / max(1, sum(spec.sizes.values())),
        reached=found.objective / highest if highest else 1.0,
    )


def match_from_starts(
    spec: PermutationSpec,
    a: Params,
    b: Params,
    *,
    starts: int,
    seed: int = 0,
    orders: int = 1,
) -> WeightMatching:
    """Return the best of several searches: from the identity, then from random permutations.

    Its `seconds` are those of all of them.

    Raises
    ------
    ValueError
        If there is no start, or `match_weights` raises.
    """
    if starts < 1:
        raise ValueError(f"a search needs at least 1 start, got {starts}")
    found = []
    for start in range(starts):
        own = derive(seed, "start", start)
        init = random_permutations(spec, generator(own, "init")) if start else None
        found.append(match_weights(spec, a, b, init=init, orders=orders, seed=own))
    best = max(found, key=lambda match: match.objective)
    return replace(best, seconds=sum(match.seconds for match in found))
