"""Where the groups of units are: their names, the nodes that show them, what stays in place.

Units, labelled graphs  ->  names in the order of use, spans, sites, pins

Nothing here decides which units can move; `units` did.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from torch import fx

from modeconn_lib.permutation.arithmetic import KERNEL
from modeconn_lib.permutation.graph import Graph
from modeconn_lib.permutation.labels import Label, Value
from modeconn_lib.permutation.operators import NONLINEARITIES
from modeconn_lib.permutation.propagate import operator_name
from modeconn_lib.permutation.spec import AxisSpan
from modeconn_lib.permutation.units import Units

_MANY = 8  # entries of one unit at one node


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A graph, and what is known of the value of each of its nodes."""

    graph: Graph
    values: Mapping[str, Value]

    def labels(self) -> Iterator[tuple[fx.Node, Label]]:
        """Give every label of every computed value, in the order of the graph."""
        for node in self.graph.module.graph.nodes:
            if node.op == "call_function" and node.name in self.values:
                for label in self.values[node.name].labels:
                    yield node, label

    def varies(self, node: fx.Node) -> bool:
        """Return whether the node has a row for each sample: a changed bias has none.

        A graph of one number of samples does not tell; there every node counts.
        """
        return self.graph.batch is not None or bool(self.values[node.name].dynamic)


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the graph the units of a group can be seen, before and after a nonlinearity.

    Attributes
    ----------
    pre, post
        Names of the nodes that give its input and its output; the same node where a group meets
        no nonlinearity.
    axis, offset, step
        Unit u of the group is entry ``offset + step * u`` of this axis of both. A unit with
        several entries there (after a depthwise convolution that makes two channels of one) is
        seen at as many sites.
    """

    pre: str
    post: str
    axis: int
    offset: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True)
class Pinned:
    """Entries of one axis of one tensor that no permutation moves, and why."""

    tensor: str
    axis: int
    entries: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        """Return one line of a report."""
        count = len(self.entries)
        return f"{self.tensor} axis {self.axis}, {count} entries: {self.reason}"


def named(
    units: Units, graphs: Sequence[Labelled], parameters: Mapping[str, Value]
) -> dict[str, int]:
    """Name each group after the module whose weight first gives its units.

    Blocks that have no entries of parameters of their own are named after what is in them.
    """
    owner = {
        int(label.ids.flat[0]): name for name, value in parameters.items() for label in value.labels
    }
    starts = np.array(sorted(owner))
    end = 1 + max(
        (int(label.ids.max()) for value in parameters.values() for label in value.labels),
        default=-1,
    )
    computed = [pair for labelled in graphs for pair in labelled.labels()]
    # What only parameters show comes last: the inner axis of a weight that is a product of two.
    given = [(name, label) for name, value in parameters.items() for label in value.labels]
    names: dict[int, str] = {}
    for _, label in [*computed, *given]:
        groups = units.groups_of(label)
        for group in units.present(label):
            if group in names:
                continue
            first = label.ids[groups == group][0]
            first = first if first < end else units.lowest[units.unit[first]]
            if first >= end:
                continue
            tensor = owner[int(starts[np.searchsorted(starts, first, "right") - 1])]
            name = tensor.rpartition(".")[0] or tensor
            offset = units.spans(group, label, "")[0].offset
            names[group] = _unused(names.values(), name, f"{name}[{offset}:]", tensor)
    return _with_blocks(units, names)


def _unused(taken: Collection[str], *wishes: str) -> str:
    """Return the first of `wishes` that is not taken; the last one with a number if all are."""
    numbered = (f"{wishes[-1]}#{k}" for k in count(2))
    return next(name for name in chain(wishes, numbered) if name not in taken)


def _with_blocks(units: Units, names: Mapping[int, str]) -> dict[str, int]:
    """Return the groups by name, with those of unnamed blocks before what is first in them."""
    out: dict[str, int] = {}
    for group, name in names.items():
        nested = [group]
        while nested[-1] in units.outer:
            nested.append(units.outer[nested[-1]])
        for block in reversed(nested[1:]):
            if block not in names and block not in out.values():
                out[_unused([*out, *names.values()], f"{name} blocks")] = block
        out[name] = group
    return out


def spans(
    units: Units, groups: Mapping[str, int], parameters: Mapping[str, Value]
) -> dict[str, tuple[AxisSpan, ...]]:
    """Return all places of each group in the parameters, in their order."""
    found: dict[int, list[AxisSpan]] = {group: [] for group in groups.values()}
    for tensor, value in parameters.items():
        for label in value.labels:
            for group in units.present(label):
                found[group] += units.spans(group, label, tensor)
    return {name: tuple(found[group]) for name, group in groups.items()}


def sites(
    units: Units, groups: Mapping[str, int], labelled: Labelled
) -> dict[str, tuple[Site, ...]]:
    """Return the nonlinearities that see a whole group, or else the node that first gives it."""
    found: dict[int, list[Site]] = {group: [] for group in groups.values()}
    first: dict[int, tuple[Site, ...]] = {}
    for node, label in labelled.labels():
        before = node.args[0] if operator_name(node) in NONLINEARITIES else node
        if len(label.axes) > 1 or not isinstance(before, fx.Node) or not labelled.varies(node):
            continue
        for group in units.present(label):
            here = _sites_at(before.name, node.name, units.spans(group, label, node.name))
            first[group] = first.get(group) or here
            found[group] += here if before is not node else ()
    all_sites = {name: tuple(found[g]) or first.get(g, ()) for name, g in groups.items()}
    return {name: here for name, here in all_sites.items() if here}


def _sites_at(pre: str, post: str, spans: Sequence[AxisSpan]) -> tuple[Site, ...]:
    """Return a site for each entry that a unit has, if they are few and evenly spaced.

    A flattened map, which has many, shows nothing that the map itself did not.
    """
    if sum(span.block for span in spans) > _MANY or any(span.starts for span in spans):
        return ()
    return tuple(
        Site(pre, post, span.axis, span.offset + i, span.block)
        for span in spans
        for i in range(span.block)
    )


def pinned(units: Units, tensor: str, value: Value) -> list[Pinned]:
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
            if not reason.startswith(KERNEL)
        ]
    return out
