r"""Connect any two networks by a map that was learned on others.

Normaliser, A, B, Units  ->  through  ->  Through  ->  at(t)
Normaliser, units        ->  LearnLikelihood (an Objective)  ->  training.fit   "Flow"
Normaliser, networks     ->  LearnMiddle (an Objective)      ->  training.fit   "Bijection"

Anokhin & Yarotsky 2020, section 3.3, equations 7 and 8.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, lerp, same_network, untied
from modeconn_lib.core.seeds import generator as seeded
from modeconn_lib.paths.distribution.arc import turned
from modeconn_lib.paths.distribution.normaliser import Normaliser
from modeconn_lib.paths.distribution.samples import Units, samples, with_samples
from modeconn_lib.training.objectives import Step


@dataclass(frozen=True, slots=True)
class Through:
    r"""The path between two networks on which their normal variables take an arc.

    .. math:: \psi(t) = \nu^{-1}[\cos(\tfrac{\pi}{2} t)\,\nu(X) + \sin(\tfrac{\pi}{2} t)\,\nu(Y)]

    What belongs to no unit goes along the straight line.

    Attributes
    ----------
    ends
        The units of A and of B, as normal variables.
    """

    a: Params
    b: Params
    units: Units
    normaliser: Normaliser
    ends: tuple[Float[Tensor, "units _"], Float[Tensor, "units _"]]

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Return the ends: the path has no corners."""
        return (0.0, 1.0)

    @torch.no_grad()
    def at(self, t: float) -> Params:
        """Return the network at `t`.

        Raises
        ------
        ValueError
            If t is outside [0, 1].
        """
        if not 0.0 <= t <= 1.0:
            raise ValueError(f"t must lie in [0, 1], got {t!r}")
        if t in (0.0, 1.0):
            end = self.a if t == 0.0 else self.b
            return {name: value.clone() for name, value in end.items()}
        x = self.normaliser.inverse(_mixed(*self.ends, t))
        return with_samples(lerp(self.a, self.b, t), self.units, x)


def _mixed(x: Tensor, y: Tensor, t: float) -> Tensor:
    """Return the arc about 0 from x to y."""
    c, _, s = turned(t, 3)
    return c * x + s * y


@torch.no_grad()
def through(a: Params, b: Params, units: Units, normaliser: Normaliser) -> Through:
    """Return the path between two networks, trained on or not, through the normaliser's space.

    Raises
    ------
    ValueError
        If the networks differ in names or shapes.
    """
    same_network(a, b)
    ends = normaliser(samples(a, units)), normaliser(samples(b, units))
    return Through(a, b, units, normaliser, ends)


class UnitBatches:
    """The units of some networks as batches, in an order that is new in every epoch."""

    def __init__(self, units: Float[Tensor, "samples _"], batch_size: int, seed: int) -> None:
        self.units, self.batch_size, self.seed = units, batch_size, seed
        self.steps, self.examples = math.ceil(len(units) / batch_size), len(units)

    def __call__(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the units of one batch, and zeros in the place of labels."""
        order = torch.randperm(len(self.units), generator=seeded(self.seed, "units", epoch))
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        return self.units[chosen], torch.zeros(len(chosen), dtype=torch.long)


class LearnLikelihood:
    """The objective of "Flow": the mean negative log-likelihood of a unit, in nats."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.learned: tuple[Tensor, ...] = tuple(normaliser.parameters())

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the gradient for one batch of units."""
        loss = -self.normaliser.log_likelihood(images).mean()
        _fill(self.learned, loss)
        return Step(loss.detach(), torch.zeros((), dtype=torch.long))

    def state(self) -> dict[str, Tensor]:
        """Return the tensors to checkpoint."""
        return self.normaliser.state_dict()


class LearnMiddle:
    r"""The objective of "Bijection": the loss half-way between two of the networks.

    .. math:: \mathbb{E}_{A \neq B}\, L(\psi(0.5, \Theta_A, \Theta_B))

    Parameters
    ----------
    networks
        Networks of low loss, two or more.
    """

    def __init__(
        self,
        normaliser: Normaliser,
        module: nn.Module,
        networks: Sequence[Params],
        units: Units,
        machine: Machine,
    ) -> None:
        if len(networks) < 2:
            raise ValueError(f"a connection is learned on 2 networks or more, got {len(networks)}")
        self.normaliser, self.module, self.units = normaliser, module, units
        self.networks, self.machine = list(networks), machine
        self.samples = [samples(network, units) for network in networks]
        self.learned: tuple[Tensor, ...] = tuple(normaliser.parameters())

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the gradient at the middle of one pair, drawn uniformly, on one batch of images."""
        i, j = torch.randperm(len(self.networks), generator=generator)[:2].tolist()
        one, other = self.normaliser(torch.cat([self.samples[i], self.samples[j]])).chunk(2)
        x = self.normaliser.inverse(_mixed(one, other, 0.5))
        middle = with_samples(lerp(self.networks[i], self.networks[j], 0.5), self.units, x)
        with self.machine.precision():
            logits = functional_call(self.module, untied(self.module, middle), (images,))
        loss = nn.functional.cross_entropy(logits.float(), labels)
        _fill(self.learned, loss)
        return Step(loss.detach(), (logits.detach().argmax(1) == labels).sum())

    def state(self) -> dict[str, Tensor]:
        """Return the tensors to checkpoint."""
        return self.normaliser.state_dict()


def _fill(learned: tuple[Tensor, ...], loss: Tensor) -> None:
    """Put the gradient of the loss where the optimiser looks for it."""
    for tensor, gradient in zip(learned, torch.autograd.grad(loss, learned), strict=True):
        tensor.grad = gradient
