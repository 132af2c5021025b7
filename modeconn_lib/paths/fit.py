r"""Learn the inner control points of a curve, :math:`\min_\phi \mathbb{E}_t[L(r_\phi(t))]`.

Curve, module  ->  LearnCurve (an Objective)  ->  training.fit  ->  Curve

One t is drawn per batch (Garipov et al. 2018; Tatro et al. 2020, algorithm 2). The point r(t) is
written into one flat buffer that the module runs on, and the flat gradient is scaled by each
control point's weight: the step costs a plain training step and a few passes over the buffer.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.paths.curves import Curve
from modeconn_lib.training.attacks import Attack
from modeconn_lib.training.objectives import FlatNetwork, Loss, Step, cross_entropy


class LearnCurve:
    r"""The objective :math:`L(r(t)) + \tfrac{\lambda}{2}\lVert r(t)\rVert^2` at random t.

    Parameters
    ----------
    curve
        Where to start; its inner control points are learned, its endpoints stay.
    penalty
        The coefficient :math:`\lambda` of the squared norm of all parameters of the point,
        biases and batch-norm scales included; 0 for none. It takes the place of the optimiser's
        weight decay, which would pull the control point instead.
    attack
        Where given, the loss is that of images attacked at the network of the same t, with the
        generator that has drawn t (Tatro et al. 2020, section 5).
    proximal
        The :math:`\nu` of a term :math:`\tfrac{1}{2\nu}\lVert \phi - \phi_0 \rVert^2` that draws
        the inner points towards where they started, by its implicit step after each step of the
        optimiser, as in proximal alternating minimisation; infinite for none. It is in no loss
        that is reported.
    """

    def __init__(
        self,
        module: nn.Module,
        curve: Curve,
        machine: Machine,
        penalty: float = 0.0,
        loss: Loss = cross_entropy,
        attack: Attack | None = None,
        proximal: float = math.inf,
    ) -> None:
        """Copy the control points onto the machine."""
        if len(curve.points) < 3:
            raise ValueError("a curve of 2 control points has nothing to learn; give an inner one")
        if not proximal > 0:
            raise ValueError(f"proximal, the nu of a proximal term, must be positive: {proximal!r}")
        self.curve, self.penalty, self.loss, self.attack = curve, penalty, loss, attack
        self.network = FlatNetwork(module.train(), curve.points[0], machine)
        layout, device = self.network.layout, machine.device
        first, *inner, last = (layout.ravel(point).to(device) for point in curve.points)
        self.ends, self.inner = torch.stack([first, last]), torch.stack(inner)
        self.gradient_at_point = torch.zeros_like(first)
        self.inner.grad = torch.zeros_like(self.inner)
        self.proximal, self.start = proximal, self.inner.clone()
        self.learned: tuple[Tensor, ...] = (self.inner,)

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the control points' gradient at one t drawn uniformly from [0, 1]."""
        t = float(torch.rand((), generator=generator, dtype=torch.float64))
        first, *inner, last = self.curve.weights(t, len(self.curve.points))
        device = self.inner.device
        weights = torch.tensor(inner, dtype=torch.float32, device=device)
        point, flat = self.network.values, self.gradient_at_point
        torch.mv(self.ends.T, torch.tensor([first, last], device=device), out=point)
        point.addmv_(self.inner.T, weights)
        if self.attack:
            images = self.network.attacked(images, labels, self.loss, self.attack, generator)
        step = self.network.gradient(images, labels, self.loss, flat)
        if self.penalty:
            flat.add_(point, alpha=self.penalty)
            step = replace(step, loss=step.loss + 0.5 * self.penalty * point.dot(point))
        assert self.inner.grad is not None  # set in __init__, never cleared
        torch.outer(weights, flat, out=self.inner.grad)
        return step

    def after_step(self, rate: float) -> None:
        """Draw the control points towards their start, if there is a proximal term."""
        if self.proximal < math.inf:
            pull = rate / self.proximal
            self.inner.add_(self.start, alpha=pull).div_(1 + pull)

    def state(self) -> dict[str, Tensor]:
        """Return the learned control points.

        Batch-norm statistics of a random mixture of points serve nobody and are not kept;
        `training.batchnorm.reestimate` makes them for the point wanted.
        """
        return {"inner": self.inner}

    def result(self) -> Curve:
        """Return the curve with the control points learned so far.

        Buffers of an inner point are those it started with.
        """
        points = list(self.curve.points)
        for i, flat in enumerate(self.inner, start=1):
            learned = self.network.layout.views(flat.cpu())
            points[i] = {**points[i], **{name: value.clone() for name, value in learned.items()}}
        return replace(self.curve, points=tuple(points))
