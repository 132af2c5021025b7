"""What a network does half-way through every exchange of two units, without running it anew.

module, B, pairs of units, images  ->  exchange_logits  ->  logits of one pair after the other
                                   ->  measure_exchanges  ->  ExchangeMetrics

Anokhin & Yarotsky 2020, section 3.4; `exchanged_layer` has what two units change.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.exchanged_layer import Pair, exchanged_layer

ENTRIES = 1 << 20  # of the outputs of the next layer that are held for all pairs looked at together


@dataclass(frozen=True, slots=True)
class ExchangeMetrics:
    """Loss (mean cross-entropy, nats) and accuracy (0 to 1) of each pair, and of the network."""

    loss: Float[Tensor, " pairs"]
    accuracy: Float[Tensor, " pairs"]
    loss_before: float
    accuracy_before: float


def exchange_logits(
    module: nn.Sequential,
    params: Params,
    layer: str,
    pairs: Sequence[Pair],
    images: Tensor,
    share: float = 0.5,
) -> Iterator[Float[Tensor, "pairs n classes"]]:
    """Yield the logits while two units of `layer` change places, for some pairs at a time.

    Parameters
    ----------
    layer
        A linear layer or a convolution, followed by ReLU, pooling or flattening, and by a linear
        layer or a convolution; dropout between them is passed over.
    pairs
        Numbers of units of the network given.
    share
        Of the way of an exchange, 0 to 1.

    Raises
    ------
    ValueError
        If `layer` is not such a layer (as `exchanged_layer.exchanged_layer`), or a unit does not
        exist.
    """
    found = exchanged_layer(module, params, layer, images)
    units = len(found.put_out)
    wrong = [pair for pair in pairs if not all(0 <= unit < units for unit in pair)]
    if wrong:
        raise ValueError(f"layer {layer!r} has units 0 to {units - 1}, got the pair {wrong[0]}")
    together = max(1, ENTRIES // found.read.numel())
    with torch.no_grad():
        for i in range(0, len(pairs), together):
            yield found.exchanged(pairs[i : i + together], share)


@torch.no_grad()
def measure_exchanges(
    module: nn.Sequential,
    params: Params,
    layer: str,
    pairs: Sequence[Pair],
    batches: Iterable[tuple[Tensor, Tensor]],
    share: float = 0.5,
) -> ExchangeMetrics:
    """Return loss and accuracy while two units of `layer` change places, for every pair.

    Raises
    ------
    ValueError
        As `exchange_logits`, or if there are no pairs or no images.
    """
    totals: Tensor | None = None
    count = 0
    for images, labels in batches:
        # Exchanging a unit with itself is no exchange: the network as it is comes first.
        every = exchange_logits(module, params, layer, [(0, 0), *pairs], images, share)
        sums = torch.cat([_sums(logits, labels) for logits in every])
        totals = sums if totals is None else totals + sums
        count += len(labels)
    if totals is None or not pairs:
        raise ValueError(
            f"exchanges are measured for 1 pair or more on 1 image or more, got {len(pairs)} pairs "
            f"and {count} images"
        )
    loss, accuracy = (totals / count).T
    return ExchangeMetrics(loss[1:], accuracy[1:], float(loss[0]), float(accuracy[0]))


def _sums(logits: Float[Tensor, "pairs n classes"], labels: Tensor) -> Float[Tensor, "pairs 2"]:
    """Return the summed cross-entropy and the number of correct answers, in float64."""
    right = logits.gather(2, labels.expand(len(logits), -1)[:, :, None])[:, :, 0]
    loss = (logits.logsumexp(2) - right).double().sum(1)
    correct = (logits.argmax(2) == labels).sum(1).double()
    return torch.stack([loss, correct], 1)
