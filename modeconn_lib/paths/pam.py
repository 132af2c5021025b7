r"""Proximal alternating minimisation over permutation and curve (Tatro et al. 2020, appendix E).

A, B  ->  relax the permutation  ->  choose one  ->  learn the curve  ->  ...  ->  Minimised

Each iteration solves the two problems of equation (34) in turn, by the one training loop:

.. math:: P^{k+1} = \arg\min_P Q(\phi^k, P) + \tfrac{1}{2\nu_P} \lVert P - P^k \rVert^2, \qquad
          \phi^{k+1} = \arg\min_\phi Q(\phi, P^{k+1})
          + \tfrac{1}{2\nu_\phi} \lVert \phi - \phi^k \rVert^2 .

Neither minimum is reached. Permutations are relaxed to matrices, trained with their proximal term,
and rounded to candidates; among these the choice goes by the loss alone, as in the published code,
unless `Method.nu_choice` has the term counted there, too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch
from torch import Tensor, nn

from modeconn_lib.core.files import load_tensors, save_tensors
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, same_network
from modeconn_lib.core.seeds import derive, generator
from modeconn_lib.paths.birkhoff import TERMS
from modeconn_lib.paths.curves import Curve, midpoint
from modeconn_lib.paths.doubly_stochastic import ROUNDS
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.paths.permuted_curve import (
    NU,
    Matrices,
    RelaxPermutation,
    permuted_curve,
    refuse_nested,
)
from modeconn_lib.paths.rounding import SAMPLES, Choice, Judge, choose, propose
from modeconn_lib.permutation.apply import identity
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.training.fit import Batches, History, Recipe, fit, never, silent
from modeconn_lib.training.objectives import Loss, Objective, cross_entropy


@dataclass(frozen=True, slots=True)
class Method:
    """How to minimise; by default with what the paper and its code say.

    Attributes
    ----------
    permutation, curve
        How the relaxed permutations and the curve are trained.
    penalty
        Of the curve, as in `paths.fit.LearnCurve`; the permutations have none.
    nu_permutation, nu_curve
        Of the proximal terms of the relaxed permutations and of the curve.
    nu_choice
        Of the proximal term when permutations are compared (equation 50). Infinite, as by
        default, leaves it out: the published code goes by the loss alone.
    rounds
        Of alternating projections after every step of the permutations.
    samples, terms
        Permutations drawn, and terms of the mixtures they are drawn from (`rounding.propose`).
    iterations
        How often permutation and curve are learned in turn. Every iteration follows the recipes
        from their beginning, where the paper lets the rates fall from one to the next.

    Raises
    ------
    ValueError
        If a nu or a number is not positive, or `samples` is negative.
    """

    permutation: Recipe
    curve: Recipe
    penalty: float = 0.0
    nu_permutation: float = NU
    nu_curve: float = NU
    nu_choice: float = math.inf
    rounds: int = ROUNDS
    samples: int = SAMPLES
    terms: int | None = TERMS
    iterations: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        for name in ("nu_permutation", "nu_curve", "nu_choice", "rounds", "iterations"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        if self.samples < 0 or (self.terms is not None and self.terms < 1):
            raise ValueError(
                f"PAM draws 0 samples or more of 1 term or more, got samples={self.samples!r}, "
                f"terms={self.terms!r}"
            )


@dataclass(frozen=True, slots=True)
class Relaxed:
    """What training the relaxed permutations gave.

    Attributes
    ----------
    matrices
        Of each group, doubly stochastic.
    lowest
        The smallest entry that the rounds of projection ever left, before it was mended.
    history
        Mean loss along the curve, epoch by epoch; and the wall time.
    """

    matrices: Matrices
    lowest: float
    history: History


@dataclass(frozen=True, slots=True)
class Iteration:
    """Both problems solved once; `choosing` is the wall time of comparing permutations."""

    relaxed: Relaxed
    choice: Choice
    choosing: float
    learned: History


@dataclass(frozen=True, slots=True)
class Minimised:
    """The permutations of B's units that were found, the curve to B so permuted, and how."""

    permutations: Permutations
    curve: Curve
    iterations: tuple[Iteration, ...]


def minimise(
    module: nn.Module,
    spec: PermutationSpec,
    a: Params,
    b: Params,
    batches: Batches,
    judged: Batches,
    machine: Machine,
    method: Method,
    *,
    seed: int = 0,
    loss: Loss = cross_entropy,
    folder: Path | None = None,
    out_of_time: Callable[[], bool] = never,
    progress: Callable[[int], None] = silent,
) -> Minimised:
    """Return permutations of B's units and a curve from A to B so permuted, learned in turn.

    The permutations start at the identity, the curve as a straight line. The curve of the first
    iteration is learned as `fit` with the same seed would learn one without permutations.

    Parameters
    ----------
    judged
        Images that permutations are compared on (`rounding.Judge`).
    folder, out_of_time, progress
        As in `training.fit.fit`; of the images seen, progress counts those for comparing, too.

    Raises
    ------
    ValueError
        If the networks differ, or the spec does not fit them or has nested groups.
    NonFiniteLoss, OutOfTime, DamagedFile
        As `training.fit.fit`.
    """
    same_network(a, b)
    spec.check(b)
    refuse_nested(spec)
    run = _Run(module, spec, a, b, machine, method, seed, loss, out_of_time, progress)
    permutations: Permutations = identity(spec)
    deviation = {name: torch.zeros_like(a[name]) for name, _ in module.named_parameters()}
    done: list[Iteration] = []
    for i in range(method.iterations):
        here = None if folder is None else folder / str(i)
        relaxed = run.relax(i, permutations, deviation, batches, here)
        choice, seconds = run.choose(i, permutations, deviation, relaxed, judged, here)
        permutations = choice.permutations
        curve, learned = run.learn(i, permutations, deviation, batches, here)
        deviation = _deviation(curve, deviation)
        done.append(Iteration(relaxed, choice, seconds, learned))
    return Minimised(permutations, curve, tuple(done))


