"""The gate: a permuted network must compute what the network did.

Traced, params, permutations, input  ->  both networks in float64  ->  largest relative error

A symmetry is exact, so in float64 the two agree to the last few digits. Where they do not, the
first node of the graph that differs is named: there the spec and the network part.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx

from modeconn_lib.core.params import Params, same_network
from modeconn_lib.core.seeds import generator
from modeconn_lib.permutation.apply import (
    check_permutations,
    invert,
    permute,
    permute_inside,
    random_permutations,
)
from modeconn_lib.permutation.labels import Label, Value
from modeconn_lib.permutation.places import Labelled
from modeconn_lib.permutation.spec import Permutations
from modeconn_lib.permutation.steady import Steady
from modeconn_lib.permutation.trace import Traced

TOLERANCE = 1e-9  # float64 leaves about 1e-13 after 100 layers; a wrong permutation about 1


class NotEquivalent(ValueError):
    """A permuted network computes something else."""


def check_equivalence(
    traced: Traced, params: Params, permutations: Permutations, x: Tensor
) -> float:
    """Return by how much permuting a network changes its outputs, relative to the largest one.

    Parameters
    ----------
    x
        A few inputs; floating-point tensors, those that the network holds included, are cast to
        float64.

    Raises
    ------
    NotEquivalent
        If it is more than rounding, naming the first node of the graph that differs.
    ValueError
        If the permutations do not fit the spec, or the graph does not take as many inputs.
    KeyError
        If `params` lacks a tensor that the network reads.
    """
    check_permutations(traced.spec, permutations)
    return _check_owned(traced, _double(params), permutations, x)


def _check_owned(traced: Traced, own: Params, permutations: Permutations, x: Tensor) -> float:
    """Check a network in float64 that nobody else needs: large ones are held once, not twice."""
    before = _all_outputs(traced, own, x)
    permute_inside(own, traced.spec, permutations)
    worst = max(map(_difference, before, _all_outputs(traced, own, x)))
    if worst <= TOLERANCE:
        return worst
    return check_permuted(
        traced, permute(own, traced.spec, invert(permutations)), own, permutations, x
    )


def check_permuted(
    traced: Traced, a: Params, b: Params, permutations: Permutations, x: Tensor
) -> float:
    """Return by how much the outputs of `a` and of `b`, said to be π(a), differ.

    Raises
    ------
    NotEquivalent
        If it is more than rounding, naming the first node of the graph that differs.
    ValueError
        If the two are not the same network.
    """
    same_network(a, b)
    error = 0.0
    a, b = _double(a), _double(b)
    for labelled in traced.modes:
        pairs = zip(_outputs(traced, labelled, a, x), _outputs(traced, labelled, b, x), strict=True)
        worst = max(_difference(y, z) for y, z in pairs)
        if worst > TOLERANCE:
            where, difference = _first_difference(traced, labelled, a, b, permutations, x)
            raise NotEquivalent(
                f"the permuted network's output differs by {worst:.1e} of its largest entry; the "
                f"first to differ is {where}, by {difference:.1e}: it was not permuted as the "
                "network needs it"
            )
        error = max(error, worst)
    return error


def verify_spec(traced: Traced, like: Params, x: Tensor, seed: int = 0) -> float:
    """Check the whole spec on random permutations of a network of random entries.

    Fresh networks have biases and running statistics that are all alike, which would hide a
    forgotten tensor; here no two entries are.

    Parameters
    ----------
    like
        Parameters whose names and shapes are taken; those of numbers may be on the meta device.

    Raises
    ------
    NotEquivalent
        If the spec is not a symmetry of the network.
    ValueError
        If a table of integers, whose values matter, is on the meta device.
    """
    drawn = generator(seed, "verify_spec")
    params = {name: _random_like(name, value, drawn, x.device) for name, value in like.items()}
    return _check_owned(traced, params, random_permutations(traced.spec, drawn), x)


def _random_like(name: str, value: Tensor, drawn: torch.Generator, device: torch.device) -> Tensor:
    """Draw a kernel that keeps the size of signals, or a vector that may be a variance."""
    if not value.is_floating_point():
        if value.is_meta and value.numel() > 1:
            raise ValueError(
                f"{name!r} holds integers, which cannot be drawn, on the meta device; build the "
                "network on a device that has memory"
            )
        return torch.zeros_like(value, device=device) if value.is_meta else value
    device = device if value.is_meta else value.device
    if value.ndim < 2:
        return (torch.rand(value.shape, generator=drawn) + 0.5).to(device, torch.float64)
    kernel = torch.empty(value.shape).normal_(std=value[0].numel() ** -0.5, generator=drawn)
    return kernel.to(device, torch.float64)


def _double(params: Params) -> Params:
    """Return the network in float64; tensors that are so already are not copied."""
    return {name: _doubled(value) for name, value in params.items()}


def _doubled(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


class _Double(Steady):
    """Run a graph in float64, also where the network itself asks for float32, without chance."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Call the operator with float64 in the place of smaller floating-point types."""
        args, kwargs = fx.node.map_aggregate((args, kwargs), _wider)
        return super().call_function(target, args, kwargs)


