"""Whether probabilities are true: of all that is said with 80 %, 80 % should be so.

logits, labels  ->  (probability, came true) pairs  ->  Reliability, one row per bin

The calibration error is a library's (torchmetrics); the bins beside it are for the picture, and
the error follows from them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from modeconn_lib.core.hardware import torchvision

BELOW_ONE = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Reliability:
    r"""A reliability diagram, and the expected calibration error that sums it up.

    Attributes
    ----------
    edges
        Evenly spaced from 0 to 1. Bin i holds the probabilities p with
        ``edges[i] <= p < edges[i + 1]``; the last bin also holds 1. Each is in one bin only.
    counts
        Number of predictions in each bin.
    confidence
        Mean predicted probability in each bin, NaN in an empty one.
    accuracy
        Share of each bin's predictions that came true, NaN in an empty one.
    error
        :math:`\sum_i \frac{n_i}{n} |\mathrm{accuracy}_i - \mathrm{confidence}_i|`, 0 to 1.
    """

    edges: Float[ndarray, " edges"]
    counts: Int[ndarray, " bins"]
    confidence: Float[ndarray, " bins"]
    accuracy: Float[ndarray, " bins"]
    error: float


def reliability(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], bins: int = 15
) -> Reliability:
    """Return how often the most probable class is right, by the probability given to it.

    The usual expected calibration error (Guo et al. 2017, equations 2 and 5).

    Raises
    ------
    ValueError
        If there is no prediction or no bin, or a logit is not finite.
    """
    probability, predicted = _probabilities(logits).max(1)
    return _reliability(probability, predicted == labels, bins)


def classwise_reliability(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], bins: int = 15
) -> Reliability:
    """Return how often a class is the true one, by its probability; every class of every image.

    The diagrams of Git Re-Basin (figures 10 and 12), except that its bins are closed on both
    sides and count a probability on an edge twice. Of many classes most are rightly given almost
    nothing, so the error is far smaller than that of `reliability`; do not compare the two.

    Raises
    ------
    ValueError
        If there is no prediction or no bin, or a logit is not finite.
    """
    is_label = torch.nn.functional.one_hot(labels.long(), logits.shape[1]).bool()
    return _reliability(_probabilities(logits).flatten(), is_label.flatten(), bins)


def _probabilities(logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """Softmax in float64: in float32 a sure network's probabilities round to 1."""
    if len(logits) == 0:
        raise ValueError("calibration needs at least one prediction, got none")
    if not torch.isfinite(logits).all():
        raise ValueError("calibration needs finite logits; the network gives NaN or infinity")
    return logits.double().softmax(1)


def _reliability(
    probability: Float[Tensor, " pairs"], came_true: Bool[Tensor, " pairs"], bins: int
) -> Reliability:
    """Bin the pairs, and take the error from the library."""
    if bins < 1:
        raise ValueError(f"a reliability diagram needs at least 1 bin, got {bins}")
    # The library counts probabilities of exactly 1 in a bin of their own; just below it does not.
    probability = probability.clamp(max=BELOW_ONE)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=probability.device)
    place = torch.bucketize(probability, edges, right=True) - 1
    counts = torch.bincount(place, minlength=bins)
    sums = [
        torch.zeros_like(edges[1:]).index_add(0, place, value)
        for value in (probability, came_true.double())
    ]
    confidence, accuracy = ((total / counts).cpu().numpy() for total in sums)
    torchvision()  # torchmetrics imports it, which on a CPU-only torch needs this help first
    from torchmetrics.functional.classification import binary_calibration_error  # takes seconds

    # The error of the most probable class is that of the yes-or-no question "is it right?". Asked
    # so, the library keeps float64; its function for several classes rounds to float32.
    error = binary_calibration_error(probability, came_true.long(), n_bins=bins)
    return Reliability(
        edges.cpu().numpy(), counts.cpu().numpy(), confidence, accuracy, float(error)
    )
