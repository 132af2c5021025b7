"""What `modeconn align` and `modeconn merge` print.

Matching, spec, networks  ->  a heading, one line a group, distances, what stays in place

Nothing here matches anything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modeconn_lib.alignment.weights import learnable
from modeconn_lib.core.params import Params, dot
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.permutation.trace import Traced


@dataclass(frozen=True, slots=True)
class Matching:
    """What a method found.

    Attributes
    ----------
    measure
        What `before` and `after` are, for the head of the table.
    before, after
        Of each group, for B as it is and as it is written.
    note
        One line about the search.
    """

    permutations: Permutations
    measure: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    note: str


def cosines(spec: PermutationSpec, a: Params, b: Params) -> dict[str, float]:
    """Return the cosine between A's and B's weights that each group indexes."""
    shared = {name: dot({name: a[name]}, {name: b[name]}) for name in a}
    squares = {name: (_square(a[name]), _square(b[name])) for name in a}
    out = {}
    for group, spans in spec.spans.items():
        names = {span.tensor for span in spans} & a.keys()
        if not names:  # blocks whose entries are all those of what is in them
            continue
        lengths = sum(squares[n][0] for n in names) * sum(squares[n][1] for n in names)
        out[group] = sum(shared[n] for n in names) / lengths**0.5 if lengths else 0.0
    return out


def distance(a: Params, b: Params) -> float:
    """Return the Euclidean distance of two networks, in float64."""
    pairs = ((value, b[name]) for name, value in a.items() if value.is_floating_point())
    return sum(_square(x.double() - y.double()) for x, y in pairs) ** 0.5


def _square(value: Tensor) -> float:
    return float(value.double().square().sum())


def by_cosine(
    module: nn.Module,
    spec: PermutationSpec,
    pair: Sequence[Params],
    permutations: Permutations,
    note: str,
) -> Matching:
    """Describe permutations by the cosines of the weights that each group indexes."""
    a, b = pair
    own, before, after = (
        learnable(module, params) for params in (a, b, permute(b, spec, permutations))
    )
    measures = cosines(spec, own, before), cosines(spec, own, after)
    return Matching(permutations, "cosine", *measures, note)


def heading(arch: str, shape: Sequence[int], spec: PermutationSpec) -> str:
    """Return the first line: the network, its inputs, what may move."""
    units = sum(spec.sizes.values())
    sizes = ",".join(map(str, shape))
    return f"{arch}, inputs {sizes}: {len(spec.sizes)} groups, {units} free units"


def table(spec: PermutationSpec, found: Matching) -> list[str]:
    """Return one line a group: its units, how many of them moved, the measure before and after."""
    width = max([len("group"), *map(len, spec.sizes)])
    lines = [f"{'group':{width}} {'units':>6} {'moved':>6} {found.measure + ' before':>19} after"]
    for group, size in spec.sizes.items():
        moved = int((found.permutations[group].cpu() != torch.arange(size)).sum())
        numbers = [f"{x[group]:.3f}" if group in x else "-" for x in (found.before, found.after)]
        lines.append(f"{group:{width}} {size:6d} {moved:6d} {numbers[0]:>19} {numbers[1]:>5}")
    return lines


def pinned_summary(traced: Traced) -> list[str]:
    """Return one line for each reason for which parts of the network stay in place."""
    counts = Counter(item.reason for item in traced.pinned)
    first = {item.reason: item.tensor for item in reversed(traced.pinned)}
    return [
        f"stays in place: {first[reason]}" + (f" and {n - 1} more" if n > 1 else "") + f": {reason}"
        for reason, n in counts.items()
    ]
