r"""The assignment of least cost whose second cost stays within a budget (Tatro et al., eq. 31).

post, pre (units, units), budget  ->  multiplier  ->  nearby permutations  ->  ConstrainedMatch

With a second cost the assignment problem is NP-hard in general: it is the resource-constrained
assignment problem (Aggarwal, Computers & Operations Research 12(1), 1985), which already two
units in each of many blocks make as hard as a knapsack (Garey & Johnson 1979, problem MP9). So
there is no fast method that is exact on every input. Here the Lagrangian dual is solved exactly;
it gives a lower bound, and where that is not reached, permutations are listed from the bound
upwards (Murty, Operations Research 16(3), 1968) until the best one is proven, or until the effort
allowed is spent. The result says by how much it can be off at most: `ConstrainedMatch.gap`.

Nothing here knows about networks or layers; `constrained_activations` does.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from modeconn_lib.alignment.assignment import best_permutation

EFFORT = 5_000  # assignment problems: a second for 64 units, and only where the bound is missed
ROUNDING = 1e-12  # of the size of the costs: what is nearer than this is the same number

Costs = npt.NDArray[np.float64]
Order = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ConstrainedMatch:
    r"""A permutation that keeps to the budget, and how far from the best one it can be.

    Attributes
    ----------
    permutation
        Unit ``permutation[i]`` of B stands at place i.
    cost
        :math:`\mathrm{trace}(C_{post}^T P)`: what was to be small.
    pre_cost, budget
        :math:`\mathrm{trace}(C_{pre}^T P)`, and what it may be at most.
    bound
        No permutation within the budget costs less than this, up to rounding; at most `cost`.
    multiplier
        The best Lagrange multiplier: how much less `bound` would be, for each unit that the
        budget were more. 0 where the budget makes no difference.
    """

    permutation: Int[Tensor, " units"]
    cost: float
    pre_cost: float
    budget: float
    bound: float
    multiplier: float

    @property
    def gap(self) -> float:
        """By how much another permutation can be cheaper at most; 0: this one is proven best."""
        return self.cost - self.bound

    @property
    def feasible(self) -> bool:
        """Whether the permutation keeps to the budget; it does."""
        return self.pre_cost <= self.budget


def constrained_permutation(
    post: Float[Tensor, "_ _"],
    pre: Float[Tensor, "_ _"],
    *,
    budget: float | None = None,
    effort: int = EFFORT,
) -> ConstrainedMatch:
    r"""Return the permutation of least post-activation cost within a budget of the other cost.

    .. math::
        \min_P \; \mathrm{trace}(C_{post}^T P) \quad \text{such that} \quad
        \mathrm{trace}(C_{pre}^T P) \leq \mathrm{trace}(C_{pre})

    Parameters
    ----------
    post, pre
        What it costs to have unit j of B at the place of unit i of A, (units, units) both. Only
        finite values.
    budget
        What the sum of the chosen entries of `pre` may be; by default that of the identity.
    effort
        How many assignment problems may be solved to close the gap that the dual leaves. With
        too few the result still keeps to the budget, and its gap is stated.

    Raises
    ------
    ValueError
        If an entry or the budget is not finite, the tables are not square or differ in size, or
        no permutation keeps to the budget.
    """
    problem = _problem(post, pre, budget)
    # The very permutation, among equally good ones, that matching without a budget finds.
    free = problem.of(best_permutation(torch.from_numpy(-problem.post)).numpy())
    if free.feasible:
        return _match(problem, free, free.post, 0.0)
    cheapest = problem.of(_assign(problem.pre))
    if not cheapest.feasible:
        raise ValueError(
            f"no permutation keeps to the budget {problem.budget!r}; the least that one costs "
            f"is {cheapest.pre!r}"
        )
    multiplier, bound, seen = _dual(problem, free, cheapest)
    best = min((p for start in seen for p in _nearby(problem, start)), key=lambda p: p.post)
    if best.post - bound > problem.rounding:
        best, bound = _close(problem, multiplier, best, effort)
    return _match(problem, best, min(bound, best.post), multiplier)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A permutation and what it costs, each sum rounded once: equal sums are equal numbers."""

    order: Order
    post: float
    pre: float
    feasible: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    post: Costs
    pre: Costs
    budget: float

    @property
    def rounding(self) -> float:
        """Below this, a difference of costs is rounding."""
        return ROUNDING * float(np.abs(self.post).max()) * len(self.post)

    def of(self, order: Order) -> _Candidate:
        """Return a permutation with its costs."""
        rows = np.arange(len(order))
        post, pre = math.fsum(self.post[rows, order]), math.fsum(self.pre[rows, order])
        return _Candidate(order, post, pre, pre <= self.budget)

    def solve(self, multiplier: float) -> _Candidate:
        """Return the permutation that is cheapest where the second cost has this price."""
        return self.of(_assign(self.post + multiplier * self.pre))

    def priced(self, one: _Candidate, multiplier: float) -> float:
        """Return the Lagrangian: what a permutation costs where the budget's excess is paid."""
        return one.post + multiplier * (one.pre - self.budget)


def _problem(post: Tensor, pre: Tensor, budget: float | None) -> _Problem:
    """Check the tables and bring them into double precision."""
    if post.shape != pre.shape or len(post) != post.shape[-1]:
        shapes = f"{tuple(post.shape)} and {tuple(pre.shape)}"
        raise ValueError(f"costs must be two square tables of one size, got {shapes}")
    tables = [table.detach().double().cpu().numpy() for table in (post, pre)]
    allowed = math.fsum(np.diagonal(tables[1])) if budget is None else float(budget)
    if not all(np.isfinite(table).all() for table in tables) or not math.isfinite(allowed):
        raise ValueError("costs must be finite; a network or its activations hold NaN")
    return _Problem(tables[0], tables[1], allowed)


