r"""Ensembles whose members share the first layers of one of them: WA-ensembles.

module, networks, layer, images  ->  shared_backbone  ->  SharedBackbone  ->  logits, cost
                                                                         ->  averaged, one network

Anokhin & Yarotsky 2020, section 6. The first network gives the features :math:`F_1`; the layer that
reads them is adjusted in every other, :math:`W_k^1 = W_k F_k F_1^+`, so that what comes after can
go on with them. An ensemble of n costs the shared layers once and the rest n times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, combine, same_network
from modeconn_lib.evaluation.ensembles import mean_probabilities
from modeconn_lib.paths.distribution.adjustment import adjustment


@dataclass(frozen=True, slots=True)
class Cost:
    """What one image costs, and what has to be stored.

    Attributes
    ----------
    multiply_adds
        Of convolutions and linear layers, for one image.
    parameters
        Numbers that are learned, shared ones counted once.
    """

    multiply_adds: int
    parameters: int


@dataclass(frozen=True, slots=True)
class SharedBackbone:
    """An ensemble of networks that are the same up to a layer.

    Attributes
    ----------
    layer
        The first layer that every member has for itself.
    members
        The networks; all before `layer` is the first one's.
    residuals
        For each member, what could not be kept of the layer's outputs on the images that it was
        adjusted on: 0 for the first, at most 1.
    """

    module: nn.Sequential
    layer: str
    members: tuple[Params, ...]
    residuals: tuple[float, ...]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Float[Tensor, "n classes"]:
        """Return the logarithm of the members' mean probabilities; the backbone is run once."""
        backbone, head = split(self.module, self.layer)
        with mode(self.module, training=False):
            features = functional_call(backbone, _own(self.members[0], backbone), (images,))
            logits = [functional_call(head, _own(m, head), (features,)) for m in self.members]
        return mean_probabilities(logits)

    def cost(self, image: Tensor) -> Cost:
        """Return the cost of the ensemble for one image like `image` (channels, height, width)."""
        return cost_of(self.module, self.layer, len(self.members), image)

    def averaged(self) -> Params:
        """Return the one network that the members' mean is, if the layer is the last.

        Its logits are the mean of theirs; where the loss is convex in the logits, it is at most
        the mean of theirs.

        Raises
        ------
        ValueError
            If there are layers after this one: the mean of the weights is then another function.
        """
        _, head = split(self.module, self.layer)
        if [n for n, part in head.named_children() if list(part.parameters())] != [self.layer]:
            raise ValueError(f"members can be averaged after their last layer, not {self.layer!r}")
        return combine([1 / len(self.members)] * len(self.members), self.members)


def shared_backbone(
    module: nn.Sequential,
    networks: Sequence[Params],
    layer: str,
    images: Sequence[Tensor],
    positions: int = 0,
    ridge: float = 0.0,
) -> SharedBackbone:
    """Return the ensemble of all networks on the backbone of the first.

    Parameters
    ----------
    layer
        A linear layer or a convolution; what it reads, all members will read.
    images
        Batches on which the layer is adjusted.
    positions
        As in `inputs.inputs`.
    ridge
        As of `least_squares.LeastSquares.solve`.

    Raises
    ------
    ValueError
        If there is no network or they differ in names or shapes, there are no images, or the module
        has no such part.
    """
    if not networks:
        raise ValueError("an ensemble needs at least one network, got none")
    backbone, _ = split(module, layer)
    shared = _own(networks[0], backbone)
    members, residuals = [dict(networks[0])], [0.0]
    for network in networks[1:]:
        same_network(networks[0], network)
        found = adjustment(module, network, layer, images, positions).at(network | shared, ridge)
        members.append(found.params)
        residuals.append(found.residual)
    return SharedBackbone(module, layer, tuple(members), tuple(residuals))


def cost_of(module: nn.Sequential, layer: str, members: int, image: Tensor) -> Cost:
    """Return what an ensemble of so many costs that share what is before a layer.

    For one image like `image` (channels, height, width). Nothing is computed.

    Raises
    ------
    ValueError
        If the module has no such part, or it is the first.
    """
    backbone, head = split(module, layer)
    shared, features = _multiply_adds(backbone, torch.empty(1, *image.shape, device="meta"))
    own, _ = _multiply_adds(head, features)
    before, after = (sum(p.numel() for p in part.parameters()) for part in (backbone, head))
    return Cost(shared + members * own, before + members * after)


def split(module: nn.Sequential, layer: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the parts before a layer, and it with those after; the names of all stay.

    Raises
    ------
    ValueError
        If the module has no such part, or it is the first.
    """
    parts = list(module.named_children())
    names = [name for name, _ in parts]
    if layer not in names[1:]:
        raise ValueError(f"{layer!r} is none of the parts after the first: {', '.join(names[1:])}")
    i = names.index(layer)
    before, after = nn.Sequential(), nn.Sequential()
    for into, some in ((before, parts[:i]), (after, parts[i:])):
        for name, part in some:
            into.add_module(name, part)
    return before, after


def _own(params: Params, part: nn.Module) -> Params:
    """Return what of a network belongs to a part of it."""
    return {name: params[name] for name in part.state_dict()}


def _multiply_adds(part: nn.Module, x: Tensor) -> tuple[int, Tensor]:
    """Return what a part costs on one image, and what it makes of it; nothing is computed."""
    fake = {name: value.to("meta") for name, value in part.state_dict().items()}
    with FlopCounterMode(display=False) as counter, mode(part, training=False):
        out: Tensor = functional_call(part, fake, (x,))
    return counter.get_total_flops() // 2, out