def _wider(item: Any) -> Any:
    return torch.float64 if isinstance(item, torch.dtype) and item.is_floating_point else item


def _interpreter(
    traced: Traced, labelled: Labelled, params: Params, x: Tensor
) -> tuple[_Double, list[Tensor]]:
    """Return the interpreter of a graph and its arguments: copies for training, which writes."""
    if labelled is traced.training:
        params = {name: value.clone() for name, value in params.items()}
    arguments = labelled.graph.arguments(params, x)
    return _Double(labelled.graph.module), [_doubled(value) for value in arguments]


@torch.no_grad()
def _outputs(traced: Traced, labelled: Labelled, params: Params, x: Tensor) -> list[Tensor]:
    """Run the network in float64, which autocast leaves alone."""
    interpreter, arguments = _interpreter(traced, labelled, params, x)
    result = interpreter.run(*arguments)
    return [y for y in result if isinstance(y, Tensor)]


def _all_outputs(traced: Traced, params: Params, x: Tensor) -> list[Tensor]:
    """Return the outputs of the network in every mode that was traced."""
    return [y for labelled in traced.modes for y in _outputs(traced, labelled, params, x)]


@torch.no_grad()
def _first_difference(
    traced: Traced, labelled: Labelled, a: Params, b: Params, permutations: Permutations, x: Tensor
) -> tuple[str, float]:
    """Return the first tensor that is not the permuted one, and by how much it differs."""
    inputs = labelled.graph.module.graph.find_nodes(op="placeholder")
    names = {
        node.name: f"the parameter {name!r}"
        for node, name in zip(inputs, labelled.graph.names, strict=False)
    }
    pairs = zip(_values(traced, labelled, a, x), _values(traced, labelled, b, x), strict=True)
    for (name, y), (_, z) in pairs:
        known = labelled.values.get(name)
        if known is not None and traced.groups.keys() != permutations.keys():
            continue  # a spec with groups of its own: only unlabelled nodes can be compared
        difference = _difference(_permuted(traced, known, y, permutations), z)
        if difference > TOLERANCE:
            return names.get(name, f"node {name!r}"), difference
    return "the output", float("nan")


def _values(
    traced: Traced, labelled: Labelled, params: Params, x: Tensor
) -> Iterator[tuple[str, Tensor]]:
    """Run the network one node at a time, giving every tensor it computes."""
    interpreter, arguments = _interpreter(traced, labelled, params, x)
    interpreter.args_iter = iter(arguments)
    for node in labelled.graph.module.graph.nodes:
        value = interpreter.env[node] = interpreter.run_node(node)
        if isinstance(value, Tensor):
            yield node.name, value


def _permuted(
    traced: Traced, known: Value | None, value: Tensor, permutations: Permutations
) -> Tensor:
    """Return what a node should give once the network is permuted."""
    for label in known.labels if known is not None else ():
        places = tuple(range(len(label.axes)))
        front = value.movedim(label.axes, places)
        index = _index(traced, label, permutations).to(value.device)
        moved = front.flatten(0, len(places) - 1).index_select(0, index).reshape(front.shape)
        value = moved.movedim(places, label.axes)
    return value


def _index(traced: Traced, label: Label, permutations: Permutations) -> Tensor:
    """Where each entry along a label's axes is taken from."""
    index = torch.arange(label.ids.size)
    for name, group in traced.groups.items():
        p = permutations[name].cpu()
        for span in traced.units.spans(group, label, name):
            entries = span.entries(len(p))
            index[entries] = entries[p]
    return index


def _difference(y: Tensor, z: Tensor) -> float:
    """Return the largest difference, relative to the largest entry of y; NaN counts as infinite."""
    if not y.numel():
        return 0.0
    scale = y.abs().max().double().clamp_min(torch.finfo(torch.float64).tiny)
    difference = float((y.double() - z.double()).abs().max() / scale)
    return difference if difference == difference else float("inf")
