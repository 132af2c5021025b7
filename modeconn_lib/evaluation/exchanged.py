r"""What a network does half-way through every exchange of two units, without running it anew.

module, B, pairs of units, images  ->  exchange_logits  ->  logits of one pair after the other
                                   ->  measure_exchanges  ->  ExchangeMetrics

While units u and v of a layer change places, all others stay. At a share s of the way the next
layer, which put out y before, puts out

.. math:: y - c_u \phi(z_u) - c_v \phi(z_v) + \big((1-s) c_u + s c_v\big) \phi((1-s) z_u + s z_v)
    + \big((1-s) c_v + s c_u\big) \phi((1-s) z_v + s z_u),

with what the units read, z, and their outgoing weights c: the work of four units instead of that of
a network. Afterwards it puts out y again. So neither the order of the exchanges matters nor where
the units are (Anokhin & Yarotsky 2020, section 3.4).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params

ENTRIES = 1 << 20  # of the outputs of the next layer that are held for all pairs looked at together

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExchangeMetrics:
    """Loss (mean cross-entropy, nats) and accuracy (0 to 1) of each pair, and of the network."""

    loss: Float[Tensor, " pairs"]
    accuracy: Float[Tensor, " pairs"]
    loss_before: float
    accuracy_before: float


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of units on a batch of n images, and the layer that reads it."""

    inputs: Float[Tensor, "units n"]
    outputs: Float[Tensor, "units n"]
    outgoing: Float[Tensor, "units outputs"]
    read: Float[Tensor, "n outputs"]
    rest: Callable[[Tensor], Tensor]

    def exchanged(self, pairs: Sequence[Pair], share: float) -> Float[Tensor, "pairs n classes"]:
        """Return the network's logits while the units of each pair alone are exchanged."""
        u, v = torch.tensor(list(pairs), device=self.inputs.device).T
        there = torch.lerp(self.inputs[u], self.inputs[v], share).relu()
        back = torch.lerp(self.inputs[v], self.inputs[u], share).relu()
        features = torch.stack([self.outputs[u], self.outputs[v], there, back], 2)
        c, d = self.outgoing[u], self.outgoing[v]
        weights = torch.stack([-c, -d, torch.lerp(c, d, share), torch.lerp(d, c, share)], 1)
        changed = torch.baddbmm(self.read.expand(len(pairs), -1, -1), features, weights)
        return self.rest(changed.flatten(0, 1)).unflatten(0, changed.shape[:2])


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
        A linear layer, followed by a ReLU and a linear layer; dropout between them is passed over.
    pairs
        Numbers of units of the network given.
    share
        Of the way of an exchange, 0 to 1.

    Raises
    ------
    ValueError
        If `layer` is not such a layer, or a unit does not exist.
    """
    found = _layer(module, params, layer, images)
    units = len(found.inputs)
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


@torch.no_grad()
def _layer(module: nn.Sequential, params: Params, layer: str, images: Tensor) -> _Layer:
    """Return what a layer's units read and put out, and all that comes after them."""
    # Networks are measured without dropout, which then does nothing.
    parts = {n: part for n, part in module.named_children() if not isinstance(part, nn.Dropout)}
    names = list(parts)
    i = names.index(layer) if layer in names else len(names)
    kinds = [type(parts[name]) for name in names[i : i + 3]]
    if kinds != [nn.Linear, nn.ReLU, nn.Linear]:
        raise ValueError(
            f"units of {layer!r} cannot be exchanged: it takes a linear layer, a ReLU and a linear "
            f"layer in a row, found {', '.join(kind.__name__ for kind in kinds) or 'no such layer'}"
        )
    reader = names[i + 2]
    with mode(module, training=False):
        x = images
        for name in names[: i + 1]:
            x = _run(parts[name], name, params, x)
        outputs = x.relu()
        read = _run(parts[reader], reader, params, outputs)

    def rest(x: Tensor) -> Tensor:
        with mode(module, training=False):
            for name in names[i + 3 :]:
                x = _run(parts[name], name, params, x)
        return x

    outgoing = params[f"{reader}.weight"].T.contiguous()
    return _Layer(x.T.contiguous(), outputs.T.contiguous(), outgoing, read, rest)


def _run(part: nn.Module, name: str, params: Params, x: Tensor) -> Tensor:
    """Return what one part of a network makes of its inputs."""
    own = {n.removeprefix(f"{name}."): v for n, v in params.items() if n.startswith(f"{name}.")}
    out: Tensor = functional_call(part, own, (x,))
    return out
