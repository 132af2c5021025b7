"""Align networks by what their units do on data.

Traced, A, B, images  ->  CrossMoments per site  ->  one assignment per group  ->  Alignment

A group of units seen at several places (a residual stream: the stem and the end of every block)
gets one permutation, from the sum of its similarity matrices (Tatro et al. 2020, appendix D).
Groups inside of one another (the heads of attention and what is in them) are matched together.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.moments import CrossMoments
from modeconn_lib.core.params import Params, same_network
from modeconn_lib.permutation.apply import identity, permute
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.nested import assign
from modeconn_lib.permutation.sites import Stage, activations, samples_of_an_input
from modeconn_lib.permutation.spec import Permutations
from modeconn_lib.permutation.trace import Traced

SAMPLES = 1 << 16  # of the largest map that one forward pass makes on the CPU

Similarity = Callable[[CrossMoments], Float[Tensor, "units units"]]
Moments = Mapping[str, tuple[CrossMoments, ...]]


def correlation(moments: CrossMoments) -> Float[Tensor, "units units"]:
    """Return the correlation of every pair of units: Tatro et al. 2020's choice."""
    return moments.correlation()


def negative_l2(moments: CrossMoments) -> Float[Tensor, "units units"]:
    """Return minus the mean squared distance of every pair of units.

    The assignment then is the optimal transport plan of the Wasserstein-2 metric (appendix C).
    """
    return -moments.squared_distance()


def inner_product(moments: CrossMoments) -> Float[Tensor, "units units"]:
    r"""Return the mean product of every pair of units, not centred (Git Re-Basin, equation 1).

    .. math:: \arg\max_P \langle P, Z^{(A)} (Z^{(B)})^\top \rangle

    The squared distances of a permutation's pairs and twice their products add up to the same
    for every permutation, so this and `negative_l2` have the same best ones; the two differ in
    what the report's objective means, and in which of equally good permutations is found.
    """
    return moments.second_moment()


def cosine(moments: CrossMoments) -> Float[Tensor, "units units"]:
    """Return the cosine of every pair of units, not centred: the published code's for GoogLeNet.

    By accident: there second moments are summed over the positions of a map and means averaged,
    so that what is taken off for the mean is next to nothing. The paper says correlation.
    """
    return moments.cosine()


SIMILARITIES: dict[str, Similarity] = {
    "correlation": correlation,
    "l2": negative_l2,
    "inner_product": inner_product,
    "cosine": cosine,
}

Sites = Mapping[str, Sequence[int]]
# What the code of Tatro et al. does with the stream of a `models.resnet`'s first stage: its
# matching is that of the stem alone, for the sum over the blocks is overwritten.
STEM_ALONE: Sites = {"conv1": (0,)}


@dataclass(frozen=True, slots=True)
class GroupReport:
    """How one group of units was matched.

    Attributes
    ----------
    units
        Size of the group.
    correlation_before, correlation_after
        Mean correlation of unit i of A with the unit of B at place i, averaged over the group's
        sites, in [-1, 1].
    objective_before, objective_after
        What was maximised, per unit, for the identity and for the chosen permutation.
    """

    name: str
    units: int
    correlation_before: float
    correlation_after: float
    objective_before: float
    objective_after: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """Permutations that bring B's units next to A's, and what they gained.

    Attributes
    ----------
    equivalence_error
        Largest relative difference between the outputs of B and of the permuted B, in float64.
    seconds
        Wall time, images and equivalence check included.
    """

    permutations: Permutations
    groups: tuple[GroupReport, ...]
    equivalence_error: float
    seconds: float

    def table(self) -> str:
        """Return the report as text, one line per group."""
        head = f"{'group':24} {'units':>6} {'corr. before':>13} {'after':>7}"
        lines = [
            f"{g.name:24} {g.units:6d} {g.correlation_before:13.3f} {g.correlation_after:7.3f}"
            for g in self.groups
        ]
        tail = f"equivalence error {self.equivalence_error:.1e}, {self.seconds:.1f} s"
        return "\n".join([head, *lines, tail])


