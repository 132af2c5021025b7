"""Change a derived spec by hand, and hold what comes out against the network.

spec  ->  drop, pin, tie, with_spans  ->  spec  ->  lint: what contradicts the derivation
                                                ->  overridden: a Traced, past the gate

The derivation finds a subgroup of all symmetries, so a spec that says more may still be right: the
gate decides. What the derivation says to it is in the error, or in what `lint` returns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.params import Params
from modeconn_lib.permutation.equivalence import NotEquivalent, verify_spec
from modeconn_lib.permutation.nested import fold
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import Traced
from modeconn_lib.permutation.units import spans_of


def _known(spec: PermutationSpec, group: str) -> str:
    """Return the group's name if the spec has it."""
    if group not in spec.sizes:
        shown = ", ".join(map(repr, list(spec.sizes)[:6]))
        raise Refusal(f"no group {group!r} in the spec; it has {shown}, ...")
    return group


def drop(spec: PermutationSpec, group: str) -> PermutationSpec:
    """Return the spec without a group: its units stay, or keep their order within their block.

    Raises
    ------
    Refusal
        If there is no such group, or others are inside of it.
    """
    _known(spec, group)
    inner = [name for name, outer in spec.inside.items() if outer == group]
    if inner:
        raise Refusal(f"group {group!r} has {inner[0]!r} inside; drop that first")
    spans = {name: found for name, found in spec.spans.items() if name != group}
    if outer := spec.inside.get(group):
        blocks = [
            folded
            for span in spec.spans[group]
            for folded in fold(span, spec.sizes[group], spec.sizes[outer])
        ]
        spans[outer] = (*spans[outer], *blocks)
    return PermutationSpec(
        {name: n for name, n in spec.sizes.items() if name != group},
        spans,
        {name: outer for name, outer in spec.inside.items() if name != group},
    )


def pin(spec: PermutationSpec, group: str, units: Iterable[int]) -> PermutationSpec:
    """Return the spec in which some units of a group stay where they are.

    Raises
    ------
    Refusal
        If there is no such group or unit, or the group has to do with blocks.
    """
    size, gone = spec.sizes[_known(spec, group)], set(units)
    if group in spec.inside or group in spec.inside.values():
        raise Refusal(f"group {group!r} has to do with blocks, which move as a whole; drop it")
    if not gone <= set(range(size)):
        raise Refusal(f"group {group!r} has units 0..{size - 1}, not {sorted(gone)!r}")
    stay = [unit for unit in range(size) if unit not in gone]
    if len(stay) < 2:
        return drop(spec, group)
    spans = [
        part
        for span in spec.spans[group]
        for part in spans_of(span.tensor, span.axis, span.entries(size)[stay].numpy())
    ]
    return replace(
        spec,
        sizes={**spec.sizes, group: len(stay)},
        spans={**spec.spans, group: tuple(spans)},
    )


def tie(spec: PermutationSpec, first: str, second: str) -> PermutationSpec:
    """Return the spec in which unit u of `second` moves with unit u of `first`, as one group.

    Raises
    ------
    Refusal
        If there are no such groups, or they differ in size or in the blocks they are in.
    """
    if spec.sizes[_known(spec, first)] != spec.sizes[_known(spec, second)] or first == second:
        raise Refusal(
            f"groups {first!r} and {second!r} cannot be tied: they have {spec.sizes[first]} and "
            f"{spec.sizes[second]} units; two groups of the same size can be"
        )
    if spec.inside.get(first) != spec.inside.get(second):
        raise Refusal(f"groups {first!r} and {second!r} cannot be tied: they are in other blocks")
    spans = {name: found for name, found in spec.spans.items() if name != second}
    spans[first] = (*spans[first], *spec.spans[second])
    return PermutationSpec(
        {name: n for name, n in spec.sizes.items() if name != second},
        spans,
        {
            name: first if outer == second else outer
            for name, outer in spec.inside.items()
            if name != second
        },
    )


