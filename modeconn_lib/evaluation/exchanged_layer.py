r"""A layer whose units change places, two at a time, and the layer that reads it.

module, B, layer, images  ->  exchanged_layer  ->  ExchangedLayer  ->  exchanged(pairs, share)

While units u and v of a layer change places, all others stay. At a share s of the way the next
layer, which put out y before, puts out

.. math:: y - c_u \phi(z_u) - c_v \phi(z_v) + \big((1-s) c_u + s c_v\big) \phi((1-s) z_u + s z_v)
    + \big((1-s) c_v + s c_u\big) \phi((1-s) z_v + s z_u),

with what the units put out before the nonlinearity, z, and their outgoing weights, c: the work of
four units instead of that of a layer. Afterwards it puts out y again. So neither the order of the
exchanges matters nor where the units are (Anokhin & Yarotsky 2020, section 3.4). Of a convolution,
z is a map, :math:`\phi` may pool it, and c are kernels, or a linear layer's weights for the places
of the map.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params
from modeconn_lib.paths.distribution.inputs import layer_of

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExchangedLayer:
    """A layer of units on a batch of n images, and the layer that reads it.

    Attributes
    ----------
    put_out
        What each unit puts out for each image before the nonlinearity: a number, or a map.
    features
        What the reader reads of each unit: a map, or its places flattened, one for a number.
    outgoing
        The reader's weights for each unit: kernels, or a row for each place.
    read
        What the reader puts out, its bias included.
    between
        Makes features of what units put out.
    added
        Adds to `read` what the features of some units bring with the weights given.
    rest
        What the network makes of the reader's outputs: logits.
    """

    put_out: Float[Tensor, "units n ..."]
    features: Float[Tensor, "units n ..."]
    outgoing: Float[Tensor, "units ..."]
    read: Float[Tensor, "n ..."]
    between: Callable[[Tensor], Tensor]
    added: Callable[[Tensor, Tensor, Tensor], Tensor]
    rest: Callable[[Tensor], Tensor]

    def exchanged(self, pairs: Sequence[Pair], share: float) -> Float[Tensor, "pairs n classes"]:
        """Return the network's logits while the units of each pair alone are exchanged."""
        u, v = torch.tensor(list(pairs), device=self.read.device).T
        there = self.between(torch.lerp(self.put_out[u], self.put_out[v], share))
        back = self.between(torch.lerp(self.put_out[v], self.put_out[u], share))
        four = torch.stack([self.features[u], self.features[v], there, back], 1)
        c, d = self.outgoing[u], self.outgoing[v]
        weights = torch.stack([-c, -d, torch.lerp(c, d, share), torch.lerp(d, c, share)], 1)
        changed = self.added(self.read, four, weights)  # (pairs, n, ...)
        return self.rest(changed.flatten(0, 1)).unflatten(0, changed.shape[:2])


def _added_linearly(
    read: Float[Tensor, "n outputs"],
    features: Float[Tensor, "pairs four n places"],
    weights: Float[Tensor, "pairs four places outputs"],
) -> Float[Tensor, "pairs n outputs"]:
    """Return what a linear layer puts out with four units of each pair added to what it read."""
    x = features.transpose(1, 2).flatten(2)
    return torch.baddbmm(read.expand(len(x), -1, -1), x, weights.flatten(1, 2))


def _added_by_kernels(
    reader: nn.Conv2d,
    read: Float[Tensor, "n channels height width"],
    features: Float[Tensor, "pairs four n rows columns"],
    weights: Float[Tensor, "pairs four channels kernel_rows kernel_columns"],
) -> Float[Tensor, "pairs n channels height width"]:
    """Return the like of `_added_linearly` for a convolution: pairs are its groups."""
    pairs = len(features)
    x = features.flatten(0, 1).transpose(0, 1)
    kernels = weights.transpose(1, 2).flatten(0, 1)
    change = nn.functional.conv2d(
        x, kernels, None, reader.stride, reader.padding, reader.dilation, groups=pairs
    )
    return read + change.unflatten(1, (pairs, -1)).transpose(0, 1)