@dataclass(frozen=True, slots=True)
class _Run:
    """The parts of an iteration; `i` is its number, and `folder` its own or None."""

    module: nn.Module
    spec: PermutationSpec
    a: Params
    b: Params
    machine: Machine
    method: Method
    seed: int
    loss: Loss
    out_of_time: Callable[[], bool]
    progress: Callable[[int], None]

    def relax(
        self,
        i: int,
        start: Permutations,
        deviation: Params,
        batches: Batches,
        folder: Path | None,
    ) -> Relaxed:
        """Train the matrices; what is found in the folder is not trained again."""
        recipe, known = self.method.permutation, _kept(folder, "relaxed")
        if known is not None:
            self.progress(recipe.epochs * batches.examples)
            return _relaxed(known, self.spec)
        objective = RelaxPermutation(
            self.module,
            self.spec,
            self.a,
            self.b,
            deviation,
            start,
            self.machine,
            proximal=self.method.nu_permutation,
            rounds=self.method.rounds,
            loss=self.loss,
        )
        seed = derive(self.seed, "permutation", i)
        history = self._fit(objective, batches, recipe, seed, folder, "permutation")
        found = {
            **{f"matrix/{g}": m.detach().cpu() for g, m in objective.matrices().items()},
            "lowest": objective.lowest.cpu(),
            "losses": _numbers(history.losses),
            "accuracies": _numbers(history.accuracies),
            "seconds": _numbers([history.seconds]),
        }
        _keep(folder, "relaxed", found)
        return _relaxed(found, self.spec)

    def choose(
        self,
        i: int,
        previous: Permutations,
        deviation: Params,
        relaxed: Relaxed,
        judged: Batches,
        folder: Path | None,
    ) -> tuple[Choice, float]:
        """Return the choice and its wall time; losses found in the folder are not taken again."""
        method = self.method
        proposal = propose(
            previous,
            relaxed.matrices,
            generator(self.seed, "samples", i),
            samples=method.samples,
            terms=method.terms,
        )
        known = _kept(folder, "choice")
        if known is None:
            judge = Judge(judged, self.machine.exact(), self.loss, self.out_of_time, self.progress)
            clock = monotonic()
            choice = choose(
                self.module,
                self.spec,
                self.a,
                self.b,
                deviation,
                proposal,
                judge,
                proximal=method.nu_choice,
                folder=folder,
            )
            known = {
                "losses": _numbers(choice.losses),
                "penalties": _numbers(choice.penalties),
                "seconds": _numbers([monotonic() - clock]),
            }
            _keep(folder, "choice", known)
        losses, penalties = (tuple(known[name].tolist()) for name in ("losses", "penalties"))
        return Choice(proposal, losses, penalties), float(known["seconds"])

    def learn(
        self,
        i: int,
        permutations: Permutations,
        deviation: Params,
        batches: Batches,
        folder: Path | None,
    ) -> tuple[Curve, History]:
        """Learn the curve from where it is."""
        start = permuted_curve(self.spec, self.a, self.b, permutations, deviation)
        objective = LearnCurve(
            self.module,
            start,
            self.machine,
            self.method.penalty,
            self.loss,
            proximal=self.method.nu_curve,
        )
        seed = derive(self.seed, "curve", i) if i else self.seed
        history = self._fit(objective, batches, self.method.curve, seed, folder, "curve")
        return objective.result(), history

    def _fit(
        self,
        objective: Objective,
        batches: Batches,
        recipe: Recipe,
        seed: int,
        folder: Path | None,
        name: str,
    ) -> History:
        return fit(
            objective,
            batches,
            recipe,
            seed,
            folder=folder and folder / name,
            out_of_time=self.out_of_time,
            progress=self.progress,
        )


def _deviation(curve: Curve, like: Params) -> Params:
    r"""Return :math:`\tilde\theta_c` of a curve."""
    a, control, b = curve.points
    middle = midpoint(a, b)
    return {name: control[name] - middle[name] for name in like}


def _relaxed(tensors: Params, spec: PermutationSpec) -> Relaxed:
    """Return what was written into a file, or is going to be."""
    return Relaxed(
        {group: tensors[f"matrix/{group}"] for group in spec.sizes},  # a file keeps no order
        float(tensors["lowest"]),
        History(
            tuple(tensors["losses"].tolist()),
            tuple(tensors["accuracies"].tolist()),
            float(tensors["seconds"]),
        ),
    )


def _numbers(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _keep(folder: Path | None, name: str, tensors: Params) -> None:
    """Write what one part of an iteration found, whole or not at all."""
    if folder is not None:
        save_tensors(folder / f"{name}.safetensors", tensors)


def _kept(folder: Path | None, name: str) -> Params | None:
    """Return what `_keep` wrote, or None."""
    path = None if folder is None else folder / f"{name}.safetensors"
    return load_tensors(path) if path is not None and path.exists() else None
