"""Walk the graph and let every operator's rule pass labels on.

Graph, labels of the parameters  ->  one rule per node  ->  Relations and a Value for each node

Nothing here decides which units can move; `units` does.
"""

import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from modeconn_lib.permutation.graph import Graph
from modeconn_lib.permutation.labels import Relations, Value
from modeconn_lib.permutation.operators import RULES
from modeconn_lib.permutation.rule import Out, unknown, values_in

_INPUT = "the network's input"


def label_parameters(relations: Relations, tensors: Mapping[str, Tensor]) -> dict[str, Value]:
    """Give every axis entry of every tensor an id; tensors that share memory share their ids.

    Integers, which number positions, have none.
    """
    values: dict[str, Value] = {}
    known: dict[tuple[Any, ...], Value] = {}
    for name, tensor in tensors.items():
        shape = tuple(tensor.shape)
        # Not data_ptr(), which is 0 for all tensors on the meta device.
        key = (tensor.untyped_storage()._cdata, tensor.storage_offset(), shape)
        if key not in known or not tensor.numel():
            sizes = shape if tensor.is_floating_point() else ()
            labels = [relations.fresh(axis, n) for axis, n in enumerate(sizes) if n > 1]
            known[key] = Value(shape, tuple(labels))
            relations.see(known[key])
        values[name] = known[key]
    return values


def propagate(
    relations: Relations, graph: Graph, parameters: Mapping[str, Value]
) -> dict[str, Value]:
    """Return what is known of the value of each node; relations are added to `relations`."""
    known: dict[fx.Node, Any] = {}
    names = iter(graph.names)
    for node in graph.module.graph.nodes:
        if node.op == "placeholder":
            name = next(names, None)
            given = parameters.get(name) if name is not None else _input(node)
            known[node] = given if given is not None else _out(node, node.meta["val"]).value()
        elif node.op == "output":
            for value in values_in(_arguments(node, known)[0]):
                for label in value.labels:
                    relations.pin(label, "is the network's output")
        else:
            known[node] = _apply(relations, node, known)
            for value in values_in(known[node]):
                relations.see(value)
    return {node.name: value for node, value in known.items() if isinstance(value, Value)}


def _apply(relations: Relations, node: fx.Node, known: Mapping[fx.Node, Any]) -> Any:
    """Return what one operator gives."""
    args, kwargs = _arguments(node, known)
    meta = node.meta.get("val")
    if isinstance(meta, int | float | bool | torch.SymInt | torch.SymFloat | torch.SymBool):
        return _number(meta)
    if node.target is operator.getitem and isinstance(args[0], list):
        return args[0][args[1]]
    rule = RULES.get(operator_name(node), unknown)
    if isinstance(meta, list | tuple):
        outs = [_out(node, part) for part in meta]
        if rule is unknown:
            unknown(relations, _out(node, None), *args, **kwargs)
            return [out.value() for out in outs]
        return rule(relations, outs, *args, **kwargs)
    result = rule(relations, _out(node, meta), *args, **kwargs)
    return _with_source(result, values_in((args, tuple(kwargs.values()))))


def operator_name(node: fx.Node) -> str:
    """Return the name of an ATen operator without overload, or a name that no table has."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
        return target._opname
    return f"{node.op} {target}"


def _with_source(value: Value, operands: list[Value]) -> Value:
    """Remember for the reasons of pins that a value depends on the network's input alone."""
    if operands and all(x.source == _INPUT for x in operands):
        return replace(value, source=_INPUT)
    return value


def _input(node: fx.Node) -> Value:
    """The network's input: nothing of it can move."""
    return replace(_out(node, node.meta["val"]).value(), source=_INPUT)


def _out(node: fx.Node, meta: Any) -> Out:
    """Shape and dynamic axes of a node's result, as the exporter found them."""
    shape = tuple(getattr(meta, "shape", ()))
    dynamic = frozenset(i for i, n in enumerate(shape) if isinstance(n, torch.SymInt))
    return Out(tuple(_number(n) for n in shape), dynamic, node.name)


def _number(n: Any) -> Any:
    """The value that a symbolic number has for the example."""
    return n.node.hint if isinstance(n, torch.SymInt | torch.SymFloat | torch.SymBool) else n


def _arguments(node: fx.Node, known: Mapping[fx.Node, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a node, with what is known in the place of nodes."""

    def look_up(item: Any) -> Any:
        if isinstance(item, fx.Node):
            return known[item]
        if isinstance(item, list | tuple):
            return [look_up(part) for part in item]
        return item

    return look_up(node.args), {name: look_up(item) for name, item in node.kwargs.items()}
