"""Align networks by their post-activations, within what the pre-activations cost unaligned.

Traced, A, B, images  ->  costs of both stages  ->  one constrained match per group  ->  report

This is the problem of appendix C.3 of Tatro et al. 2020. Their theorem 3.1 bounds the loss on the
straight line by distances of *pre-activations*, and holds for every permutation that makes these
no larger than they are unaligned. So the post-activations may choose among all of those.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from modeconn_lib.alignment.activations import (
    Alignment,
    GroupReport,
    Moments,
    Similarity,
    gather_moments,
    mean_correlation,
    negative_l2,
)
from modeconn_lib.alignment.constrained import EFFORT, ConstrainedMatch, constrained_permutation
from modeconn_lib.core.params import Params, same_network
from modeconn_lib.permutation.apply import identity
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.trace import Traced

Tables = Mapping[str, Float[Tensor, "_ _"]]  # square; groups differ in size


@dataclass(frozen=True, slots=True)
class ConstrainedAlignment:
    """Permutations that bring B's units next to A's within a budget, and how good they are.

    Attributes
    ----------
    alignment
        The permutations and what they gained, as from `align_activations`; objectives and
        correlations are those of the post-activations.
    matches
        Of every group what it costs, what it might, and how far from the best it can be.
    post, pre
        The costs of every group, summed over its sites: entry (i, j) is what it costs to have
        unit j of B at the place of unit i of A.
    """

    alignment: Alignment
    matches: Mapping[str, ConstrainedMatch]
    post: Tables
    pre: Tables

    def table(self) -> str:
        """Return the report as text, one line per group."""
        head = f"{'group':24} {'cost':>10} {'gap':>8} {'pre cost':>10} {'budget':>10} multiplier"
        lines = [
            f"{name:24} {m.cost:10.4g} {m.gap:8.1e} {m.pre_cost:10.4g} {m.budget:10.4g} "
            f"{m.multiplier:.3g}"
            for name, m in self.matches.items()
        ]
        return "\n".join([head, *lines])


def align_constrained(
    traced: Traced,
    a: Params,
    b: Params,
    images: Iterable[Tensor],
    example: Tensor,
    *,
    similarity: Similarity = negative_l2,
    effort: int = EFFORT,
) -> ConstrainedAlignment:
    r"""Return the best permutations of post-activations within the budget of pre-activations.

    In every group of units (Tatro et al., equation 31)

    .. math::
        P^* = \arg\min_P \mathrm{trace}(C_{post}^T P) \quad \text{such that} \quad
        \mathrm{trace}(C_{pre}^T P) \leq \mathrm{trace}(C_{pre}).

    What comes *before* a nonlinearity is its very input: in a network with batch norm the output
    of the batch norm, in a residual network the sum of a block and its shortcut. A group seen at
    several places has one permutation; its costs are summed over them, in both tables, so it is
    the sum that keeps to the budget. Where a group meets no nonlinearity both tables are equal.

    Parameters
    ----------
    images
        Batches of inputs as the networks expect them; they are gone through twice, so an
        iterator will not do.
    example
        A few inputs on which the permuted B must compute what B does.
    similarity
        Its negative is the cost: squared distances, as in the paper, unless said otherwise.
    effort
        As for `constrained_permutation`, for each group.

    Raises
    ------
    ValueError
        If groups of units are inside one another, the networks differ in names or shapes, there
        are no images or only an iterator of them, or what the units do is not finite.
    NotEquivalent
        If the permuted network computes something else.
    """
    started = time.monotonic()
    same_network(a, b)
    _independent(traced.spec)
    if iter(images) is images:
        raise ValueError("images are gone through twice: give a list of batches, not an iterator")
    seen = gather_moments(traced, a, b, images, "post")
    post = _costs(seen, similarity)
    pre = _costs(gather_moments(traced, a, b, images, "pre"), similarity)
    matches = {
        group: constrained_permutation(post[group], pre[group], effort=effort) for group in post
    }
    permutations = identity(traced.spec) | {g: m.permutation for g, m in matches.items()}
    reports = tuple(
        GroupReport(
            name=group,
            units=len(m.permutation),
            correlation_before=mean_correlation(seen[group]),
            correlation_after=mean_correlation(seen[group], m.permutation),
            objective_before=-float(post[group].diagonal().mean()),
            objective_after=-m.cost / len(m.permutation),
        )
        for group, m in matches.items()
    )
    error = check_equivalence(traced, b, permutations, example)
    found = Alignment(permutations, reports, error, time.monotonic() - started)
    return ConstrainedAlignment(found, matches, post, pre)


def _independent(spec: PermutationSpec) -> None:
    """Raise ValueError if some group is inside another: one budget would bind them together."""
    for group, outer in spec.inside.items():
        raise ValueError(
            f"group {group!r} is inside {outer!r}; the constrained problem is stated for groups "
            "that are matched one by one: use `align_activations`"
        )


def _costs(moments: Moments, similarity: Similarity) -> Tables:
    """Return what every pair of units costs, summed over the sites of its group."""
    return {
        group: -torch.stack([similarity(site) for site in sites]).sum(0).cpu()
        for group, sites in moments.items()
    }