@torch.no_grad()
def gather_moments(
    traced: Traced, a: Params, b: Params, images: Iterable[Tensor], stage: Stage = "post"
) -> Moments:
    """Return the moments of every site of every group, A's units against B's, in one pass.

    A network without hidden units has no sites, and nothing is computed.

    Raises
    ------
    ValueError
        If there are no images.
    """
    if not traced.sites:
        return {}
    found: dict[str, list[CrossMoments]] = {}
    for batch in pieces(traced, images):
        of_a, of_b = activations(traced, a, batch, stage), activations(traced, b, batch, stage)
        for group, sites in of_a.items():
            pairs = list(zip(sites, of_b[group], strict=True))
            if group not in found:
                found[group] = [CrossMoments.of(x, y) for x, y in pairs]
            else:
                old = found[group]
                found[group] = [m.add(x, y) for m, (x, y) in zip(old, pairs, strict=True)]
    if not found:
        raise ValueError("activation matching needs images, got none")
    return {group: tuple(sites) for group, sites in found.items()}


def pieces(traced: Traced, images: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the images, on the CPU a few at a time: maps that stay in the cache are read fast."""
    few = max(1, SAMPLES // samples_of_an_input(traced))
    for batch in images:
        whole = batch.device.type != "cpu" or traced.seen.graph.batch is not None
        yield from [batch] if whole else batch.split(few)


def align_activations(
    traced: Traced,
    a: Params,
    b: Params,
    images: Iterable[Tensor],
    example: Tensor,
    *,
    similarity: Similarity = correlation,
    stage: Stage = "post",
    sites: Sites | None = None,
) -> Alignment:
    """Return the permutations of B's units that best match A's (Tatro et al., algorithm 1).

    Layers are matched on the networks as they are: a permutation of one layer does not change
    what the units of the next one do, so the order of matching does not matter.

    Parameters
    ----------
    images
        Batches of inputs as the networks expect them; both networks see the same.
    example
        A few inputs on which the permuted B must compute what B does.
    sites
        By which of its sites a group is matched, numbered as in ``traced.sites``; by all if it is
        not named. The reported correlations are over all of them either way.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes, there are no images, what the units do is not
        finite, or `sites` names others than there are.
    NotEquivalent
        If the permuted network computes something else.
    """
    started = time.monotonic()
    same_network(a, b)
    wanted = _numbers(traced, sites or {})
    moments = gather_moments(traced, a, b, images, stage)
    totals = {
        group: torch.stack([similarity(found[i]) for i in wanted[group]]).sum(0)
        for group, found in moments.items()
    }
    # Units that nothing is seen of keep their order, as far as what they are inside of lets them.
    permutations = identity(traced.spec) | assign(traced.spec, totals, best_permutation)
    reports = tuple(
        _report(group, found, totals[group], permutations[group])
        for group, found in moments.items()
    )
    error = check_equivalence(traced, b, permutations, example)
    return Alignment(permutations, reports, error, time.monotonic() - started)


def _numbers(traced: Traced, sites: Sites) -> Sites:
    """Return the numbers of the sites that count, of every group that has some."""
    numbers = {group: range(len(found)) for group, found in traced.sites.items()}
    for group, chosen in sites.items():
        known = numbers.get(group, range(0))
        if not chosen or not set(chosen) <= set(known):
            raise ValueError(
                f"group {group!r} is seen at {len(known)} sites, numbered from 0; to be matched by "
                f"{list(chosen)!r} it must have those, and at least one"
            )
    return {**numbers, **sites}


def apply(alignment: Alignment, traced: Traced, b: Params) -> Params:
    """Return the aligned network πB."""
    return permute(b, traced.spec, alignment.permutations)


def mean_correlation(sites: tuple[CrossMoments, ...], p: Tensor | None = None) -> float:
    """Return the mean correlation of unit i with unit p[i], over units and sites."""
    total = torch.stack([site.correlation() for site in sites]).mean(0).cpu()
    rows = torch.arange(len(total))
    return float(total[rows, rows if p is None else p].mean())


def _report(
    group: str, sites: tuple[CrossMoments, ...], objective: Tensor, p: Tensor
) -> GroupReport:
    table, rows = objective.cpu(), torch.arange(len(p))
    return GroupReport(
        name=group,
        units=len(p),
        correlation_before=mean_correlation(sites),
        correlation_after=mean_correlation(sites, p),
        objective_before=float(table[rows, rows].mean()),
        objective_after=float(table[rows, p].mean()),
    )
