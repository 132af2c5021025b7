"""What every unit of A has in common with every unit of B, kept up to date while units move.

spec, A, B  ->  Costs;   move a group  ->  tables of its neighbours: only what changed is added

The table of a group g is linear in the other groups' permutations. A layer whose other axis moved
in k places therefore changes it by the products of those k places alone, which is the whole saving
over computing it anew. Nothing here chooses a permutation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from modeconn_lib.core.params import Params
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec

ROWS = 1 << 12  # products that float32 sums up before float64 takes over
STRIP = 1 << 20  # entries of a table that are added to at a time: 4 MiB of float32

Index = Int[Tensor, " entries"]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One span of a group, as two matrices to be multiplied.

    Attributes
    ----------
    tensor
        Name of the tensor.
    lead
        The tensor's other axes that some group moves.
    a, b
        The span in A and in B, one place for each combination of entries of the leading axes:
        (units, places, rest) if `units_first`, else (places, rest, units); whichever is nearer
        to how the tensor lies in memory.
    """

    tensor: str
    lead: tuple[int, ...]
    a: Float[Tensor, "_ _ _"]
    b: Float[Tensor, "_ _ _"]
    units_first: bool

    def pieces(self, old: Index | None, new: Index) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pairs x, y of (rows, units): the sum of their x.T @ y is what the table gains.

        Parameters
        ----------
        old, new
            Which place of B stood, and now stands, at every place; None if nothing was added yet.
        """
        changed = None if old is None else (old != new).nonzero()[:, 0]
        count = len(new) if changed is None else len(changed)
        axis = 1 if self.units_first else 0
        step = max(1, ROWS // max(1, self.a.shape[axis + 1]))
        for start in range(0, count, step):
            if changed is None or old is None:
                x = self.a.narrow(axis, start, min(step, count - start))
                y = self.b.index_select(axis, new[start : start + step])
            else:
                places = changed[start : start + step]
                x = self.a.index_select(axis, places)
                y = self.b.index_select(axis, new[places])
                y -= self.b.index_select(axis, old[places])
            yield self._rows(x), self._rows(y)

    def _rows(self, x: Tensor) -> Float[Tensor, "rows units"]:
        return x.flatten(1).T if self.units_first else x.flatten(0, 1)


class Costs:
    r"""The table of every group: :math:`S_{ij}` is what unit j of B is worth at place i.

    Products are taken in the networks' dtype (float32 for shorter ones), at most some thousand
    are summed in it, and all sums beyond that are float64. The networks are not written to.
    """

    def __init__(self, spec: PermutationSpec, a: Params, b: Params) -> None:
        self._spec = spec
        self._a = {name: _wide(value) for name, value in a.items()}
        self._b = {name: _wide(value) for name, value in b.items()}
        self._movers: dict[str, dict[int, set[str]]] = {}
        for (tensor, axis), claims in spec.by_axis().items():
            self._movers.setdefault(tensor, {})[axis] = {group for group, _ in claims}
        self._index = {
            (tensor, axis): torch.arange(a[tensor].shape[axis], device=a[tensor].device)
            for tensor, axes in self._movers.items()
            for axis in axes
        }
        self._claims: dict[str, list[Claim]] = {}
        self._seen: dict[str, list[Index]] = {}
        self._tables: dict[str, Float[Tensor, "units units"]] = {}

    @property
    def rounding(self) -> float:
        """Share of what a group is worth below which a gain may be rounding, not progress."""
        floats = {value.dtype for value in self._a.values() if value.is_floating_point()}
        return 1e-14 if floats == {torch.float64} else 1e-8

    def move(self, group: str, p: Int[Tensor, " units"]) -> None:
        """Let the units of `group` stand where `p` puts them."""
        for span in self._spec.spans[group]:
            index = self._index[span.tensor, span.axis]
            entries = span.entries(len(p)).to(index.device)
            index[entries] = entries[p.to(index.device)]

    def neighbours(self, group: str) -> set[str]:
        """Return the groups whose tables change when `group` moves; itself if it is on two axes."""
        return {
            other
            for span in self._spec.spans[group]
            for axis, movers in self._movers[span.tensor].items()
            if axis != span.axis
            for other in movers
        }

    def tensors(self, group: str) -> set[str]:
        """Return the tensors that `group` indexes."""
        return {span.tensor for span in self._spec.spans[group]}

    def groups_on(self, tensor: str) -> set[str]:
        """Return the groups that index `tensor`, on whichever axis."""
        return set().union(*self._movers[tensor].values())

    def table(self, group: str) -> Float[Tensor, "units units"]:
        """Return the table of `group` for the others as they stand; it is not to be written to."""
        if group not in self._tables:
            self._begin(group)
        claims, seen = self._claims[group], self._seen[group]
        now = [self._places(claim) for claim in claims]
        # Every claim has seen something or none has: a table is begun and filled at once.
        was: Sequence[Index | None] = seen or [None] * len(claims)
        changes = (
            piece
            for claim, old, new in zip(claims, was, now, strict=True)
            for piece in claim.pieces(old, new)
        )
        _add_products(self._tables[group], changes)
        self._seen[group] = now
        return self._tables[group]

    def objective(self, tensors: set[str] | None = None) -> float:
        r"""Return :math:`\langle \theta_A, \pi(\theta_B) \rangle`, of some tensors or of all."""
        total = 0.0
        for name, value in self._a.items():
            if value.is_floating_point() and (tensors is None or name in tensors):
                other = self._b[name]
                for axis in self._movers.get(name, {}):
                    other = other.index_select(axis, self._index[name, axis])
                total += float(torch.sum(value * other, dtype=torch.float64))
        return total

    def _begin(self, group: str) -> None:
        """Lay out the spans of a group; what no other axis moves is multiplied here, for good."""
        units, spans = self._spec.sizes[group], self._spec.spans[group]
        claims = [self._lay_out(span, units) for span in spans]
        device = self._a[spans[0].tensor].device if spans else None
        table = torch.zeros(units, units, dtype=torch.float64, device=device)
        still = torch.zeros(1, dtype=torch.long, device=device)
        fixed = (piece for c in claims if not c.lead for piece in c.pieces(None, still))
        _add_products(table, fixed)
        self._claims[group] = [claim for claim in claims if claim.lead]
        self._seen[group], self._tables[group] = [], table

    def _lay_out(self, span: AxisSpan, units: int) -> Claim:
        """Bring one span of A and B into the form of a claim; a view where that is possible."""
        lead = tuple(sorted(axis for axis in self._movers[span.tensor] if axis != span.axis))
        first = bool(lead) and span.axis < lead[0]
        a, b = (
            _arrange(network[span.tensor], span, units, lead, first)
            for network in (self._a, self._b)
        )
        return Claim(span.tensor, lead, a, b, first)

    def _places(self, claim: Claim) -> Index:
        """Which place of B now stands at every place of a claim: its leading axes, flattened."""
        index = self._index[claim.tensor, claim.lead[0]].clone()
        for axis in claim.lead[1:]:
            inner = self._index[claim.tensor, axis]
            index = (index[:, None] * len(inner) + inner).flatten()
        return index


def _wide(value: Tensor) -> Tensor:
    """Return the tensor without its gradient, in float32 if its own floats are shorter."""
    value = value.detach()
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value


def _arrange(
    value: Tensor, span: AxisSpan, units: int, lead: tuple[int, ...], units_first: bool
) -> Float[Tensor, "_ _ _"]:
    """Return the span as (units, places, rest) or (places, rest, units)."""
    entries = span.entries(units)
    wanted = entries.flatten().to(value.device)
    if not torch.equal(wanted, torch.arange(value.shape[span.axis], device=value.device)):
        value = value.index_select(span.axis, wanted)
    rest = [axis for axis in range(value.ndim) if axis != span.axis and axis not in lead]
    # The entries of one unit (its block) go with the rest: (..., units, block, ...).
    own = value.movedim(span.axis, 0).unflatten(0, tuple(entries.shape))
    others = [axis for axis in range(value.ndim) if axis != span.axis]
    of = {axis: 2 + others.index(axis) for axis in others}
    middle = [*(of[axis] for axis in lead), *(of[axis] for axis in rest), 1]
    order = [0, *middle] if units_first else [*middle, 0]
    places = torch.Size([value.shape[axis] for axis in lead]).numel()
    shape = (units, places, -1) if units_first else (places, -1, units)
    return own.permute(order).reshape(shape)


def _add_products(
    table: Float[Tensor, "units units"], pieces: Iterable[tuple[Tensor, Tensor]]
) -> None:
    """Add x.T @ y of every piece to the table, which is float64."""
    held: list[tuple[Tensor, Tensor]] = []
    rows = 0
    for x, y in pieces:
        held.append((x, y))
        rows += len(x)
        if rows >= ROWS:
            _add_held(table, held)
            held, rows = [], 0
    if held:
        _add_held(table, held)


def _add_held(table: Float[Tensor, "units units"], held: list[tuple[Tensor, Tensor]]) -> None:
    """Add the pieces' products to the table, one strip after another.

    A strip of products stays in the cache until it is added; a whole table of them does not, and
    took as long to allocate and to convert as the products of a late visit.
    """
    units = len(table)
    height = max(1, STRIP // units)
    for top in range(0, units, height):
        (x, y), *others = ((x.narrow(1, top, min(height, units - top)), y) for x, y in held)
        products = x.T @ y
        for x, y in others:
            products.addmm_(x.T, y)
        table[top : top + height] += products
