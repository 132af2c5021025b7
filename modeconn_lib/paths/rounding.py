r"""From doubly stochastic matrices back to permutations: propose some, take the best.

matrices  ->  propose  ->  Proposal  ->  choose: Judge.losses on common images  ->  Choice

The candidates are the previous permutations, those nearest to the matrices, and some drawn from
mixtures that make the matrices up (Tatro et al. 2020, appendix E.4, equation 51).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Layout, Params
from modeconn_lib.paths.birkhoff import TERMS, Birkhoff, decompose, draw, nearest_permutation
from modeconn_lib.paths.permuted_curve import Matrices
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.training.batchnorm import normalise_by_batch
from modeconn_lib.training.fit import Batches, OutOfTime, never, silent
from modeconn_lib.training.objectives import Loss, cross_entropy

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
    """Permutations to choose from, and the loss of each in nats."""

    proposal: Proposal
    losses: tuple[float, ...]

    @property
    def best(self) -> int:
        """Return which has the smallest loss; the first of equals.

        The previous permutations are the first of all, so the loss never rises. (The published
        code goes on comparing with the projection where the previous ones beat it, and may so
        take a sample that is worse than they.)
        """
        return self.losses.index(min(self.losses))

    @property
    def kind(self) -> str:
        """Return the kind of the best."""
        return self.proposal.kinds[self.best]

    @property
    def permutations(self) -> Permutations:
        """Return the best."""
        return self.proposal.candidates[self.best]


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
    ) -> list[float]:
        """Return the mean loss along the curve to B permuted in each of the ways, in nats.

        Raises
        ------
        OutOfTime
            If `out_of_time` says so.
        """
        n, device = self.batches.steps, self.machine.device
        a, b, deviation = (
            {name: value.to(device) for name, value in params.items()}
            for params in (a, b, deviation)
        )
        layout = Layout.of(dict(module.named_parameters()))
        start, moved = layout.ravel(a), layout.ravel(deviation)
        total = torch.zeros(len(candidates), dtype=torch.float64, device=device)
        examples = 0
        with mode(module, training=False):
            normalise_by_batch(module)
            for k in range(n):
                if self.out_of_time():
                    raise OutOfTime(f"stopped comparing permutations at batch {k + 1} of {n}")
                images, labels = self.batches(0, k)
                t = (k + 0.5) / n
                for i, permutations in enumerate(candidates):
                    # Permuted anew for each batch: of many candidates, one is in memory.
                    end = layout.ravel(permute(b, spec, permutations))
                    point = torch.lerp(start, end, t).add_(moved, alpha=2 * t * (1 - t))
                    total[i] += self._loss(module, layout.views(point), images, labels)
                examples += len(labels)
                self.progress(len(labels) * len(candidates))
        return [float(value) for value in total / examples]

    def _loss(self, module: nn.Module, point: Params, images: Tensor, labels: Tensor) -> Tensor:
        """Return the summed loss of one network on one batch."""
        buffers = {name: value.clone() for name, value in module.named_buffers()}

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
) -> Choice:
    """Return the proposal with what the judge says of it; equal candidates are measured once.

    Raises
    ------
    OutOfTime
        As `Judge.losses`.
    """
    names = [tuple(tuple(p.tolist()) for p in one.values()) for one in proposal.candidates]
    different = dict(zip(names, proposal.candidates, strict=True))
    found = judge.losses(module, spec, a, b, deviation, list(different.values()))
    loss = dict(zip(different, found, strict=True))
    return Choice(proposal, tuple(loss[name] for name in names))
