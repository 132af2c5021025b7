r"""Weight matching: bring B's units next to A's by looking at the weights alone.

spec, A, B  ->  Costs  ->  one assignment after another, until none gains  ->  WeightMatching

Coordinate descent over the groups of units (Git Re-Basin, algorithm 1): with all other groups held
still, the best order of one group is a linear assignment problem. Groups inside of one another (the
heads of attention and what is in them) are a family, and matched together. No data and no module is
needed; what the tensors mean is the business of the spec.
"""

import math
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.costs import Costs
from modeconn_lib.core.params import Params, same_network
from modeconn_lib.core.seeds import generator
from modeconn_lib.permutation.apply import check_permutations, identity
from modeconn_lib.permutation.nested import assign, families
from modeconn_lib.permutation.spec import Permutations, PermutationSpec

_WORKERS = 2  # an assignment keeps one core busy; more than one beside it find little to do


@dataclass(frozen=True, slots=True)
class WeightMatching:
    r"""Permutations of B's units, and how much they gained.

    Attributes
    ----------
    permutations
        One for each group of the spec, on the CPU.
    objective, start
        :math:`\langle \theta_A, \pi(\theta_B) \rangle` for these permutations and for those that
        the search began with, in float64.
    objectives
        What each random order of the groups arrived at.
    sweeps
        How often the best order went through the groups, those with nothing new left out.
    seconds
        Wall time of all orders together.
    """

    permutations: Permutations
    objective: float
    start: float
    objectives: tuple[float, ...]
    sweeps: int
    seconds: float


def learnable(module: nn.Module, params: Params) -> Params:
    """Return the entries of `params` that training changes, a tied tensor once.

    No batch-norm statistics: they are not learned, and say nothing about which unit is which.
    """
    names = {name for name, _ in module.named_parameters()}
    return {name: value for name, value in params.items() if name in names}


def within(spec: PermutationSpec, params: Params) -> PermutationSpec:
    """Return the spec without the spans of tensors that `params` lacks or that hold no floats.

    Raises
    ------
    ValueError
        If what is left does not fit `params`.
    """
    here = {name for name, value in params.items() if value.is_floating_point()}
    spans = {
        group: tuple(span for span in own if span.tensor in here)
        for group, own in spec.spans.items()
    }
    part = PermutationSpec(spec.sizes, spans, spec.inside)
    part.check(params)
    return part


@torch.no_grad()
def match_weights(
    spec: PermutationSpec,
    a: Params,
    b: Params,
    *,
    init: Permutations | None = None,
    orders: int = 1,
    seed: int = 0,
    max_sweeps: int = 100,
) -> WeightMatching:
    r"""Return :math:`\pi` that makes :math:`\langle \theta_A, \pi(\theta_B) \rangle` large.

    The same as making :math:`\|\theta_A - \pi(\theta_B)\|` small. What is found is best in each
    group, or family of nested groups, while the others stay, which need not be best of all
    (lemma 1: NP-hard). It is never worse than the start.

    Parameters
    ----------
    a, b
        Every floating-point tensor counts: leave out batch-norm statistics (`learnable`). Spans of
        tensors that are not here are passed over.
    init
        Where to begin; the identity if None.
    orders
        How many random orders of the groups are tried, each from `init`; the best is returned.
    seed
        Determines the orders.
    max_sweeps
        Each order ends after so many sweeps at the latest.

    Raises
    ------
    ValueError
        If the networks differ in names, shapes or dtypes, hold numbers that are not finite, or do
        not fit the spec; or if there is no order to try.

    References
    ----------
    Git Re-Basin (Ainsworth et al. 2023), section 3.2, algorithm 1.
    """
    started = time.monotonic()
    if orders < 1:
        raise ValueError(f"weight matching needs at least 1 order of the groups, got {orders}")
    same_network(a, b)
    begin = dict(identity(spec)) if init is None else {g: p.cpu() for g, p in init.items()}
    check_permutations(spec, begin)
    costs = Costs(within(spec, a), a, b)
    start = _objective(costs, begin)
    if not math.isfinite(start):
        raise ValueError(f"weights must be finite, but <a, b> is {start}; a network holds NaN")
    best, highest, best_sweeps, objectives = begin, start, 0, []
    for order in range(orders):
        found, sweeps = _descend(spec, costs, begin, seed, order, max_sweeps)
        reached = _objective(costs, found)
        objectives.append(reached)
        if reached > highest or (order == 0 and reached == highest):
            best, highest, best_sweeps = found, reached, sweeps
    seconds = time.monotonic() - started
    return WeightMatching(best, highest, start, tuple(objectives), best_sweeps, seconds)