def _match(
    problem: _Problem, best: _Candidate, bound: float, multiplier: float
) -> ConstrainedMatch:
    order = torch.from_numpy(best.order)
    return ConstrainedMatch(order, best.post, best.pre, problem.budget, bound, multiplier)


def _assign(costs: Costs) -> Order:
    return np.asarray(linear_sum_assignment(costs)[1], dtype=np.int64)


def _dual(
    problem: _Problem, over: _Candidate, within: _Candidate
) -> tuple[float, float, list[_Candidate]]:
    """Return the best multiplier, the lower bound it gives, and the permutations met on the way.

    As a function of the multiplier every permutation's Lagrangian is a straight line, and the
    dual is the lowest of them all: concave, with corners. Where the lowest line that rises (over
    the budget) meets the lowest that falls is the top, once no other line is lower there. Every
    round finds a new line of the envelope, so there are finitely many.
    """
    seen = [over, within]
    while True:
        multiplier = (within.post - over.post) / (over.pre - within.pre)
        found = problem.solve(multiplier)
        value = problem.priced(found, multiplier)
        known = any((found.post, found.pre) == (old.post, old.pre) for old in (over, within))
        if known or value >= problem.priced(over, multiplier) - problem.rounding:
            return multiplier, value, seen
        seen.append(found)
        over, within = (over, found) if found.feasible else (found, within)


def _nearby(problem: _Problem, start: _Candidate) -> Iterator[_Candidate]:
    """Yield permutations within the budget, each reached by swaps from the one before."""
    now: _Candidate | None = start
    while now is not None:
        if now.feasible:
            yield now
        now = _best_swap(problem, now)


def _best_swap(problem: _Problem, now: _Candidate) -> _Candidate | None:
    """Return the cheapest of all swaps that stay or come within the budget, None if none gains.

    From outside the budget any swap that comes within it is a gain.
    """
    post, pre = (_swaps(table, now.order) for table in (problem.post, problem.pre))
    allowed = np.where(now.pre + pre <= problem.budget, post, np.inf)
    i, j = np.unravel_index(int(allowed.argmin()), allowed.shape)
    limit = -problem.rounding if now.feasible else np.inf
    if not allowed[i, j] < limit:
        return None
    order = now.order.copy()
    order[[i, j]] = order[[j, i]]
    found = problem.of(order)
    return found if found.feasible else None  # rounding: the sum taken anew has the last word


def _swaps(table: Costs, order: Order) -> Costs:
    """Return by how much a cost rises if places i and j swap their units."""
    moved = table[:, order]  # [i, j]: the unit of place j at place i
    own = np.diagonal(moved)
    return np.asarray(moved + moved.T - own[:, None] - own[None, :])


def _close(
    problem: _Problem, multiplier: float, best: _Candidate, effort: int
) -> tuple[_Candidate, float]:
    """List permutations by their Lagrangian until the best one is proven or the effort is spent.

    Within the budget no permutation costs less than its Lagrangian. So once the next one's is no
    less than what the best permutation costs, nothing better is left.
    """
    priced = problem.post + multiplier * (problem.pre - problem.budget / len(problem.pre))
    ranking = _Ranking(priced)
    while ranking.heap:
        value, order = ranking.first()
        found = problem.of(order)
        if found.feasible and found.post < best.post:
            best = found
        if value >= best.post - problem.rounding:
            return best, best.post
        if ranking.solved >= effort:
            return best, value
        ranking.split(best.post - problem.rounding)
    return best, best.post


class _Ranking:
    """Assignments in order of rising cost.

    The heap holds disjoint sets of assignments, each with its cheapest: those that begin with
    some columns and do not have some others in the next row. Taking the cheapest of all away
    splits its set into one for each row after those given.
    """

    def __init__(self, costs: Costs) -> None:
        self.costs, self.solved, self._number = costs, 0, count()
        self.heap: list[tuple[float, int, Order, int, tuple[int, ...]]] = []
        self._add(np.empty(0, dtype=np.int64), ())

    def first(self) -> tuple[float, Order]:
        """Return the cheapest assignment that was not split away, and its cost."""
        value, _, order, _, _ = self.heap[0]
        return value, order

    def split(self, limit: float) -> None:
        """Take the cheapest assignment away; what costs `limit` or more is of no interest."""
        _, _, order, given, barred = heapq.heappop(self.heap)
        for row in range(given, len(order)):
            here = int(order[row])
            self._add(order[:row], (*(barred if row == given else ()), here), limit)

    def _add(self, given: Order, barred: tuple[int, ...], limit: float = math.inf) -> None:
        """Put the set of assignments that begin with `given` on the heap, if there are any."""
        row, free = len(given), np.ones(len(self.costs), dtype=bool)
        free[given] = False
        left = np.flatnonzero(free)
        if len(left) <= len(barred):
            return
        rest = self.costs[row:, left]
        rest[0, np.searchsorted(left, barred)] = np.inf  # a copy; those barred are left, too
        self.solved += 1
        order = np.concatenate([given, left[_assign(rest)]])
        value = math.fsum(self.costs[np.arange(len(order)), order])
        if value < limit:
            heapq.heappush(self.heap, (value, next(self._number), order, row, barred))