def with_spans(
    spec: PermutationSpec, group: str, units: int, spans: Sequence[AxisSpan]
) -> PermutationSpec:
    """Return the spec with a group at `spans`: a new one, or in the place of an old one."""
    return replace(
        spec,
        sizes={**spec.sizes, group: units},
        spans={**spec.spans, group: tuple(spans)},
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a spec contradicts what was derived from the network.

    Attributes
    ----------
    group, tensor, axis
        What the spec says something about.
    derived
        What the derivation says.
    """

    group: str
    tensor: str
    axis: int
    derived: str

    def __str__(self) -> str:
        """Return one line of a report."""
        return f"group {self.group!r}, axis {self.axis} of {self.tensor!r}: {self.derived}"


def lint(traced: Traced, spec: PermutationSpec) -> tuple[Finding, ...]:
    """Return where `spec` moves what the derived spec does not, or not together with it.

    Examples of what is found: entries that the derivation pins, with its reason; units that it
    does not exchange; entries that it moves with a unit and the spec does not.
    """
    owners = _owners(traced.spec)
    return tuple(f for group in spec.sizes for f in _against(traced, owners, spec, group))


Places = dict[tuple[str, int], dict[int, tuple[str, int]]]


def _owners(spec: PermutationSpec) -> Places:
    """Return the (group, unit) of each entry of each (tensor, axis)."""
    owners: Places = {}
    for group, spans in spec.spans.items():
        for span in spans:
            here = owners.setdefault((span.tensor, span.axis), {})
            for unit, entries in enumerate(span.entries(spec.sizes[group]).tolist()):
                here |= dict.fromkeys(entries, (group, unit))
    return owners


def _against(
    traced: Traced, owners: Places, spec: PermutationSpec, group: str
) -> Iterator[Finding]:
    """Give what contradicts the derivation in one group: what is pinned, mixed, left behind."""
    claimed: Places = {}
    member: dict[tuple[str, int], int] = {}  # unit of `group` of each derived unit
    for span in spec.spans[group]:
        place = (span.tensor, span.axis)
        derived, here = owners.get(place, {}), claimed.setdefault(place, {})
        table = span.entries(spec.sizes[group])
        here |= {e: (group, u) for u, entries in enumerate(table.tolist()) for e in entries}
        pinned = [entry for entry in table.flatten().tolist() if entry not in derived]
        if pinned:
            yield Finding(group, *place, f"entry {pinned[0]} {_why(traced, *place, pinned[0])}")
        for column in table.T.tolist():
            mixed = dict.fromkeys(derived[entry][0] for entry in column if entry in derived)
            if len(mixed) > 1:
                names = " and ".join(map(repr, mixed))
                yield Finding(group, *place, f"moves units of {names}, which are not alike")
        for entry, (_, unit) in here.items():
            if entry in derived and member.setdefault(derived[entry], unit) != unit:
                name, number = derived[entry]
                yield Finding(
                    group,
                    *place,
                    f"entry {entry} is unit {unit} of the group, but unit {number} of {name!r}, "
                    f"which is unit {member[derived[entry]]} of the group elsewhere",
                )
                break
    yield from _left_behind(traced.spec, group, claimed, member)


def _left_behind(
    derived: PermutationSpec, group: str, claimed: Places, member: Mapping[tuple[str, int], int]
) -> Iterator[Finding]:
    """Give the places of derived units that the group does not move with them."""
    for name in dict.fromkeys(name for name, _ in member):
        for span in derived.spans[name]:
            here = claimed.get((span.tensor, span.axis), {})
            rows = span.entries(derived.sizes[name]).tolist()
            missing = [
                entry
                for unit, entries in enumerate(rows)
                for entry in entries
                if (name, unit) in member and entry not in here
            ]
            if missing:
                yield Finding(
                    group,
                    span.tensor,
                    span.axis,
                    f"entries {missing[0]}..{missing[-1]} move with the units of {name!r}, but "
                    "not with the group",
                )


def _why(traced: Traced, tensor: str, axis: int, entry: int) -> str:
    """Return what the derivation says of an entry that stays."""
    for item in traced.pinned:
        if (item.tensor, item.axis) == (tensor, axis) and entry in item.entries:
            return f"stays: it {item.reason}"
    return "stays: it is a position, or of a tensor that the network lacks"


def overridden(
    traced: Traced, spec: PermutationSpec, like: Params, x: Tensor, seed: int = 0
) -> Traced:
    """Return `traced` with a spec written by hand, once it has passed the gate.

    Sites are kept for the groups that are just as they were derived; others have none.

    Parameters
    ----------
    like
        Parameters whose names and shapes are taken.
    x
        A few inputs.

    Raises
    ------
    ValueError
        If the spec does not fit the tensors.
    NotEquivalent
        If it is no symmetry of the network, with what `lint` finds.
    """
    spec.check(like)
    same = [g for g in spec.sizes if spec.spans[g] == traced.spec.spans.get(g)]
    new = replace(
        traced,
        spec=spec,
        sites={group: traced.sites[group] for group in same if group in traced.sites},
        groups=traced.groups if spec == traced.spec else {},
    )
    try:
        verify_spec(new, like, x, seed)
    except NotEquivalent as error:
        found = [str(finding) for finding in lint(traced, spec)] or ["no contradiction found"]
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise NotEquivalent(
            f"the spec is no symmetry of the network: {'; '.join(found[:3])}{more} ({error})"
        ) from None
    return new
