r"""Curves that go to a permuted network, and the permutation relaxed until it can be trained.

A, B, permutation, deviation  ->  permuted_curve  ->  Curve
matrices                      ->  mix  ->  a network whose units are mixtures of B's
RelaxPermutation (an Objective)  ->  training.fit  ->  doubly stochastic matrices

The curve of Tatro et al. 2020, equation (35), has its control point written as a deviation from
the midpoint, so that it moves along when B is permuted:

.. math:: r(t) = (1-t)^2 \theta_A + t^2 P\theta_B
          + 2t(1-t) \left(\tfrac12(\theta_A + P\theta_B) + \tilde\theta_c\right)
          = (1-t)\,\theta_A + t P\theta_B + 2t(1-t)\,\tilde\theta_c
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params
from modeconn_lib.paths.curves import Curve, bezier, midpoint
from modeconn_lib.paths.doubly_stochastic import ROUNDS, matrix, project
from modeconn_lib.permutation.apply import check_permutations, permute
from modeconn_lib.permutation.spec import AxisSpan, Permutations, PermutationSpec
from modeconn_lib.training.batchnorm import normalise_by_batch
from modeconn_lib.training.objectives import FlatNetwork, Loss, Step, cross_entropy

Matrices = Mapping[str, Float[Tensor, "_ _"]]
NU = 1e3  # the published code's, for permutations and control point alike


def permuted_curve(
    spec: PermutationSpec, a: Params, b: Params, permutations: Permutations, deviation: Params
) -> Curve:
    r"""Return the curve of equation (35); at its ends it is exactly A and the permuted B.

    Parameters
    ----------
    deviation
        :math:`\tilde\theta_c`; tensors that it lacks, like batch-norm statistics, stay midway.
    """
    end = permute(b, spec, permutations)
    control = midpoint(a, end)
    moved = {name: control[name] + value for name, value in deviation.items()}
    return bezier(a, {**control, **moved}, end)


def mix(params: Params, spec: PermutationSpec, matrices: Matrices) -> Params:
    r"""Return the network whose units are mixtures: :math:`W \mapsto P_o W P_i^T`.

    Unit i of a group with the matrix P is to be :math:`\sum_j P_{ij}` times unit j of `params`.
    With the matrices of permutations this is `permute`, exactly; gradients reach the matrices.
    Tensors of the spec that `params` lacks are left out: statistics of batch norm would not be
    those of a mixture.
    """
    out = dict(params)
    for (tensor, axis), claims in spec.by_axis().items():
        if tensor in out:
            out[tensor] = _mixed(out[tensor], axis, claims, matrices)
    return out


def _mixed(
    value: Tensor, axis: int, claims: list[tuple[str, AxisSpan]], matrices: Matrices
) -> Tensor:
    """Mix the units along one axis; entries of no group stay."""
    front = value.movedim(axis, 0)
    rows = out = front.reshape(len(front), -1)
    for group, span in claims:
        by = matrices[group]
        n = len(by)
        if span.block * n == len(rows) and not span.starts:  # the whole axis, in order
            out = (by @ rows.reshape(n, -1)).reshape(rows.shape)
            continue
        entries = span.entries(n).flatten().to(rows.device)
        moved = (by @ rows[entries].reshape(n, -1)).reshape(len(entries), -1)
        out = out.index_copy(0, entries, moved)
    return out.reshape(front.shape).movedim(0, axis)


class RelaxPermutation:
    r"""The objective :math:`L(r(t; \tilde\theta_c, D))` at random t, over doubly stochastic D.

    Every group of units has one matrix, however many tensors it reorders: a residual stream's
    layers share theirs. One t is drawn per batch. Batch norm normalises by the batch, as in
    training; all else is as in evaluation.

    After every step the matrices are drawn towards those they started from, by the implicit step
    for the proximal term :math:`\tfrac{1}{2\nu}\lVert D - D_0 \rVert^2`,

    .. math:: D \leftarrow \frac{D + \tfrac{\eta}{\nu} D_0}{1 + \tfrac{\eta}{\nu}},

    and projected (`doubly_stochastic.project`). At the published rate of 0.05 and
    :math:`\nu = 10^3` a step is drawn back by a factor of :math:`5\cdot10^{-5}`: nearly nothing
    beside one gradient, about a third over the 7,800 steps of 20 epochs.

    Parameters
    ----------
    deviation
        :math:`\tilde\theta_c`, kept fixed.
    start
        Where the matrices start, and what they are drawn towards.
    proximal
        :math:`\nu`; infinite for no such term.
    rounds
        Of alternating projections after every step.

    Raises
    ------
    ValueError
        If `start` does not fit the spec, groups are nested, or `proximal` is not positive.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: PermutationSpec,
        a: Params,
        b: Params,
        deviation: Params,
        start: Permutations,
        machine: Machine,
        *,
        proximal: float = NU,
        rounds: int = ROUNDS,
        loss: Loss = cross_entropy,
    ) -> None:
        """Copy the networks onto the machine."""
        refuse_nested(spec)
        check_permutations(spec, start)
        if not proximal > 0:
            raise ValueError(f"proximal, the nu of PAM, must be positive, got {proximal!r}")
        self.spec, self.proximal, self.rounds, self.loss = spec, proximal, rounds, loss
        normalise_by_batch(module)
        self.network = FlatNetwork(module, a, machine)
        layout, device = self.network.layout, machine.device
        self.a = self.network.values.clone()
        self.b = {name: b[name].to(device, torch.float32) for name, _ in layout.shapes}
        self.deviation = layout.ravel(deviation).to(device, torch.float32)
        # Groups of one size in one stack: they are projected at once.
        self.groups = _by_size(spec)
        self.stacks = {
            n: torch.stack([matrix(start[g].to(device)) for g in groups]).requires_grad_()
            for n, groups in self.groups.items()
        }
        self.centres = {n: stack.detach().clone() for n, stack in self.stacks.items()}
        self.lowest = torch.zeros((), device=device)
        self.at_point = torch.zeros_like(self.a)
        self.learned: tuple[Tensor, ...] = tuple(self.stacks.values())

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the matrices' gradient at one t drawn uniformly from [0, 1]."""
        t = float(torch.rand((), generator=generator, dtype=torch.float64))
        end = self.network.layout.ravel(mix(self.b, self.spec, self.matrices()))
        torch.lerp(self.a, end.detach(), t, out=self.network.values)
        self.network.values.add_(self.deviation, alpha=2 * t * (1 - t))
        step = self.network.gradient(images, labels, self.loss, self.at_point)
        found = torch.autograd.grad(end, self.learned, grad_outputs=t * self.at_point)
        for stack, gradient in zip(self.learned, found, strict=True):
            stack.grad = gradient
        return step

    @torch.no_grad()
    def after_step(self, rate: float) -> None:
        """Draw the matrices towards the start, and make them doubly stochastic again."""
        pull = rate / self.proximal
        for n, stack in self.stacks.items():
            stack.add_(self.centres[n], alpha=pull).div_(1 + pull)
            projected, lowest = project(stack, self.rounds)
            stack.copy_(projected)
            self.lowest.copy_(torch.minimum(self.lowest, lowest))

    def matrices(self) -> Matrices:
        """Return the matrix of each group; gradients go through."""
        found = {
            group: each
            for n, groups in self.groups.items()
            for group, each in zip(groups, self.stacks[n].unbind(), strict=True)
        }
        return {group: found[group] for group in self.spec.sizes}

    def state(self) -> dict[str, Tensor]:
        """Return the matrices, and the smallest entry that the rounds ever left in them."""
        stacks = {f"matrices/{n}": stack.detach() for n, stack in self.stacks.items()}
        return {**stacks, "lowest": self.lowest}


def refuse_nested(spec: PermutationSpec) -> None:
    """Raise ValueError if the spec has groups of units inside of blocks."""
    for group, outer in spec.inside.items():
        raise ValueError(
            f"group {group!r} is inside {outer!r}, and a doubly stochastic matrix does not keep "
            f"blocks together; relax the groups of nested.whole_blocks(spec) instead"
        )


def _by_size(spec: PermutationSpec) -> dict[int, list[str]]:
    """Return the groups of each size."""
    out: dict[int, list[str]] = {}
    for group, n in spec.sizes.items():
        out.setdefault(n, []).append(group)
    return out
