r"""Proximal alternating minimisation whose objective never rises, ReLU or not (Tatro et al., E.3).

Problem, candidates  ->  descend  ->  Descent: what every iterate cost, with and without corners

Theory wants a loss with a gradient, so the networks that are descended on have their ReLUs rounded
off over a width :math:`\delta`; :math:`Q_\delta` is their objective, Q that of the ReLU networks
themselves. Everything is exact but two things that the theorem does not need: a permutation is the
best of some candidates, and a curve is descended on, not minimised.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from modeconn_lib.paths.smoothed import Flat, Problem
from modeconn_lib.permutation.apply import identity, squared_distance
from modeconn_lib.permutation.spec import Permutations

# Share of what the slope promises that a step has to bring (Armijo's rule).
_SUFFICIENT = 1e-4
_HALVINGS = 30  # of a step's length, after which rounding hides what it brings

Candidates = Callable[[Problem, Flat, Permutations, int], Iterable[Permutations]]


@dataclass(frozen=True, slots=True)
class Rule:
    r"""How far an iterate may go, and when to stop.

    Attributes
    ----------
    nu_phi, nu_p
        :math:`\nu_\phi` and :math:`\nu_P`; the published code has 1000 for both.
    factor
        Iterates must move so far that both proximal terms together are at least as many times
        `Problem.rounding`. Theorem E.3 says 1 (equation 46). Its proof needs 2: it leaves
        :math:`Q_\delta` for Q at both iterates, and each time may lose what `rounding` says.
    steps
        Gradient steps on the curve in each iteration.
    iterations
        At the most.
    """

    nu_phi: float = 1e3
    nu_p: float = 1e3
    factor: float = 2.0
    steps: int = 10
    iterations: int = 20


@dataclass(frozen=True, slots=True)
class Iterate:
    r"""One iterate.

    Attributes
    ----------
    smooth, sharp
        :math:`Q_\delta` and Q.
    by_phi, by_p
        The two proximal terms of the way to it.
    moved
        Units whose place is not the one before.
    accepted
        Whether the stopping rule let it pass. The last one may be refused; it does not count.
    """

    smooth: float
    sharp: float
    by_phi: float
    by_p: float
    moved: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Descent:
    """What came of it.

    Attributes
    ----------
    iterates
        The first is the start. If the rule stopped it, the last is the one that was refused.
    rounding
        `Problem.rounding`.
    phi, permutations
        The last that was accepted.
    """

    iterates: tuple[Iterate, ...]
    rounding: float
    phi: Flat
    permutations: Permutations

    @property
    def accepted(self) -> tuple[Iterate, ...]:
        """The iterates that the stopping rule let pass, the start included."""
        return tuple(one for one in self.iterates if one.accepted)


def descend(
    problem: Problem,
    candidates: Candidates,
    rule: Rule | None = None,
    start: Permutations | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Descent:
    r"""Alternate between permutation and curve, until the stopping rule ends it.

    .. math::

        P^{k+1} &: \; \min_P Q_\delta(\phi^k, P) + \tfrac{1}{2\nu_P} \lVert P - P^k \rVert^2 \\
        \phi^{k+1} &: \; \min_\phi Q_\delta(\phi, P^{k+1})
            + \tfrac{1}{2\nu_\phi} \lVert \phi - \phi^k \rVert^2

    (equation 34). Neither step raises what it minimises, so Theorem E.1's

    .. math:: Q_\delta^{k+1} + \text{proximal terms} \le Q_\delta^k

    holds for every iterate. Where the proximal terms are at least twice `Problem.rounding`,
    :math:`Q^{k+1} \le Q^k` follows: the ReLU networks never get worse.

    Parameters
    ----------
    candidates
        Gives permutations to choose from besides the last one; called with the problem, the curve,
        the last permutations and the number of the iteration.
    start
        Where to begin, by default B as it is; the curve begins as the straight line.
    progress
        Called after each iteration with 1.
    """
    rule = rule or Rule()
    p = dict(start or identity(problem.spec))
    phi, end = torch.zeros_like(problem.start), problem.end(p)
    smooth = problem.objective(problem.smooth, phi, end)
    found = [Iterate(smooth, problem.objective(problem.sharp, phi, end), 0.0, 0.0, 0, True)]
    for k in range(rule.iterations):
        tried = candidates(problem, phi, p, k)
        q, smooth = choose(problem, phi, p, found[-1].smooth, tried, rule.nu_p)
        end, far = problem.end(q), squared_distance(p, q)
        psi, smooth = descend_curve(problem, phi, end, rule.nu_phi, rule.steps)
        by_phi = float((psi - phi).square().sum()) / (2 * rule.nu_phi)
        by_p = far / (2 * rule.nu_p)
        accepted = by_phi + by_p >= rule.factor * problem.rounding
        sharp = problem.objective(problem.sharp, psi, end)
        found.append(Iterate(smooth, sharp, by_phi, by_p, far // 2, accepted))
        progress(1)
        if not accepted:
            break
        phi, p = psi, q
    return Descent(tuple(found), problem.rounding, phi, p)


def choose(
    problem: Problem,
    phi: Flat,
    p: Permutations,
    now: float,
    candidates: Iterable[Permutations],
    nu: float,
) -> tuple[dict[str, Int[Tensor, " _"]], float]:
    r"""Return the candidate of the least :math:`Q_\delta` and proximal term, and its objective.

    The last permutations `p`, whose objective is `now`, are always among them. One that takes the
    control point out of its bound costs infinitely much.
    """
    best, least, objective = dict(p), now, now
    for q in candidates:
        end = problem.end(q)
        if not problem.allowed(phi, end):
            continue
        value = problem.objective(problem.smooth, phi, end)
        if value + squared_distance(p, q) / (2 * nu) < least:
            best, least, objective = dict(q), value + squared_distance(p, q) / (2 * nu), value
    return best, objective


def descend_curve(
    problem: Problem, phi: Flat, end: Flat, nu: float, steps: int
) -> tuple[Flat, float]:
    r"""Return a curve of lower :math:`Q_\delta` and proximal term, and its :math:`Q_\delta`.

    Projected gradient descent; the length of a step is halved until it brings enough.
    """
    here, rate = phi, 1.0
    for _ in range(steps):
        value, slope, _ = problem.gradient(here, end)
        cost = value + float((here - phi).square().sum()) / (2 * nu)
        slope = slope + (here - phi) / nu
        for _ in range(_HALVINGS):
            there = problem.project(here - rate * slope, end)
            moved = float((there - here).square().sum())
            away = float((there - phi).square().sum()) / (2 * nu)
            after = problem.objective(problem.smooth, there, end) + away
            if after <= cost - _SUFFICIENT / rate * moved:
                break
            rate /= 2
        else:  # no step that rounding lets one see is downhill
            break
        here, rate = there, 2 * rate
    return here, problem.objective(problem.smooth, here, end)
