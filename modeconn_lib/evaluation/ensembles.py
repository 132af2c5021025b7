r"""Ensembles: networks that are asked together instead of being averaged.

module, Params, batches  ->  logits_of  ->  mean_logits | mean_probabilities  ->  metrics_of

What an ensemble says depends on its members' logits alone, so each network is run once, and every
mixture :math:`(1-\lambda) z_A + \lambda z_B` of two of them costs next to nothing.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, untied
from modeconn_lib.training.metrics import Metrics

Logits = Float[Tensor, "n classes"]
Labels = Int[Tensor, " n"]


@torch.no_grad()
def logits_of(
    module: nn.Module,
    params: Params,
    batches: Iterable[tuple[Tensor, Tensor]],
    machine: Machine,
) -> Logits:
    """Return the network's logits in evaluation mode, in the order of the images, on the CPU.

    Raises
    ------
    ValueError
        If there are no images.
    """
    found, params = [], untied(module, params)
    with mode(module, training=False):
        for images, _ in batches:
            with machine.precision():
                found.append(functional_call(module, params, (images,)).float().cpu())
    if not found:
        raise ValueError("logits need at least one batch of images, got none")
    return torch.cat(found)


def labels_of(batches: Iterable[tuple[Tensor, Tensor]]) -> Labels:
    """Return the labels in the order of `logits_of`, on the CPU.

    Raises
    ------
    ValueError
        If there are no images.
    """
    found = [labels.cpu() for _, labels in batches]
    if not found:
        raise ValueError("labels need at least one batch of images, got none")
    return torch.cat(found)


def metrics_of(logits: Logits, labels: Labels) -> Metrics:
    """Return mean cross-entropy (nats) and share correct; sums are float64, as in `measure`.

    Raises
    ------
    ValueError
        If there is no prediction.
    """
    if len(labels) == 0:
        raise ValueError("loss and accuracy need at least one image, got none")
    each = nn.functional.cross_entropy(logits, labels, reduction="none")
    correct = int((logits.argmax(1) == labels).sum())
    return Metrics(float(each.double().mean()), correct / len(labels), len(labels))


def mean_logits(members: Sequence[Logits]) -> Logits:
    r"""Return :math:`\frac{1}{N}\sum_i z_i`: Git Re-Basin's ensemble.

    Its probabilities are the normalised geometric mean of the members'.

    Raises
    ------
    ValueError
        If there is no member, or they differ in shape.
    """
    return _stack(members).mean(0)


def mean_probabilities(members: Sequence[Logits]) -> Logits:
    r"""Return :math:`\log \frac{1}{N}\sum_i \mathrm{softmax}(z_i)`, the usual deep ensemble.

    Logarithms of probabilities are logits that are already normalised: what takes logits takes
    these, and they do not underflow.

    Raises
    ------
    ValueError
        If there is no member, or they differ in shape.
    """
    each = _stack(members).log_softmax(2)
    return each.logsumexp(0) - torch.tensor(len(members), dtype=each.dtype).log()


def along_mixture(
    logits_a: Logits, logits_b: Logits, labels: Labels, lambdas: Sequence[float]
) -> tuple[Metrics, ...]:
    r"""Return loss and accuracy of :math:`(1-\lambda) z_A + \lambda z_B` at each of `lambdas`.

    Raises
    ------
    ValueError
        If there is no prediction.
    """
    return tuple(
        metrics_of((1 - weight) * logits_a + weight * logits_b, labels) for weight in lambdas
    )


def _stack(members: Sequence[Logits]) -> Float[Tensor, "members n classes"]:
    """All members' logits in one tensor."""
    shapes = {tuple(member.shape) for member in members}
    if len(shapes) != 1:
        raise ValueError(
            f"an ensemble needs one or more members with logits of one shape, got {sorted(shapes)}"
        )
    return torch.stack(list(members))
