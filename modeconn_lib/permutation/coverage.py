"""How much of a network its symmetries reach: derive them, prove them, count them.

module, example  ->  trace  ->  gate on random weights  ->  Coverage

Nothing here knows where the module is from; `classifiers` has torchvision's.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from modeconn_lib.permutation.counting import log10_symmetries
from modeconn_lib.permutation.equivalence import verify_spec
from modeconn_lib.permutation.places import Pinned
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.trace import trace


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of the symmetries of a network.

    Attributes
    ----------
    groups, nested
        Number of groups of units, and how many of them are inside blocks of another.
    units
        Number of units that can move, blocks (heads of attention) included.
    log10_symmetries
        Logarithm of the number of ways to order them.
    movable
        Share of the entries of parameters that lie on an axis entry that can move.
    parameters
        Number of entries of parameters.
    pinned
        Reasons why axis entries of parameters stay, each with their number, the most first.
    error
        What a random reordering changes in the outputs in float64, relative to the largest.
    trace_seconds, gate_seconds
        Wall time of deriving the symmetries, and of proving them.
    """

    groups: int
    nested: int
    units: int
    log10_symmetries: float
    movable: float
    parameters: int
    pinned: tuple[tuple[str, int], ...]
    error: float
    trace_seconds: float
    gate_seconds: float


def survey(module: nn.Module, example: Tensor, seed: int = 0) -> Coverage:
    """Return the coverage of `module`, its symmetries proved by `verify_spec`.

    Parameters
    ----------
    module
        Its weights do not matter: it may be on the meta device.
    example
        At least two inputs. The gate runs as few of them as it can: one, or all where the graph
        takes that number only or holds layers in training mode, which look at whole batches.

    Raises
    ------
    NotEquivalent
        If what was derived is not a symmetry.
    ValueError
        If the example has fewer than two inputs, or a table of integers, whose values matter, is
        on the meta device.
    """
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    like = {name: value.detach() for name, value in module.state_dict().items()}
    started = time.monotonic()
    device = next(iter(like.values())).device if like else example.device
    traced = trace(module, example.to(device))
    traced.spec.check(like)
    derived = time.monotonic()
    alone = traced.training is None and traced.graph.batch is None
    error = verify_spec(traced, like, example[:1] if alone else example, seed)
    proved = time.monotonic()
    return Coverage(
        groups=len(traced.spec.sizes),
        nested=len(traced.spec.inside),
        units=sum(traced.spec.sizes.values()),
        log10_symmetries=log10_symmetries(traced.spec),
        movable=movable_share(traced.spec, parameters),
        parameters=sum(value.numel() for value in parameters.values()),
        pinned=summary(traced.pinned),
        error=error,
        trace_seconds=derived - started,
        gate_seconds=proved - derived,
    )


def movable_share(spec: PermutationSpec, parameters: Mapping[str, Tensor]) -> float:
    """Return the share of all entries that lie on at least one axis entry of a group."""
    still = dict.fromkeys(parameters, 1.0)
    for (tensor, axis), claims in spec.by_axis().items():
        if tensor in parameters:
            moved = sum(span.entries(spec.sizes[group]).numel() for group, span in claims)
            still[tensor] *= 1 - moved / parameters[tensor].shape[axis]
    total = sum(value.numel() for value in parameters.values())
    fixed = sum(value.numel() * still[name] for name, value in parameters.items())
    return 1 - fixed / total if total else 0.0


def summary(pinned: Iterable[Pinned]) -> tuple[tuple[str, int], ...]:
    """Return the reasons with the number of axis entries, without the numbers of nodes."""
    counts: dict[str, int] = {}
    for item in pinned:
        reason = re.sub(r"_\d+\b", "", item.reason)
        counts[reason] = counts.get(reason, 0) + len(item.entries)
    return tuple(sorted(counts.items(), key=lambda pair: -pair[1]))
