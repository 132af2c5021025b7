"""Derive the permutation symmetries of any network from its graph.

module, example  ->  Graph  ->  labels through every operator  ->  units  ->  Traced

The spec is never guessed: an operator that the table does not know pins what it reads, and
`Traced.pinned` says what was pinned and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from modeconn_lib.permutation.graph import Graph, export, mode
from modeconn_lib.permutation.labels import Relations, Value
from modeconn_lib.permutation.operators import NONLINEARITIES
from modeconn_lib.permutation.propagate import label_parameters, operator_name, propagate
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.units import Units, solve

_KERNEL = "is a position in the kernel"  # so common that it is left out of the report


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the graph the units of a group can be seen, before and after a nonlinearity.

    Attributes
    ----------
    pre, post
        Names of the nodes that give its input and its output; the same node where a group meets
        no nonlinearity.
    axis, offset
        Unit u of the group is entry ``offset + u`` of this axis of both.
    """

    pre: str
    post: str
    axis: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Pinned:
    """Entries of one axis of one tensor that no permutation moves, and why."""

    tensor: str
    axis: int
    entries: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        """Return one line of the report."""
        return f"{self.tensor} axis {self.axis}: {len(self.entries)} entries: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A network's symmetries, and its graph.

    Attributes
    ----------
    spec
        Which axes move together.
    sites
        Where the units of each group can be seen, in the order of the graph.
    graph
        The network in evaluation mode as a function of its parameters.
    values
        For each node of the graph, the labels of its axes.
    units
        Which unit each label means.
    groups
        Number of each group of the spec in `units`.
    pinned
        Parameter axes that do not move, and why; positions in kernels are left out.
    """

    spec: PermutationSpec
    sites: Mapping[str, tuple[Site, ...]]
    graph: Graph
    values: Mapping[str, Value]
    units: Units
    groups: Mapping[str, int]
    pinned: tuple[Pinned, ...]


def trace(module: nn.Module, example: Tensor) -> Traced:
    """Return the symmetries of `module`, derived from what it computes.

    Parameters that evaluation does not read (GoogLeNet's auxiliary heads) are looked for in the
    graph of the training mode, too; what neither reads stays as it is.

    Parameters
    ----------
    example
        A batch of at least two inputs; only its shape and dtype matter.

    Raises
    ------
    ValueError
        If the example has fewer than two inputs.
    """
    relations = Relations()
    parameters = label_parameters(relations, module.state_dict(keep_vars=True))
    with mode(module, training=False):
        graph = export(module, example)
    values = propagate(relations, graph, parameters)
    unread = _unread(parameters, graph)
    if unread:
        with mode(module, training=True):
            training = export(module, example)
        propagate(relations, training, parameters)
        unread &= _unread(parameters, training)
    for name in unread:
        for label in parameters[name].labels:
            relations.pin(label, "is not read by the network")
    units = solve(relations)
    return _assemble(units, graph, values, parameters)


def _unread(parameters: Mapping[str, Value], graph: Graph) -> set[str]:
    """Return the tensors with more than one entry that the graph does not read."""
    nodes = graph.module.graph.find_nodes(op="placeholder")
    read = {name for name, node in zip(graph.names, nodes, strict=False) if node.users}
    same = {id(parameters[name]) for name in read if name in parameters}
    return {name for name, value in parameters.items() if value.labels and id(value) not in same}


def _assemble(
    units: Units, graph: Graph, values: Mapping[str, Value], parameters: Mapping[str, Value]
) -> Traced:
    """Name the groups in the order of the graph, and list their spans and sites."""
    groups = _named(units, graph, values, parameters)
    spans = {
        name: tuple(
            span
            for tensor, value in parameters.items()
            for label in value.labels
            for span in units.spans(group, label, tensor)
        )
        for name, group in groups.items()
    }
    sizes = {name: int((units.group == group).sum()) for name, group in groups.items()}
    sites = {name: _sites(units, group, graph, values) for name, group in groups.items()}
    pinned = tuple(
        item for tensor, value in parameters.items() for item in _pinned(units, tensor, value)
    )
    return Traced(PermutationSpec(sizes, spans), sites, graph, values, units, groups, pinned)


def _named(
    units: Units, graph: Graph, values: Mapping[str, Value], parameters: Mapping[str, Value]
) -> dict[str, int]:
    """Name each group after the module whose weight first gives its units."""
    owner = {
        int(label.ids.flat[0]): name for name, value in parameters.items() for label in value.labels
    }
    starts = np.array(sorted(owner))
    names: dict[str, int] = {}
    for node in graph.module.graph.nodes:
        if node.op == "placeholder" or node.name not in values:
            continue
        for label in values[node.name].labels:
            groups = units.groups_of(label)
            for group in dict.fromkeys(groups.ravel().tolist()):
                if group < 0 or group in names.values():
                    continue
                first = label.ids[groups == group][0]
                tensor = owner[int(starts[np.searchsorted(starts, first, "right") - 1])]
                name = tensor.rpartition(".")[0] or tensor
                span = units.spans(group, label, node.name)[0]
                names[name if name not in names else f"{name}[{span.offset}:]"] = group
    return names


def _sites(
    units: Units, group: int, graph: Graph, values: Mapping[str, Value]
) -> tuple[Site, ...]:
    """Return the nonlinearities that see a whole group, or else the node that first computes it."""
    fallback: list[Site] = []
    sites = []
    for node in graph.module.graph.nodes:
        if node.op == "placeholder" or node.name not in values:
            continue
        for label in values[node.name].labels:
            spans = units.spans(group, label, node.name)
            if len(spans) != 1 or spans[0].block > 1 or spans[0].starts or len(label.axes) > 1:
                continue
            axis, offset = spans[0].axis, spans[0].offset
            if operator_name(node) in NONLINEARITIES:
                sites.append(Site(node.args[0].name, node.name, axis, offset))
            elif not fallback:
                fallback.append(Site(node.name, node.name, axis, offset))
    return tuple(sites or fallback)


def _pinned(units: Units, tensor: str, value: Value) -> list[Pinned]:
    """Return what of one tensor cannot move, one item for each axis and reason."""
    out = []
    for label in value.labels:
        by_reason: dict[str, list[int]] = {}
        for entry in np.flatnonzero(units.groups_of(label) < 0).tolist():
            reason = units.reasons.get(int(units.unit[label.ids[entry]]), "has no unit like it")
            by_reason.setdefault(reason, []).append(entry)
        out += [
            Pinned(tensor, label.axes[0], tuple(entries), reason)
            for reason, entries in by_reason.items()
            if not reason.startswith(_KERNEL)
        ]
    return out
