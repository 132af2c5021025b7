"""Loss and accuracy of a network on a set of images.

module, Params, batches  ->  measure  ->  Metrics
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, untied


@dataclass(frozen=True, slots=True)
class Metrics:
    """Mean cross-entropy (nats) and share of correct answers (0 to 1) over `examples` images."""

    loss: float
    accuracy: float
    examples: int


@torch.no_grad()
def measure(
    module: nn.Module, params: Params, batches: Iterable[tuple[Tensor, Tensor]], machine: Machine
) -> Metrics:
    """Return loss and accuracy of the network in evaluation mode; sums are float64.

    Raises
    ------
    ValueError
        If there are no images.
    """
    loss, correct, examples, params = 0.0, 0, 0, untied(module, params)
    with mode(module, training=False):
        for images, labels in batches:
            with machine.precision():
                logits = functional_call(module, params, (images,))
            each = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
            loss += float(each.double().sum())
            correct += int((logits.argmax(1) == labels).sum())
            examples += len(labels)
    if examples == 0:
        raise ValueError("loss and accuracy need at least one image, got none")
    return Metrics(loss / examples, correct / examples, examples)
