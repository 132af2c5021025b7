r"""Learn the permutation whose midpoint has the smallest loss (Git Re-Basin, algorithm 2).

A, B, batches  ->  LearnPermutation (an Objective)  ->  training.fit  ->  StraightThrough

Weights :math:`\tilde\theta_B`, free and starting at :math:`\theta_A`, are trained in place of
the permuted B. Each batch is seen by the network halfway between A and the permutation of B that
lies nearest to them; its gradient goes straight through the matching to the free weights.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from modeconn_lib.alignment.weights import learnable, match_weights
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, lerp, same_network
from modeconn_lib.core.seeds import generator
from modeconn_lib.permutation.apply import check_permutations, permute
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.training.batchnorm import normalise_by_batch, reestimate
from modeconn_lib.training.fit import Batches, History, Recipe, fit, never, silent
from modeconn_lib.training.metrics import measure
from modeconn_lib.training.objectives import FlatNetwork, Loss, Step, cross_entropy

# The authors' for an MLP on MNIST, at 1000 images a batch.
PUBLISHED = Recipe(
    epochs=250,
    learning_rate=1e-2,
    schedule="constant",
    momentum=0.9,
    nesterov=False,
    weight_decay=0.0,
)


@dataclass(frozen=True, slots=True)
class Judge:
    """On what permutations are compared: always the same images.

    Attributes
    ----------
    images
        Re-iterable batches of (images, labels).
    statistics
        Image batches for the midpoint's batch-norm statistics; by default those of `images`.
    """

    images: Iterable[tuple[Tensor, Tensor]]
    statistics: Iterable[Tensor] | None = None

    def loss(self, module: nn.Module, a: Params, b: Params, machine: Machine) -> float:
        r"""Return the loss of :math:`\tfrac12(\theta_A + \theta_B)`, statistics taken anew."""
        statistics = self.statistics
        if statistics is None:
            statistics = [images for images, _ in self.images]
        exact = machine.exact()
        point = reestimate(module, lerp(a, b, 0.5), statistics, exact)
        return measure(module, point, self.images, exact).loss


@dataclass(frozen=True, slots=True)
class StraightThrough:
    """The best permutation found, and how the search went.

    Attributes
    ----------
    permutations
        Those whose midpoint had the smallest loss of all that were judged.
    start
        Where the search began, the first one judged.
    losses
        The judge's loss at the midpoint of each permutation it was shown, nats.
    epochs
        How far training was then: 0 for the start, last the end.
    best
        Which of `losses` is that of `permutations`.
    history
        Mean loss of the midpoints that the batches saw, epoch by epoch; and the wall time.
    """

    permutations: Permutations
    start: Permutations
    losses: tuple[float, ...]
    epochs: tuple[float, ...]
    best: int
    history: History

    @property
    def best_epoch(self) -> float:
        """Return how far training was when the best permutation was found."""
        return self.epochs[self.best]


class LearnPermutation:
    r"""The objective :math:`L(\tfrac12(\theta_A + \mathrm{proj}(\tilde\theta_B)))`, equation (3).

    The projection is weight matching, each from the one before. Batch norm normalises by the
    batch, as in training; all else is as in evaluation: the midpoint needs no dropout, which would
    draw from torch's global state. The published code calls best what did best on a single batch,
    and then returns the last permutation whichever was best; here a judge compares them, and a
    copy of the best is kept, so it is never worse than the start on the judge's images.

    Parameters
    ----------
    start
        The first permutations, judged before anything is matched.
    evaluations
        How many of the `evaluate_every`-th batches there will be: room for that many losses.
    match_every
        Batches from one matching to the next; 1 is the published algorithm.
    evaluate_every
        Batches from one judgement to the next; each is of freshly matched permutations.

    Raises
    ------
    ValueError
        If the networks differ, `start` does not fit the spec, or `match_every` or
        `evaluate_every` is less than 1.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: PermutationSpec,
        a: Params,
        b: Params,
        judge: Judge,
        machine: Machine,
        *,
        start: Permutations,
        evaluations: int,
        evaluate_every: int,
        match_every: int = 1,
        loss: Loss = cross_entropy,
    ) -> None:
        """Copy the networks onto the machine; the free weights start at A."""
        if min(match_every, evaluate_every) < 1:
            raise ValueError(
                f"match and judge every 1 batch or more, got {match_every=}, {evaluate_every=}"
            )
        same_network(a, b)
        check_permutations(spec, start)
        self.spec, self.judge, self.loss = spec, judge, loss
        self.match_every, self.evaluate_every = match_every, evaluate_every
        self.a, self.b = (_placed(params, machine) for params in (a, b))
        normalise_by_batch(module)
        self.network = FlatNetwork(module, self.a, machine)
        self.b_weights = {name: self.b[name] for name, _ in self.network.layout.shapes}
        self.flat_a = self.network.values.clone()
        self.free = self.network.values.clone()  # the weights written with a tilde
        self.free.grad = torch.zeros_like(self.free)
        self.learned: tuple[Tensor, ...] = (self.free,)
        # Copies, never the same tensors: the best must stay while the current ones move on.
        self.start, self.current, self.best = (
            {group: p.cpu().clone() for group, p in start.items()} for _ in range(3)
        )
        self.batches = torch.zeros((), dtype=torch.int64)
        self.losses = torch.full((evaluations,), torch.inf, dtype=torch.float64)

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the gradient of the free weights, taken at the midpoint."""
        done = int(self.batches)
        judged = done % self.evaluate_every == 0
        if done == 0:
            self._judge(0)  # the start as it was given, before anything is matched
        if judged or done % self.match_every == 0:
            _copy(self.match(generator), self.current)
        if judged and done > 0:
            self._judge(done // self.evaluate_every)
        self.batches += 1
        # Permuted anew every time: a resumed run then has nothing that could be out of date.
        projected = self.network.layout.ravel(self.permuted(self.current))
        torch.lerp(self.flat_a, projected, 0.5, out=self.network.values)
        assert self.free.grad is not None  # set in __init__, never cleared
        step = self.network.gradient(images, labels, self.loss, self.free.grad)
        self.free.grad.mul_(0.5)  # the midpoint moves by half of what the free weights move
        return step

    def match(self, generator: torch.Generator) -> Permutations:
        """Return the permutations that bring B nearest to the free weights, from the current."""
        seed = int(torch.randint(2**31, (), generator=generator))
        free = self.network.layout.views(self.free)
        return match_weights(
            self.spec, free, self.b_weights, init=self.current, seed=seed
        ).permutations

    def permuted(self, permutations: Permutations) -> Params:
        """Return the permuted B, buffers included."""
        return permute(self.b, self.spec, permutations)

    def midpoint_loss(self, permutations: Permutations) -> float:
        """Return the judge's loss at the midpoint of A and the permuted B."""
        return self.judge.loss(
            self.network.module, self.a, self.permuted(permutations), self.network.machine
        )

    def _judge(self, i: int) -> None:
        """Note the loss of the current permutations, and keep a copy if it is the smallest."""
        before = self.losses[:i]
        if i > 0 and _same(self.current, self.best):
            self.losses[i] = before.min()  # the same network on the same images
            return
        self.losses[i] = self.midpoint_loss(self.current)
        if i > 0 and self.losses[i] < before.min():
            _copy(self.current, self.best)

    def state(self) -> dict[str, Tensor]:
        """Return the free weights, current and best permutations, and the losses so far."""
        return {
            "free": self.free,
            "batches": self.batches,
            "losses": self.losses,
            **{f"current/{group}": p for group, p in self.current.items()},
            **{f"best/{group}": p for group, p in self.best.items()},
        }


