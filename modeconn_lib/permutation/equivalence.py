"""The gate: does a permuted network compute what the network did?

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
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.labels import Label
from modeconn_lib.permutation.spec import Permutations
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
        A few inputs; they and the parameters are cast to float64.

    Raises
    ------
    NotEquivalent
        If it is more than rounding, naming the first node of the graph that differs.
    """
    permuted = permute(params, traced.spec, permutations)
    return check_permuted(traced, params, permuted, permutations, x)


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
    error = max(
        _difference(y, z) for y, z in zip(_outputs(traced, a, x), _outputs(traced, b, x), strict=True)
    )
    if error > TOLERANCE:
        node, difference = _first_difference(traced, a, b, permutations, x)
        raise NotEquivalent(
            f"the permuted network's output differs by {error:.1e} of its largest entry; the first "
            f"node that differs is {node!r}, by {difference:.1e}: the spec does not fit there"
        )
    return error


def verify_spec(traced: Traced, like: Params, x: Tensor, seed: int = 0) -> float:
    """Check the whole spec on random permutations of a network of random entries.

    Fresh networks have biases and running statistics that are all alike, which would hide a
    forgotten tensor; here no two entries are.

    Parameters
    ----------
    like
        Parameters whose names and shapes are taken.

    Raises
    ------
    NotEquivalent
        If the spec is not a symmetry of the network.
    """
    drawn = generator(seed, "verify_spec")
    params = {name: _random_like(value, drawn) for name, value in like.items()}
    return check_equivalence(traced, params, random_permutations(traced.spec, drawn), x)


def _random_like(value: Tensor, drawn: torch.Generator) -> Tensor:
    """Draw a kernel that keeps the size of signals, or a vector that may be a variance."""
    if not value.is_floating_point():
        return value
    if value.ndim < 2:
        return (torch.rand(value.shape, generator=drawn) + 0.5).to(value.device)
    return (torch.randn(value.shape, generator=drawn) / value[0].numel() ** 0.5).to(value.device)


class _Double(fx.Interpreter):
    """Run a graph in float64, also where the network itself asks for float32."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Call the operator with float64 in the place of smaller floating-point types."""
        args, kwargs = fx.node.map_aggregate((args, kwargs), _wider)
        return super().call_function(target, args, kwargs)


def _wider(item: Any) -> Any:
    return torch.float64 if isinstance(item, torch.dtype) and item.is_floating_point else item


def _double(params: Params) -> Params:
    return {n: v.double() if v.is_floating_point() else v for n, v in params.items()}


@torch.no_grad()
def _outputs(traced: Traced, params: Params, x: Tensor) -> list[Tensor]:
    """Run the network in float64, whatever autocast says outside."""
    arguments = traced.graph.arguments(_double(params), x.double())
    with torch.autocast(x.device.type, enabled=False):
        result = _Double(traced.graph.module).run(*arguments)
    return [y for y in result if isinstance(y, Tensor)]


@torch.no_grad()
def _first_difference(
    traced: Traced, a: Params, b: Params, permutations: Permutations, x: Tensor
) -> tuple[str, float]:
    """Return the first node whose value is not the permuted one, and by how much it differs."""
    with torch.autocast(x.device.type, enabled=False):
        pairs = zip(_values(traced, a, x), _values(traced, b, x), strict=True)
        for (name, y), (_, z) in pairs:
            difference = _difference(_permuted(traced, name, y, permutations), z)
            if difference > TOLERANCE:
                return name, difference
    return "output", float("nan")


def _values(traced: Traced, params: Params, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Run the network in float64 one node at a time, giving every tensor it computes."""
    interpreter = _Double(traced.graph.module)
    interpreter.args_iter = iter(traced.graph.arguments(_double(params), x.double()))
    for node in traced.graph.module.graph.nodes:
        value = interpreter.env[node] = interpreter.run_node(node)
        if isinstance(value, Tensor):
            yield node.name, value


def _permuted(traced: Traced, name: str, value: Tensor, permutations: Permutations) -> Tensor:
    """Return what a node should give once the network is permuted."""
    known = traced.values.get(name)
    for label in known.labels if known is not None else ():
        index = _index(traced, label, permutations).to(value.device)
        front = value.movedim(label.axes, tuple(range(len(label.axes))))
        moved = front.flatten(0, len(label.axes) - 1).index_select(0, index).reshape(front.shape)
        value = moved.movedim(tuple(range(len(label.axes))), label.axes)
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