def visits(groups: list[str], seed: int, order: int, sweep: int) -> list[str]:
    """Return the order in which a sweep goes through the groups, from the seed alone."""
    random = generator(seed, "weight matching", order, sweep)
    return [groups[i] for i in torch.randperm(len(groups), generator=random).tolist()]


def _descend(
    spec: PermutationSpec,
    costs: Costs,
    begin: Permutations,
    seed: int,
    order: int,
    max_sweeps: int,
) -> tuple[dict[str, Tensor], int]:
    """Go through the families until none gains; return their permutations and the sweeps.

    A visit waits for those of its neighbours that come before it in the sweep, and for nothing
    else: what is found is what one visit after another finds. A family goes by its first group.
    """
    found, sweep = dict(begin), 0
    _move(costs, begin)
    members = {family[0]: family for family in families(spec)}
    near = _neighbours(costs, members)
    stale = set(members)

    def visit(first: str, before: list[Future[None]]) -> None:
        wait(before)
        if first not in stale:
            return
        stale.discard(first)
        family = {group: found[group] for group in members[first]}
        moved = _improve(spec, costs, family, first in near[first])
        if moved is not None:
            found.update(moved)
            stale.update(near[first])

    with ThreadPoolExecutor(min(_WORKERS, torch.get_num_threads())) as pool:
        while stale and sweep < max_sweeps:
            made: dict[str, Future[None]] = {}
            for first in visits(list(members), seed, order, sweep):
                before = [made[other] for other in near[first] if other in made]
                made[first] = pool.submit(visit, first, before)
            for future in made.values():
                future.result()
            sweep += 1
    return found, sweep


def _neighbours(costs: Costs, members: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    """Return the families whose tables change when a family moves; itself if it is on two axes.

    What such a one gains is read off whole tensors: all that move anything there are near it, too.
    """
    first = {group: name for name, family in members.items() for group in family}
    near = {
        name: {first[other] for group in family for other in costs.neighbours(group)}
        for name, family in members.items()
    }
    for name in [name for name in members if name in near[name]]:
        tensors = {tensor for group in members[name] for tensor in costs.tensors(group)}
        for other in {first[group] for tensor in tensors for group in costs.groups_on(tensor)}:
            near[name].add(other)
            near[other].add(name)
    return near


def _improve(
    spec: PermutationSpec, costs: Costs, family: Permutations, twofold: bool
) -> Permutations | None:
    """Move a family to its best orders, the others held still; None if that gains nothing."""
    tables = {group: costs.table(group) for group in family}
    best = assign(spec, tables, best_permutation)
    if twofold:
        return _improve_twofold(costs, family, best)
    gain = size = 0.0
    for group, table in tables.items():
        rows = torch.arange(len(table))
        before, after = (table[rows, p[group].to(table.device)] for p in (family, best))
        gain += float((after - before).sum())
        size += float((before.abs() + after.abs()).sum())
    if gain <= costs.rounding * size:
        return None
    _move(costs, best)
    return best


def _improve_twofold(costs: Costs, family: Permutations, best: Permutations) -> Permutations | None:
    """Move a family that is on two axes of a tensor to `best` if that does gain; else None.

    The objective is quadratic in such a family, and its tables only the slope where it stands.
    """
    tensors = {name for group in family for name in costs.tensors(group)}
    before = costs.objective(tensors)
    _move(costs, best)
    after = costs.objective(tensors)
    if after - before > costs.rounding * (abs(before) + abs(after)):
        return best
    _move(costs, family)
    return None


def _move(costs: Costs, permutations: Permutations) -> None:
    for group, p in permutations.items():
        costs.move(group, p)


def _objective(costs: Costs, permutations: Permutations) -> float:
    """Return the objective of the given permutations, which the costs then stand at."""
    _move(costs, permutations)
    return costs.objective()