_LINEAR = nn.Linear, nn.Conv2d
_PER_UNIT = nn.ReLU, nn.MaxPool2d, nn.Flatten  # what leaves units apart


@torch.no_grad()
def exchanged_layer(
    module: nn.Sequential, params: Params, layer: str, images: Tensor
) -> ExchangedLayer:
    """Return what a layer's units put out, what reads them, and all that comes after that.

    Raises
    ------
    ValueError
        If what lies between the layer and the one that reads it is not ReLU, pooling, flattening or
        dropout; for both layers as `paths.distribution.inputs.layer_of`.
    """
    # Networks are measured without dropout, which then does nothing.
    parts = {n: part for n, part in module.named_children() if not isinstance(part, nn.Dropout)}
    i, j = _places(module, parts, layer)
    names = list(parts)
    before, middle, after = names[: i + 1], names[i + 1 : j], names[j + 1 :]
    reader = parts[names[j]]

    def run(names: Sequence[str], x: Tensor) -> Tensor:
        with mode(module, training=False):
            for name in names:
                x = _run(parts[name], name, params, x)
        return x

    def between(x: Float[Tensor, "units n ..."]) -> Tensor:
        alone = x.flatten(0, 1)[:, None]  # one channel each: nothing in between mixes units
        y = run(middle, alone).unflatten(0, x.shape[:2])
        return y if isinstance(reader, nn.Linear) else y[:, :, 0]

    x = run(before, images)
    outgoing = params[f"{names[j]}.weight"].transpose(0, 1).contiguous()
    if isinstance(reader, nn.Linear):
        outgoing = outgoing.unflatten(0, (x.shape[1], -1))  # a map is flattened unit by unit
    # Copies, since a ReLU may work in place.
    put_out = x.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    features = between(put_out.clone())
    read = run([*middle, names[j]], x)
    added = partial(_added_by_kernels, reader) if isinstance(reader, nn.Conv2d) else _added_linearly
    rest = partial(run, after)
    return ExchangedLayer(put_out, features, outgoing, read, between, added, rest)


def _places(module: nn.Module, parts: Mapping[str, nn.Module], layer: str) -> tuple[int, int]:
    """Return the places of a layer and of the one that reads it.

    Raises
    ------
    ValueError
        As `exchanged_layer`.
    """
    chain, names = list(parts.values()), list(parts)
    i = names.index(layer) if layer in names else len(names)
    behind = (j for j in range(i + 1, len(names)) if not isinstance(chain[j], _PER_UNIT))
    row = chain[i : next(behind, len(names)) + 1]
    ends = isinstance(row[0], _LINEAR) and isinstance(row[-1], _LINEAR) if len(row) > 1 else False
    if not ends or not _flattened_as_read(row):
        found = ", ".join(str(part) for part in row) or "no such layer"
        raise ValueError(
            f"units of {layer!r} cannot be exchanged: it takes a linear layer or a convolution, "
            "then ReLU, pooling or, to be read by a linear layer, flattening, and another such "
            f"layer in a row, found {found}"
        )
    for name in (layer, names[i + len(row) - 1]):
        layer_of(module, name)
    return i, i + len(row) - 1


def _flattened_as_read(row: Sequence[nn.Module]) -> bool:
    """Return whether maps are flattened whole, and just where a linear layer reads them."""
    flat = [part for part in row if isinstance(part, nn.Flatten)]
    whole = all((part.start_dim, part.end_dim) == (1, -1) for part in flat)
    if isinstance(row[-1], nn.Conv2d):
        return not flat
    return whole and (bool(flat) or isinstance(row[0], nn.Linear))


def _run(part: nn.Module, name: str, params: Params, x: Tensor) -> Tensor:
    """Return what one part of a network makes of its inputs."""
    own = {n.removeprefix(f"{name}."): v for n, v in params.items() if n.startswith(f"{name}.")}
    out: Tensor = functional_call(part, own, (x,))
    return out
