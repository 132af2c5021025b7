"""In which order the layers of a network become another's, and which ones read them.

module, spec, images  ->  turns  ->  Turn, Turn, ..., one for each layer, as they are computed

In a chain a layer is read by the next one. What a block adds to a residual stream is read by every
later layer that reads the stream. Anokhin & Yarotsky 2020, section 4.2, leave such networks open
but for a sentence: adjust all outgoing edges.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modeconn_lib.core.modes import mode
from modeconn_lib.paths.distribution.samples import Units
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec


@dataclass(frozen=True, slots=True)
class Turn:
    """One layer, all that goes with it, and the layers that read what it puts out.

    Attributes
    ----------
    tensors
        Weights, biases, and those of the norm behind the layer, with its running statistics.
    group
        Which units these are; None for the outputs of the network, which keep their order.
    rows
        The units by what they read, and by scale and shift of the norm; no statistics.
    readers
        The later layers that read these units, in the order in which they are computed.
    columns
        The units by what reads them.
    later
        The units by the rows of layers that add to them later (a residual stream's).
    """

    layer: str
    tensors: tuple[str, ...]
    group: str | None
    rows: Units
    readers: tuple[str, ...]
    columns: Units
    later: Units


def turns(module: nn.Module, spec: PermutationSpec, images: Tensor) -> tuple[Turn, ...]:
    """Return the layers of a network and who reads them.

    Parameters
    ----------
    images
        A few, to see in which order layers are computed.

    Raises
    ------
    ValueError
        If there are not two layers, one is computed twice, or the outputs of some layer but the
        last are no group of `spec`, or are read by no later layer.
    """
    norms = _computed(module, images)
    if len(norms) < 2:
        raise ValueError(f"a path layer by layer needs 2 layers or more, got {list(norms)}")
    learned = {name for name, _ in module.named_parameters()}
    order, found = list(norms), []
    for i, layer in enumerate(order):
        tensors = tuple(n for part in (layer, *norms[layer]) for n in _tensors(module, part))
        group = _group(spec, layer)
        if group is None and i < len(order) - 1:
            raise ValueError(f"the outputs of layer {layer!r} are no units that can be reordered")
        later = order[i + 1 :]
        rows, columns, added = _sides(spec, group, set(tensors) & learned, later, norms)
        readers = tuple(r for r in later if any(s.tensor == f"{r}.weight" for s in columns.spans))
        if group is not None and not readers:
            raise ValueError(f"the units of layer {layer!r} are read by no later layer")
        found.append(Turn(layer, tensors, group, rows, readers, columns, added))
    return tuple(found)


def _group(spec: PermutationSpec, layer: str) -> str | None:
    """Return which units a layer puts out."""
    for group, spans in spec.spans.items():
        if any((s.tensor, s.axis) == (f"{layer}.weight", 0) for s in spans):
            return group
    return None


def _sides(
    spec: PermutationSpec,
    group: str | None,
    own: set[str],
    later: list[str],
    norms: dict[str, tuple[str, ...]],
) -> tuple[Units, Units, Units]:
    """Return a group's units by a layer's rows, by later layers' columns, and by their rows."""
    spans: tuple[AxisSpan, ...] = spec.spans[group] if group is not None else ()
    size = spec.sizes[group] if group is not None else 0
    weights = {f"{layer}.weight" for layer in later}
    adding = [r for r in later if any((s.tensor, s.axis) == (f"{r}.weight", 0) for s in spans)]
    names = {f"{part}.{kind}" for r in adding for part in (r, *norms[r]) for kind in _KINDS}
    return (
        Units(size, tuple(s for s in spans if s.tensor in own)),
        Units(size, tuple(s for s in spans if s.tensor in weights and s.axis == 1)),
        Units(size, tuple(s for s in spans if s.tensor in names and s.axis == 0)),
    )


_KINDS = ("weight", "bias")


def _tensors(module: nn.Module, part: str) -> list[str]:
    """Return the names of what a part of the network holds."""
    return [f"{part}.{name}" for name in module.get_submodule(part).state_dict()]


def _computed(module: nn.Module, images: Tensor) -> dict[str, tuple[str, ...]]:
    """Return the layers in the order in which they are computed, each with the norms behind it."""
    found: dict[str, tuple[str, ...]] = {}
    made: dict[str, Tensor] = {}

    def look(name: str, part: nn.Module, arguments: tuple[Tensor, ...], out: Tensor) -> None:
        if isinstance(part, nn.Linear | nn.Conv2d):
            if name in found:
                raise ValueError(f"layer {name!r} is computed twice: it has no turn of its own")
            found[name], made[name] = (), out
            return
        for layer, value in made.items():
            if arguments and arguments[0] is value:  # a norm, then, of what the layer puts out
                found[layer] += (name,)

    hooks = []
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d) or (
            next(part.children(), None) is None and part.state_dict()
        ):
            hooks.append(
                part.register_forward_hook(
                    lambda part, arguments, out, name=name: look(name, part, arguments, out)
                )
            )
    try:
        with torch.no_grad(), mode(module, training=False):
            module(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found