def learn_permutation(
    module: nn.Module,
    spec: PermutationSpec,
    a: Params,
    b: Params,
    batches: Batches,
    judge: Judge,
    machine: Machine,
    recipe: Recipe = PUBLISHED,
    *,
    seed: int = 0,
    start: Permutations | None = None,
    match_every: int = 1,
    evaluate_every: int | None = None,
    folder: Path | None = None,
    out_of_time: Callable[[], bool] = never,
    progress: Callable[[int], None] = silent,
) -> StraightThrough:
    """Return the best permutation of B's units that training finds.

    Parameters
    ----------
    start
        Where to begin; by default the weight matching of A and B.
    evaluate_every
        Batches from one judgement to the next; by default an epoch's.
    folder, out_of_time, progress
        As in `training.fit.fit`.

    Raises
    ------
    ValueError
        If the networks differ, or `start` does not fit them.
    NonFiniteLoss, OutOfTime, DamagedFile
        As `training.fit.fit`.
    """
    if start is None:
        weights_a, weights_b = learnable(module, a), learnable(module, b)
        start = match_weights(spec, weights_a, weights_b, seed=seed).permutations
    every = batches.steps if evaluate_every is None else evaluate_every
    total = recipe.epochs * batches.steps
    objective = LearnPermutation(
        module,
        spec,
        a,
        b,
        judge,
        machine,
        start=start,
        evaluations=-(-total // max(every, 1)),  # at batches 0, every, ... below total
        evaluate_every=every,
        match_every=match_every,
    )
    history = fit(
        objective, batches, recipe, seed, folder=folder, out_of_time=out_of_time, progress=progress
    )
    return _result(objective, batches.steps, history, generator(seed, "last matching"))


def _result(
    objective: LearnPermutation, steps: int, history: History, random: torch.Generator
) -> StraightThrough:
    """Judge the projection of the trained weights too, and take the best of all."""
    last = objective.match(random)
    losses = [*objective.losses.tolist(), objective.midpoint_loss(last)]
    judged = [i * objective.evaluate_every / steps for i in range(len(losses) - 1)]
    earlier = min(losses[:-1])
    better = losses[-1] < earlier
    return StraightThrough(
        permutations={g: p.clone() for g, p in (last if better else objective.best).items()},
        start={group: p.clone() for group, p in objective.start.items()},
        losses=tuple(losses),
        epochs=(*judged, float(len(history.losses))),
        best=len(losses) - 1 if better else losses.index(earlier),
        history=history,
    )


def _placed(params: Params, machine: Machine) -> Params:
    """Return the network on the machine, in the float32 that it is trained in."""
    return {
        name: value.to(machine.device, torch.float32 if value.is_floating_point() else value.dtype)
        for name, value in params.items()
    }


def _copy(source: Permutations, into: dict[str, Tensor]) -> None:
    """Write permutations into tensors that stay: a checkpoint names them."""
    for group, p in into.items():
        p.copy_(source[group])


def _same(p: Permutations, q: Permutations) -> bool:
    """Whether two are equal, unit by unit."""
    return all(torch.equal(index, q[group]) for group, index in p.items())
