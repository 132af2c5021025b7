r"""How bad the line between two networks can be at most: the bounds of Tatro et al. 2020, C.1.

A, B, images  ->  measure_segment  ->  Distances  ->  recursion  ->  Bounds  ->  loss_bound

`Distances` are what is true on the images, `Bounds` what follows from the distances of the two
ends and the norms of their weights alone. B is given as it was aligned: the pre-activations of
:math:`P\theta_B` are those of :math:`\theta_B` in another order, :math:`P_i f_i(1)`, and the norms
are the same, so the bounds of an aligned and of an unaligned line differ in nothing but the
distances of their ends.

All distances are over a set of images: the root of the mean, over images, of the squared Euclidean
distance. The paper's is that times the root of their number. Equations 15 to 24 print
:math:`\lVert f_i(0) + P_i f_i(1) \rVert`; the difference is meant, as their derivation shows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from modeconn_lib.evaluation.chains import Chain, mix, preactivations

Points = Float[ndarray, " points"]
PerLayer = Float[ndarray, "points layers"]


def cross_entropy(
    outputs: Float[Tensor, "samples classes"], labels: Tensor
) -> Float[Tensor, " samples"]:
    """Return the cross-entropy of each image, nats."""
    return functional.cross_entropy(outputs, labels, reduction="none")


def squared_error(
    outputs: Float[Tensor, "samples classes"], labels: Tensor
) -> Float[Tensor, " samples"]:
    """Return the squared distance of each image's outputs from what they should be.

    Labels are classes, for 1 at the right one and 0 elsewhere, or the outputs themselves.
    """
    if not labels.is_floating_point():
        labels = functional.one_hot(labels, outputs.shape[1])
    return (outputs - labels).square().sum(1)


@dataclass(frozen=True, slots=True)
class Loss:
    r"""A loss that is convex in the outputs, and how fast it can change with them.

    Attributes
    ----------
    each, total
        What an image costs, and what is made of the mean over images.
    constant
        :math:`L_L` of equation 28: the loss of two networks differs by at most as much times the
        distance of their outputs.
    """

    each: Callable[[Tensor, Tensor], Tensor]
    total: Callable[[float], float]
    constant: float


# The gradient of an image's cross-entropy is softmax minus one-hot. Its square is at most
# (1 - p)^2 + (1 - p)^2, where p is the probability of the right class: below 2, and near it where
# all belief is in one wrong class. The mean over images is at most the root of the mean square.
LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(cross_entropy, float, 2**0.5),
    "rmse": Loss(squared_error, lambda mean: mean**0.5, 1.0),
}


@dataclass(frozen=True, slots=True)
class Distances:
    r"""What is true of the line from A to B on a set of images.

    Attributes
    ----------
    t
        Where the line was looked at.
    ends
        :math:`\lVert f_i(0) - f_i(1) \rVert` of every layer, the outputs last.
    to_a, to_b
        :math:`d_i(t; 0)` and :math:`d_i(t; 1)`: how far the pre-activations at t are from those
        of either end.
    deviation
        How far the outputs at t are from the mixture :math:`(1 - t) Y_A + t Y_B` of the ends'.
    losses
        By the name of the loss.
    """

    t: Points
    ends: Float[ndarray, " layers"]
    to_a: PerLayer
    to_b: PerLayer
    deviation: Points
    losses: Mapping[str, Points]


@torch.no_grad()
def measure_segment(
    a: Chain,
    b: Chain,
    batches: Iterable[tuple[Tensor, Tensor]],
    ts: Points,
    losses: Mapping[str, Loss] = LOSSES,
) -> Distances:
    """Return the distances and losses on the line from `a` to `b`, in float64.

    Raises
    ------
    ValueError
        If there are no images.
    """
    ends = torch.zeros(len(a), dtype=torch.float64)
    to_a, to_b = (torch.zeros(len(ts), len(a), dtype=torch.float64) for _ in range(2))
    deviation = torch.zeros(len(ts), dtype=torch.float64)
    sums = {name: torch.zeros(len(ts), dtype=torch.float64) for name in losses}
    count = 0
    for images, labels in batches:
        x = images.flatten(1).double()
        of_a, of_b = preactivations(a, x), preactivations(b, x)
        ends += torch.stack([_squares(f, g) for f, g in zip(of_a, of_b, strict=True)])
        for k, t in enumerate(ts):
            here = preactivations(mix(a, b, float(t)), x)
            to_a[k] += torch.stack([_squares(f, g) for f, g in zip(here, of_a, strict=True)])
            to_b[k] += torch.stack([_squares(f, g) for f, g in zip(here, of_b, strict=True)])
            deviation[k] += _squares(here[-1], torch.lerp(of_a[-1], of_b[-1], float(t)))
            for name, loss in losses.items():
                sums[name][k] += loss.each(here[-1], labels).sum().cpu()
        count += len(x)
    if not count:
        raise ValueError("distances over images need at least one image, got none")
    return Distances(
        t=np.asarray(ts, dtype=np.float64),
        ends=(ends / count).sqrt().numpy(),
        to_a=(to_a / count).sqrt().numpy(),
        to_b=(to_b / count).sqrt().numpy(),
        deviation=(deviation / count).sqrt().numpy(),
        losses={
            name: np.array([losses[name].total(float(v) / count) for v in values])
            for name, values in sums.items()
        },
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    r"""What the distances on a line can be at most.

    Attributes
    ----------
    to_a, to_b
        Of :math:`d_i(t; 0)` and :math:`d_i(t; 1)`, hidden layers only.
    deviation
        Of `Distances.deviation`.
    """

    to_a: PerLayer
    to_b: PerLayer
    deviation: Points


def recursion(
    ends: Float[ndarray, " layers"],
    norms_a: Float[ndarray, " layers"],
    norms_b: Float[ndarray, " layers"],
    t: Points,
    lipschitz: float = 1.0,
) -> Bounds:
    r"""Return the bounds of equations 15 to 27, layer after layer.

    .. math::

        S_i(t) &= L_\sigma \bigl( (1-t) \lVert W_i^{(1)} \rVert\, d_{i-1}(t;0)
            + t \lVert W_i^{(2)} \rVert\, d_{i-1}(t;1) \bigr), \qquad S_1 = 0 \\
        d_i(t;0) &\le S_i(t) + t \lVert f_i(0) - f_i(1) \rVert \\
        d_i(t;1) &\le S_i(t) + (1-t) \lVert f_i(0) - f_i(1) \rVert

    :math:`S_L` bounds how far the outputs are from the mixture of the ends' outputs. Everything
    here rises with every entry of `ends`: a B whose pre-activations are nearer to A's *in every
    hidden layer* has the lower bounds (equation 29). Nothing follows if only their sum is lower.

    Parameters
    ----------
    ends
        Of every layer; that of the outputs plays no part.
    norms_a, norms_b
        Spectral norms of the weights.
    lipschitz
        :math:`L_\sigma`, 1 for ReLU.
    """
    here_a, here_b = (np.zeros_like(t) for _ in range(2))
    to_a, to_b = [], []
    for end, of_a, of_b in zip(ends[:-1], norms_a[:-1], norms_b[:-1], strict=True):
        carried = lipschitz * ((1 - t) * of_a * here_a + t * of_b * here_b)
        here_a, here_b = carried + t * end, carried + (1 - t) * end
        to_a.append(here_a)
        to_b.append(here_b)
    last = last_layer(here_a, here_b, norms_a[-1], norms_b[-1], t, lipschitz)
    shape = (len(t), len(ends) - 1)
    return Bounds(
        np.array(to_a).reshape(shape[::-1]).T, np.array(to_b).reshape(shape[::-1]).T, last
    )


def last_layer(
    to_a: Points, to_b: Points, norm_a: float, norm_b: float, t: Points, lipschitz: float = 1.0
) -> Points:
    r"""Return what the outputs can deviate at most, by distances of the last hidden layer.

    The first two terms of equation 26. With the true distances instead of their bounds this is a
    bound, too, and a lower one; but by the aligned distances nothing is promised then.
    """
    bound: Points = lipschitz * ((1 - t) * norm_a * to_a + t * norm_b * to_b)
    return bound


def loss_bound(at_a: float, at_b: float, deviation: Points, t: Points, constant: float) -> Points:
    r"""Return :math:`(1 - t) L(A) + t L(B) + L_L S_L(t)`, for a loss convex in the outputs.

    :math:`L(r(t)) \le L((1-t) Y_A + t Y_B) + L_L S_L(t)`, and the first is at most the mixture of
    the losses. For the root mean square error that is equation 26 with :math:`\epsilon` replaced by
    :math:`(1 - t) \epsilon_1 + t \epsilon_2`, as in C.2. For cross-entropy there are no outputs of
    loss 0 to measure an :math:`\epsilon` from, so that equation 28 has no other reading.
    """
    bound: Points = (1 - t) * at_a + t * at_b + constant * deviation
    return bound


def printed_bound(at_a: float, at_b: float, deviation: Points) -> Points:
    r"""Return equation 26 as printed, for the root mean square error: the larger error is added."""
    bound: Points = deviation + max(at_a, at_b)
    return bound


def _squares(x: Tensor, y: Tensor) -> Tensor:
    """Return the sum of squared differences, on the CPU."""
    return (x - y).square().sum().cpu()
