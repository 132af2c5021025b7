r"""From doubly stochastic matrices back to permutations: propose some, take the best.

matrices  ->  propose  ->  Proposal  ->  choose: Judge.losses on common images  ->  Choice

The candidates are the previous permutations, those nearest to the matrices, and some drawn from
mixtures that make the matrices up (Tatro et al. 2020, appendix E.4, equation 51).
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.files import load_tensors, save_tensors
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Layout, Params
from modeconn_lib.paths.birkhoff import TERMS, Birkhoff, decompose, draw, nearest_permutation
from modeconn_lib.paths.permuted_curve import Matrices
from modeconn_lib.permutation.apply import permute, squared_distance
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.training.batchnorm import normalise_by_batch
from modeconn_lib.training.fit import Batches, OutOfTime, never, silent
from modeconn_lib.training.objectives import Loss, cross_entropy

SUMS = "comparing.safetensors"
SAVE_EVERY = 20.0  # seconds
SAMPLES = 32  # Tatro et al. 2020, appendix E.4


@dataclass(frozen=True, slots=True)
class Proposal:
    """Permutations to choose from.

    Attributes
    ----------
    kinds
        "previous", "projection", and then "sample" as often as asked for.
    candidates
        The permutations of each.
    mixtures
        Of each group, what the samples were drawn from.
    """

    kinds: tuple[str, ...]
    candidates: tuple[Permutations, ...]
    mixtures: Mapping[str, Birkhoff]


@dataclass(frozen=True, slots=True)
class Choice:
    r"""Permutations to choose from, and what each is worth.

    Attributes
    ----------
    losses
        Of each candidate, in nats.
    penalties
        Of each, its proximal term :math:`\tfrac{1}{2\nu}\lVert P - P^k \rVert^2`, or 0.
    """

    proposal: Proposal
    losses: tuple[float, ...]
    penalties: tuple[float, ...]

    @property
    def best(self) -> int:
        """Return which has the smallest loss, penalty included; the first of equals.

        The previous permutations are the first of all and have no penalty, so the loss never
        rises. (The published
        code goes on comparing with the projection where the previous ones beat it, and may so
        take a sample that is worse than they.)
        """
        worth = [loss + more for loss, more in zip(self.losses, self.penalties, strict=True)]
        return worth.index(min(worth))

    @property
    def kind(self) -> str:
        """Return the kind of the best."""
        return self.proposal.kinds[self.best]

    @property
    def permutations(self) -> Permutations:
        """Return the best."""
        return self.proposal.candidates[self.best]


@dataclass(slots=True)
class _Sums:
    """Losses of all candidates over the batches done, and when they were last kept."""

    total: Tensor
    examples: int
    batches: int
    kept: float

    @staticmethod
    def of(folder: Path | None, candidates: int, device: torch.device) -> "_Sums":
        """Return what is kept in a folder, or sums of nothing."""
        path = None if folder is None else folder / SUMS
        if path is None or not path.exists():
            total = torch.zeros(candidates, dtype=torch.float64, device=device)
            return _Sums(total, 0, 0, time.monotonic())
        found = load_tensors(path)
        examples, batches = found["done"].tolist()
        return _Sums(found["total"].to(device), examples, batches, time.monotonic())

    def keep(self, folder: Path | None, *, at_once: bool) -> None:
        """Write the sums, if it is time to."""
        if folder is not None and (at_once or time.monotonic() - self.kept > SAVE_EVERY):
            done = torch.tensor([self.examples, self.batches])
            save_tensors(folder / SUMS, {"total": self.total.cpu(), "done": done})
            self.kept = time.monotonic()


@dataclass(frozen=True, slots=True)
class Judge:
    r"""On what candidates are compared: all on the same images, at the same t.

    Attributes
    ----------
    batches
        Those of epoch 0 are used. Batch k of n is seen by the network at
        :math:`t = (k + \tfrac12)/n`, whose batch norm normalises by that batch.
    out_of_time
        Asked before every batch.
    progress
        Called with the number of images that networks have seen.
    """

    batches: Batches
    machine: Machine
    loss: Loss = cross_entropy
    out_of_time: Callable[[], bool] = never
    progress: Callable[[int], None] = silent

    @torch.no_grad()
    def losses(
        self,
        module: nn.Module,
        spec: PermutationSpec,
        a: Params,
        b: Params,
        deviation: Params,
        candidates: Sequence[Permutations],
        *,
        folder: Path | None = None,
    ) -> list[float]:
        """Return the mean loss along the curve to B permuted in each of the ways, in nats.

        Parameters
        ----------
        folder
            Where to keep what is done, every `SAVE_EVERY` seconds and when stopped; sums found
            there are gone on with. None keeps nothing.

        Raises
        ------
        OutOfTime
            If `out_of_time` says so.
        DamagedFile
            If what is in `folder` is damaged.
        """
        n, device = self.batches.steps, self.machine.device
        a, b, deviation = (
            {name: value.to(device) for name, value in params.items()}
            for params in (a, b, deviation)
        )
        layout = Layout.of(dict(module.named_parameters()))
        start, moved = layout.ravel(a), layout.ravel(deviation)
        sums = _Sums.of(folder, len(candidates), device)
        if sums.examples:
            self.progress(sums.examples * len(candidates))
        with mode(module, training=False):
            normalise_by_batch(module)
            for k in range(sums.batches, n):
                late = self.out_of_time()
                sums.keep(folder, at_once=late)
                if late:
                    raise OutOfTime(f"stopped comparing permutations at batch {k + 1} of {n}")
                images, labels = self.batches(0, k)
                t = (k + 0.5) / n
                for i, permutations in enumerate(candidates):
                    # Permuted anew for each batch: of many candidates, one is in memory.
                    end = layout.ravel(permute(b, spec, permutations))
                    point = torch.lerp(start, end, t).add_(moved, alpha=2 * t * (1 - t))
                    sums.total[i] += self._loss(module, layout.views(point), images, labels)
                sums.examples += len(labels)
                sums.batches += 1
                self.progress(len(labels) * len(candidates))
        return [float(value) for value in sums.total / sums.examples]

    def _loss(self, module: nn.Module, point: Params, images: Tensor, labels: Tensor) -> Tensor:
        """Return the summed loss of one network on one batch."""
        buffers = {n: v.to(self.machine.device, copy=True) for n, v in module.named_buffers()}

        def network(batch: Tensor) -> Tensor:
            return functional_call(module, {**point, **buffers}, (batch,))

        with self.machine.precision():
            value, _ = self.loss(network, images, labels)
        return value.double() * len(labels)


def propose(
    previous: Permutations,
    matrices: Matrices,
    generator: torch.Generator,
    *,
    samples: int = SAMPLES,
    terms: int | None = TERMS,
) -> Proposal:
    """Return the permutations to choose from: `samples` of them drawn from mixtures of `terms`."""
    mixtures = {group: decompose(matrix, terms) for group, matrix in matrices.items()}
    nearest = {group: nearest_permutation(matrix) for group, matrix in matrices.items()}
    return Proposal(
        kinds=("previous", "projection", *["sample"] * samples),
        candidates=(dict(previous), nearest, *draw(mixtures, samples, generator)),
        mixtures=mixtures,
    )


def choose(
    module: nn.Module,
    spec: PermutationSpec,
    a: Params,
    b: Params,
    deviation: Params,
    proposal: Proposal,
    judge: Judge,
    *,
    proximal: float = math.inf,
    folder: Path | None = None,
) -> Choice:
    r"""Return the proposal with what the judge says of it; equal candidates are measured once.

    Parameters
    ----------
    proximal
        The :math:`\nu` of equation (50), in which the distance from the previous permutations
        counts. Infinite leaves it out, and the choice goes by the loss alone, as in the
        published code.
    folder
        As for `Judge.losses`.

    Raises
    ------
    OutOfTime
        As `Judge.losses`.
    """
    names = [tuple(tuple(one[g].tolist()) for g in spec.sizes) for one in proposal.candidates]
    different = dict(zip(names, proposal.candidates, strict=True))
    found = judge.losses(module, spec, a, b, deviation, list(different.values()), folder=folder)
    loss = dict(zip(different, found, strict=True))
    previous = proposal.candidates[0]
    penalties = (squared_distance(one, previous) / (2 * proximal) for one in proposal.candidates)
    return Choice(proposal, tuple(loss[name] for name in names), tuple(penalties))
