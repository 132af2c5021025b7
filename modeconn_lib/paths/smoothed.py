r"""The objective of a curve between two networks, with ReLUs and with their corners rounded off.

A, B, images  ->  Problem  ->  objective, gradient;  curve, order of B  ->  allowed, project

The curve is that of Tatro et al. 2020, equation 35, its control point within a bound of the
spectral norms. Sums are over fixed images and fixed t, all numbers float64. Nothing here chooses a
curve or an order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.params import Layout, Params
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.spec import Permutations, PermutationSpec

Flat = Float[Tensor, " params"]
OutputLoss = Callable[[Tensor, Tensor], Tensor]  # of outputs and labels, the mean over images

# How far a norm may be above its bound after a projection: rounding of the decomposition.
_ROUNDING = 1e-12


def mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats."""
    return nn.functional.cross_entropy(logits, labels)


@dataclass(frozen=True)
class Problem:
    r"""A pair of networks, and what the curve between them is to be good at.

    Attributes
    ----------
    sharp, smooth
        The network with ReLUs, and with ReLUs rounded off over `delta`.
    spec
        Which units can be reordered.
    a, b
        The endpoints, linear layers only.
    images, labels
        All that the loss is taken on.
    points
        Number of t: the midpoints of as many equal parts of [0, 1].
    loss, loss_constant
        A mean over images, and the :math:`K_L` of Lemma E.2: how fast an image's loss can change
        with its outputs, in the Euclidean norm; for cross-entropy :math:`\sqrt 2`.
    """

    sharp: nn.Module
    smooth: nn.Module
    delta: float
    spec: PermutationSpec
    a: Params
    b: Params
    images: Tensor
    labels: Tensor
    points: int = 5
    loss: OutputLoss = mean_cross_entropy
    loss_constant: float = 2**0.5

    @cached_property
    def layout(self) -> Layout:
        """Where parameters lie in a flat vector."""
        return Layout.of({name: self.a[name] for name, _ in self.sharp.named_parameters()})

    @cached_property
    def start(self) -> Flat:
        """A, flat, in float64."""
        return self.layout.ravel(self.a).double()

    @cached_property
    def matrices(self) -> tuple[str, ...]:
        """Names of the weights; the rest are biases, which cancel in all that is bounded."""
        return tuple(name for name, shape in self.layout.shapes if len(shape) == 2)

    @cached_property
    def norm_bound(self) -> float:
        r""":math:`K_W`: the largest spectral norm of the given networks' weights.

        So both networks are within it as they are, and so are all mixtures of them and of a control
        point within it. The paper asks for affine mixtures, which need not be; those of a Bézier
        curve are convex.
        """
        return max(max(both) for both in self.norms.values())

    @cached_property
    def norms(self) -> dict[str, tuple[float, float]]:
        """Spectral norms of every weight of A and of B, in whatever order its units are."""
        return {
            name: (_norm(self.a[name].double()), _norm(self.b[name].double()))
            for name in self.matrices
        }

    @cached_property
    def rounding(self) -> float:
        r"""How far Q and :math:`Q_\delta` can be apart (equation 48).

        .. math:: c = K_L \sqrt M \, \tfrac\delta2 \sum_{i=1}^{L-1} K_W^i

        with M units in the widest hidden layer and L layers.
        """
        width = max(len(self.a[name]) for name in self.matrices[:-1])
        powers = sum(self.norm_bound**i for i in range(1, len(self.matrices)))
        return float(self.loss_constant * width**0.5 * self.delta / 2 * powers)

    def end(self, p: Permutations) -> Flat:
        """Return B with its units reordered, flat."""
        return self.layout.ravel(permute(self.b, self.spec, p)).double()

    def objective(self, module: nn.Module, phi: Flat, end: Flat) -> float:
        r"""Return :math:`Q(\phi, P)`, the mean loss over t, of `sharp` or of `smooth`."""
        with torch.no_grad():
            return sum(float(self._loss(module, t, phi, end)) for t in self._ts()) / self.points

    def gradient(self, phi: Flat, end: Flat) -> tuple[float, Flat, Flat]:
        r"""Return :math:`Q_\delta` and its gradients by the curve and by the reordered B."""
        value, by_phi, by_end = 0.0, torch.zeros_like(phi), torch.zeros_like(end)
        for t in self._ts():
            point = self._point(t, phi, end).requires_grad_()
            loss = self._at(self.smooth, point)
            (slope,) = torch.autograd.grad(loss, point)
            value += float(loss.detach()) / self.points
            by_phi.add_(slope, alpha=2 * t * (1 - t) / self.points)
            by_end.add_(slope, alpha=t / self.points)
        return value, by_phi, by_end

    def control(self, phi: Flat, end: Flat) -> Flat:
        r"""Return the control point :math:`\tfrac12(\theta_A + P \theta_B) + \tilde\theta_c`."""
        return torch.lerp(self.start, end, 0.5) + phi

    def allowed(self, phi: Flat, end: Flat) -> bool:
        """Return whether every weight of the control point is within `norm_bound`."""
        limit = self.norm_bound * (1 + _ROUNDING)
        views, bends = self.layout.views(self.control(phi, end)), self.layout.views(phi)
        # The triangle inequality and the Frobenius norm mostly tell, and cost next to nothing.
        return all(
            sum(self.norms[name]) / 2 + float(bends[name].norm()) <= limit
            or _norm(views[name]) <= limit
            for name in self.matrices
        )

    def project(self, phi: Flat, end: Flat) -> Flat:
        """Return the curve nearest to `phi` whose control point is within `norm_bound`."""
        if self.allowed(phi, end):
            return phi
        control = self.control(phi, end)
        views = self.layout.views(control)
        for name in self.matrices:
            views[name].copy_(clip_norm(views[name], self.norm_bound))
        return control - torch.lerp(self.start, end, 0.5)

    def _ts(self) -> list[float]:
        return [(k + 0.5) / self.points for k in range(self.points)]

    def _point(self, t: float, phi: Flat, end: Flat) -> Flat:
        """Equation 35, its terms collected."""
        return torch.lerp(self.start, end, t).add_(phi, alpha=2 * t * (1 - t))

    def _loss(self, module: nn.Module, t: float, phi: Flat, end: Flat) -> Tensor:
        return self._at(module, self._point(t, phi, end))

    def _at(self, module: nn.Module, point: Flat) -> Tensor:
        outputs = functional_call(module, self.layout.views(point), (self.images,))
        return self.loss(outputs, self.labels)


def clip_norm(weight: Float[Tensor, "units inputs"], bound: float) -> Float[Tensor, "units inputs"]:
    """Return the nearest matrix of spectral norm `bound` at most: singular values cut off there."""
    u, values, v = torch.linalg.svd(weight, full_matrices=False)
    return (u * values.clamp_max(bound)) @ v


def _norm(weight: Float[Tensor, "units inputs"]) -> float:
    """Return the spectral norm, from the smaller of both Gram matrices: exact for the largest."""
    gram = weight @ weight.T if len(weight) < weight.shape[1] else weight.T @ weight
    return float(torch.linalg.eigvalsh(gram)[-1].clamp_min(0).sqrt())
