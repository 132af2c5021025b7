"""Derive the permutation symmetries of any network from its graph.

module, example  ->  Graph  ->  labels through every operator  ->  units  ->  Traced

The spec is never guessed: an operator that the table does not know pins what it reads, and
`Traced.pinned` says what was pinned and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from modeconn_lib.core.modes import mode
from modeconn_lib.permutation import places
from modeconn_lib.permutation.graph import Graph, export
from modeconn_lib.permutation.labels import Relations, Value
from modeconn_lib.permutation.places import Labelled, Pinned, Site
from modeconn_lib.permutation.propagate import label_parameters, propagate
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.units import Units, solve

# Layers whose training mode is about learning, not about what else the network computes.
_STEADY = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A network's symmetries, and its graph.

    Attributes
    ----------
    spec
        Which axes move together.
    sites
        Where the units of each group can be seen, in the graph `seen`.
    evaluation
        The network in evaluation mode as a function of its parameters.
    training
        The network in training mode, where that reads parameters that evaluation does not. Its
        batch norm uses running statistics, and its dropout does nothing, as in evaluation.
    units
        Which unit each label of a graph means.
    groups
        Number of each group of the spec in `units`.
    pinned
        Parameter axes that do not move, and why; positions in kernels are left out.
    """

    spec: PermutationSpec
    sites: Mapping[str, tuple[Site, ...]]
    evaluation: Labelled
    training: Labelled | None
    units: Units
    groups: Mapping[str, int]
    pinned: tuple[Pinned, ...]

    @property
    def graph(self) -> Graph:
        """The network in evaluation mode as a function of its parameters."""
        return self.evaluation.graph

    @property
    def seen(self) -> Labelled:
        """The mode in which units are looked at: the one that computes those of all groups."""
        return self.training or self.evaluation

    @property
    def modes(self) -> tuple[Labelled, ...]:
        """The network in evaluation mode and, where that is needed, in training mode."""
        return (self.evaluation, *([self.training] if self.training else []))

    def report(self) -> str:
        """Return the spec and what is pinned as text."""
        lines = [self.spec.table(), "pinned:", *(f"    {item}" for item in self.pinned)]
        return "\n".join(lines)


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
    for name, buffer in module.named_buffers():
        if buffer.ndim > 1 and name in parameters:  # running statistics are vectors
            for label in parameters[name].labels:
                relations.pin(label, "is a table that is not trained")
    evaluation = _labelled(relations, parameters, module, example, training=False)
    unread, training = _unread(parameters, evaluation.graph), None
    if unread:
        training = _labelled(relations, parameters, module, example, training=True)
        unread &= _unread(parameters, training.graph)
    for name in unread:
        for label in parameters[name].labels:
            relations.pin(label, "is not read by the network")
    return _assemble(solve(relations), evaluation, training, parameters)


def _labelled(
    relations: Relations,
    parameters: Mapping[str, Value],
    module: nn.Module,
    example: Tensor,
    *,
    training: bool,
) -> Labelled:
    """Export the network in one of its modes and propagate labels through it."""
    with mode(module, training):
        for part in module.modules():
            if isinstance(part, _STEADY):
                part.eval()
        graph = export(module, example)
    return Labelled(graph, propagate(relations, graph, parameters))


def _unread(parameters: Mapping[str, Value], graph: Graph) -> set[str]:
    """Return the tensors with more than one entry that the graph does not read."""
    nodes = graph.module.graph.find_nodes(op="placeholder")
    read = {name for name, node in zip(graph.names, nodes, strict=False) if node.users}
    same = {id(parameters[name]) for name in read if name in parameters}
    return {name for name, value in parameters.items() if value.labels and id(value) not in same}


def _assemble(
    units: Units,
    evaluation: Labelled,
    training: Labelled | None,
    parameters: Mapping[str, Value],
) -> Traced:
    """Collect the spec and everything else that is known of the groups."""
    groups = places.named(units, [evaluation, *([training] if training else [])], parameters)
    sizes = {name: int((units.group == group).sum()) for name, group in groups.items()}
    name_of = {group: name for name, group in groups.items()}
    inside = {n: name_of[units.outer[g]] for n, g in groups.items() if g in units.outer}
    pinned = [places.pinned(units, tensor, value) for tensor, value in parameters.items()]
    return Traced(
        spec=PermutationSpec(sizes, places.spans(units, groups, parameters), inside),
        sites=places.sites(units, groups, training or evaluation),
        evaluation=evaluation,
        training=training,
        units=units,
        groups=groups,
        pinned=tuple(item for items in pinned for item in items),
    )
