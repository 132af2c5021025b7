"""What a step of curve training costs, measured against the plain training step.

TinyTen, batches of 128 colour images of 32 x 32, SGD with Nesterov momentum, formats as detected:

    plain      the ordinary loop: module(x), loss.backward(), optimiser.step()
    network    our step for one network, on a flat buffer
    curve      our step for a Bezier curve with its L2 penalty
    layers     the same with every layer rewritten to mix its own weights (`rewritten`)

Batches are ready beforehand; what augmentation costs is measured in `augmentation`. The gradient
of `layers` must be that of `curve` before anything is timed.
"""

from collections.abc import Callable
from itertools import count

import torch
import typer
from torch import Tensor, nn

from benchmarks.material import CLASSES, SHAPE, fast, networks, noise
from benchmarks.rewritten import RewrittenCurve
from benchmarks.timing import report
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths.curves import Curve, bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.training.objectives import Objective, TrainNetwork

BATCH, DECAY = 128, 5e-4
BATCHES = 8  # different ones, so that no step has its images in the cache for being the last's


def batches_for(machine: Machine) -> list[tuple[Tensor, Tensor]]:
    """Return images and labels, on the machine."""
    return [noise(BATCH, machine, seed) for seed in range(BATCHES)]


def sgd(learned: list[Tensor], decay: float) -> torch.optim.SGD:
    """Return the optimiser of every variant; the rate is small, for the steps are many."""
    return torch.optim.SGD(learned, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=decay)


def plain_step(module: nn.Module, machine: Machine) -> Callable[[], None]:
    """Return the step of the ordinary training loop."""
    module, batches = fast(module.train(), machine), batches_for(machine)
    optimiser, steps = sgd(list(module.parameters()), DECAY), count()

    def step() -> None:
        images, labels = batches[next(steps) % BATCHES]
        optimiser.zero_grad()
        with machine.precision():
            loss = nn.functional.cross_entropy(module(images).float(), labels)
        loss.backward()
        optimiser.step()

    return step


def our_step(objective: Objective, decay: float, machine: Machine) -> Callable[[], None]:
    """Return the step of our training loop, as in `training.fit`."""
    batches, optimiser, steps = (
        batches_for(machine),
        sgd([*objective.learned], decay),
        count(),
    )

    def step() -> None:
        k = next(steps)
        images, labels = batches[k % BATCHES]
        objective.gradient(images, labels, generator(0, "step", 0, k))
        optimiser.step()

    return step


def rewritten_step(curve: RewrittenCurve, machine: Machine) -> Callable[[], None]:
    """Return the step of a curve whose layers mix their weights themselves."""
    curve, batches = fast(curve.train(), machine), batches_for(machine)
    optimiser, steps = sgd([x for x in curve.parameters() if x.requires_grad], 0.0), count()

    def step() -> None:
        k = next(steps)
        images, labels = batches[k % BATCHES]
        optimiser.zero_grad()
        with machine.precision():
            loss = curve.loss(images, labels, position(generator(0, "step", 0, k)), DECAY)
        loss.backward()
        optimiser.step()

    return step


def position(random: torch.Generator) -> float:
    """Return the t that `LearnCurve` draws from the same generator."""
    return float(torch.rand((), generator=random, dtype=torch.float64))


def start() -> Curve:
    """Return the curve to be learned."""
    a, b = (params_of(network) for network in networks(2))
    return bezier(a, midpoint(a, b), b)


def check_same_gradient() -> None:
    """Raise AssertionError unless the rewritten curve has the loss and gradient of ours."""
    machine, curve = Machine.reference(), start()
    ours = LearnCurve(networks(1)[0], curve, machine, DECAY)
    theirs = RewrittenCurve(networks(3), curve.points)
    images, labels = batches_for(machine)[0]
    loss = theirs.loss(images, labels, position(generator(0, "step", 0, 0)), DECAY)
    loss.backward()
    step = ours.gradient(images, labels, generator(0, "step", 0, 0))
    torch.testing.assert_close(step.loss, loss.detach(), rtol=1e-5, atol=0)
    gradient = torch.cat([x.grad.reshape(-1) for x in theirs.parameters() if x.grad is not None])
    scale = float(gradient.abs().max())
    torch.testing.assert_close(ours.inner.grad[0], gradient, rtol=1e-4, atol=1e-5 * scale)


def main(rounds: int = 300, threads: int = 0) -> None:
    """Print and keep the ratios of all variants to the plain step."""
    if threads:
        torch.set_num_threads(threads)
    check_same_gradient()
    machine, curve = Machine.detect(), start()
    plain, network, point, *others = networks(6)
    steps = {
        "plain": plain_step(plain, machine),
        "network": our_step(TrainNetwork(network, params_of(network), machine), DECAY, machine),
        "curve": our_step(LearnCurve(point, curve, machine, DECAY), 0.0, machine),
        "layers": rewritten_step(RewrittenCurve(others, curve.points), machine),
    }
    what = {
        "network": "tinyten",
        "classes": CLASSES,
        "batch": BATCH,
        "image": SHAPE,
        "penalty": DECAY,
    }
    report("curve_step", steps, "plain", rounds, machine, what)


if __name__ == "__main__":
    typer.run(main)
