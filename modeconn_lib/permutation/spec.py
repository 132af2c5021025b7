"""The permutation symmetries of a network, as data.

The n units of a hidden layer can be put in any order without changing what the network
computes, if every tensor axis that is indexed by them is reordered the same way. A
`PermutationSpec` names each such group of units and lists the axes that move together:

    "conv1"  ->  conv1.weight axis 0,  bn1.weight axis 0,  ...,  conv2.weight axis 1

Convention used by the whole library: a permutation *gathers*. Unit ``p[i]`` of the old
network is unit i of the new one, i.e. ``new = old.index_select(axis, p)``.

Units can come in blocks, the units of another group: the dimensions of all heads of an attention
layer are one group, *inside* the group of its heads. A permutation of the dimensions then moves
whole heads, as the permutation of the heads says, and dimensions within them. So every
permutation still says where each entry goes, and permutations of a spec are composed and inverted
group by group, nested or not.

`trace` derives the spec of a model; `apply` uses it. Nothing here knows how a network computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from modeconn_lib.core.params import Params

Permutations = Mapping[str, Int[Tensor, " _"]]


@dataclass(frozen=True, slots=True)
class AxisSpan:
    """The stretch of one tensor axis that is indexed by the units of one group.

    Attributes
    ----------
    tensor
        Name in the network's ``state_dict``.
    axis
        Which axis of that tensor.
    offset
        Where the stretch starts: 0, except after a concatenation (GoogLeNet), where each
        branch owns its own stretch of the next layer's input axis.
    block
        Entries per unit: 1, except after a flatten, where a channel of an h x w map owns
        the h * w consecutive columns of the first linear layer.
    starts
        First entry of each unit where they do not follow each other (after a channel
        shuffle); empty when unit u starts at ``offset + u * block``.
    """

    tensor: str
    axis: int
    offset: int = 0
    block: int = 1
    starts: tuple[int, ...] = ()

    def entries(self, units: int) -> Int[Tensor, "{units} _"]:
        """Return the entries of the axis that each of the `units` units owns.

        Examples
        --------
        >>> AxisSpan("fc.weight", 1, offset=4, block=2).entries(3).tolist()
        [[4, 5], [6, 7], [8, 9]]
        """
        if self.starts:
            first = torch.tensor(self.starts)
        else:
            first = self.offset + self.block * torch.arange(units)
        return first[:, None] + torch.arange(self.block)


@dataclass(frozen=True, slots=True)
class PermutationSpec:
    """Which tensor axes move together when the units of a network are reordered.

    Attributes
    ----------
    sizes
        Number of units of each group, in the order in which the network computes them.
    spans
        The axes that each group indexes.
    inside
        The group of blocks that each nested group is inside of. With k blocks, units
        ``b * n / k`` to ``(b + 1) * n / k`` of the n are in block b, and move with it.
    """

    sizes: Mapping[str, int]
    spans: Mapping[str, tuple[AxisSpan, ...]]
    inside: Mapping[str, str] = field(default_factory=dict)

    def by_axis(self) -> dict[tuple[str, int], list[tuple[str, AxisSpan]]]:
        """Return the other view of the table: which groups index each (tensor, axis)."""
        view: dict[tuple[str, int], list[tuple[str, AxisSpan]]] = {}
        for group, spans in self.spans.items():
            for span in spans:
                view.setdefault((span.tensor, span.axis), []).append((group, span))
        return view

    def check(self, params: Params) -> None:
        """Raise ValueError unless every span lies in its tensor and no entry is claimed twice.

        Raises
        ------
        ValueError
            Naming the group, the tensor and the entries.
        """
        if self.sizes.keys() != self.spans.keys():
            only = sorted(self.sizes.keys() ^ self.spans.keys())
            raise ValueError(f"group {only[0]!r} has a size or spans, but not both")
        for group in self.inside:
            self._check_inside(group)
        for (tensor, axis), claims in self.by_axis().items():
            if tensor not in params:
                raise ValueError(
                    f"group {claims[0][0]!r} names {tensor!r}, which the network does not have; "
                    f"it has {', '.join(list(params)[:4])}, ..."
                )
            _check_axis(tensor, axis, tuple(params[tensor].shape), claims, self.sizes)

    def _check_inside(self, group: str) -> None:
        """Raise ValueError unless a nested group is in blocks of one size, and not in itself."""
        chain = [group]
        while chain[-1] in self.inside:
            chain.append(self.inside[chain[-1]])
            if chain[-1] not in self.sizes:
                raise ValueError(
                    f"group {chain[-2]!r} is inside {chain[-1]!r}, which is no group of the spec"
                )
            if chain[-1] in chain[:-1]:
                raise ValueError(f"group {group!r} is inside itself: {' in '.join(chain)}")
        units, blocks = self.sizes[group], self.sizes[chain[1]]
        if units % blocks:
            raise ValueError(
                f"group {group!r} has {units} units, which are no {blocks} blocks of the same "
                f"size, as many as {chain[1]!r} has units"
            )

    def table(self) -> str:
        """Return the spec as text, one group after the other, to print and read."""
        lines = []
        for group, size in self.sizes.items():
            outer = self.inside.get(group)
            blocks = f", in the {self.sizes[outer]} of {outer}" if outer else ""
            lines.append(f"{group}: {size} units{blocks}")
            lines += [f"    {_describe(span, size)}" for span in self.spans[group]]
        return "\n".join(lines)


def _check_axis(
    tensor: str,
    axis: int,
    shape: tuple[int, ...],
    claims: list[tuple[str, AxisSpan]],
    sizes: Mapping[str, int],
) -> None:
    """Check all claims on one axis of one tensor."""
    if not 0 <= axis < len(shape):
        raise ValueError(
            f"group {claims[0][0]!r} names axis {axis} of {tensor!r}, whose shape is {shape}"
        )
    owner: dict[int, str] = {}
    for group, span in claims:
        if span.starts and len(span.starts) != sizes[group]:
            raise ValueError(
                f"group {group!r} has {sizes[group]} units, but its span of {tensor!r} gives "
                f"the starts of {len(span.starts)}"
            )
        first, last = _reach(span, sizes[group])  # before any entry is listed: they may be billions
        if first < last and (first < 0 or last > shape[axis]):
            raise ValueError(
                f"group {group!r} claims entries {first}:{last} of axis {axis} "
                f"of {tensor!r}, whose shape is {shape}"
            )
        entries = span.entries(sizes[group]).flatten().tolist()
        for entry in entries:
            if entry in owner:
                raise ValueError(
                    f"groups {owner[entry]!r} and {group!r} both claim entry {entry} of "
                    f"axis {axis} of {tensor!r}"
                )
            owner[entry] = group


def _reach(span: AxisSpan, units: int) -> tuple[int, int]:
    """Return the first entry of a span, and the one after its last."""
    if span.starts:
        return min(span.starts), max(span.starts) + span.block
    return span.offset, span.offset + units * span.block


def _describe(span: AxisSpan, size: int) -> str:
    """One line of the printed table."""
    text = f"{span.tensor} axis {span.axis}"
    if span.starts:
        shown = ", ".join(map(str, span.starts[:4]))
        text += f", starts {shown}, ..."
    elif span.offset:
        text += f", entries {span.offset}:{span.offset + size * span.block}"
    return text + (f", {span.block} entries a unit" if span.block > 1 else "")
