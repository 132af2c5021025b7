"""`modeconn align`: write B with its units in the order of A's.

two files  ->  `request.prepare`  ->  matching  ->  equivalence gate  ->  π(B), a report

What is written computes exactly what B does; it is only nearer to A.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from modeconn_lib.alignment.activations import align_activations
from modeconn_lib.alignment.straight_through import PUBLISHED, Judge, learn_permutation
from modeconn_lib.alignment.weights import learnable, match_weights
from modeconn_lib.commands.checkpoints import save, single
from modeconn_lib.commands.inputs import Feed
from modeconn_lib.commands.report import (
    Matching,
    by_cosine,
    distance,
    heading,
    pinned_summary,
    table,
)
from modeconn_lib.commands.request import Prepared, Request, matching, prepare
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.equivalence import check_equivalence


def align_files(a: Path, b: Path, request: Request, method: str = "weights") -> str:
    """Write the aligned B, and return the report.

    Raises
    ------
    Refusal
        If the input is not as it must be; nothing was computed then.
    NotEquivalent
        If the aligned B would compute something else; nothing is written then.
    """
    started = time.monotonic()
    _check_method(method, request)
    ready = prepare((a, b), request)
    of_a, of_b = ready.params
    with matching(ready):
        found = METHODS[method](ready, request)
        error = check_equivalence(ready.traced, of_b, found.permutations, ready.example())
    moved = permute(of_b, ready.traced.spec, found.permutations)
    save(request.out, moved, ready.files[1])
    own, before, after = (learnable(ready.network.module, params) for params in (of_a, of_b, moved))
    lines = [
        heading(request.arch, ready.network.shape, ready.traced.spec),
        *table(ready.traced.spec, found),
        found.note,
        f"distance |A - B| {distance(own, before):.6g}, |A - π(B)| {distance(own, after):.6g}",
        f"equivalence error {error:.1e} (largest relative difference of outputs, in float64)",
        *pinned_summary(ready.traced),
        f"wrote {request.out} in {time.monotonic() - started:.1f} s",
    ]
    return "\n".join(lines)


def by_weights(ready: Prepared, request: Request) -> Matching:
    """Match weights, parameters only: running statistics say nothing about which unit is which."""
    spec, module = ready.traced.spec, ready.network.module
    a, b = (learnable(module, params) for params in ready.params)
    found = match_weights(spec, a, b, orders=request.orders, seed=request.seed)
    note = (
        f"weight matching: inner product {found.start:.6g} -> {found.objective:.6g} in "
        f"{found.sweeps} sweeps, {found.seconds:.1f} s; best of {request.orders} order(s)"
    )
    return by_cosine(module, spec, ready.params, found.permutations, note)


def by_activations(ready: Prepared, _: Request) -> Matching:
    """Match units by the correlation of what they do on images."""
    assert ready.images is not None
    a, b = map(single, ready.params)
    found = align_activations(ready.traced, a, b, ready.images, ready.example())
    return Matching(
        found.permutations,
        "correlation",
        {group.name: group.correlation_before for group in found.groups},
        {group.name: group.correlation_after for group in found.groups},
        f"activation matching on {ready.images.described}, {found.seconds:.1f} s",
    )


def by_training(ready: Prepared, request: Request) -> Matching:
    """Learn the permutation with the best midpoint by the straight-through estimator."""
    images, module, spec = ready.images, ready.network.module, ready.traced.spec
    assert images is not None
    logits = _logits(ready)
    if images.classes != logits:
        raise Refusal(
            f"{images.title} have {images.classes} classes, the network has {logits} logits: the "
            "method 'ste' needs the labels that the networks were trained on"
        )
    a, b = map(single, ready.params)
    recipe = replace(PUBLISHED, epochs=request.epochs)
    feed, judge = Feed(images, request.seed), Judge(images.labelled())
    machine = Machine.reference()
    found = learn_permutation(module, spec, a, b, feed, judge, machine, recipe, seed=request.seed)
    module.eval()
    note = (
        f"straight-through estimator on {images.described}: midpoint loss {found.losses[0]:.4f} "
        f"(weight matching) -> {min(found.losses):.4f} nats, {found.history.seconds:.1f} s"
    )
    return by_cosine(module, spec, ready.params, found.permutations, note)


@torch.no_grad()
def _logits(ready: Prepared) -> int:
    """Return the number of logits of a network that classifies."""
    found = ready.network.module(ready.example())
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        kind = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise Refusal(
            "the method 'ste' needs a network whose output is logits (images, classes); for 2 "
            f"images {ready.network.arch} gives {kind}"
        )
    return int(found.shape[1])


METHODS: dict[str, Callable[[Prepared, Request], Matching]] = {
    "weights": by_weights,
    "activations": by_activations,
    "ste": by_training,
}


def _check_method(method: str, request: Request) -> None:
    """Refuse an unknown method, or data where they are needed or of no use."""
    if method not in METHODS:
        raise Refusal(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    if method == "weights" and request.data:
        raise Refusal("the method 'weights' looks at no data; leave --data out or name a --method")
    if method != "weights" and not request.data:
        raise Refusal(
            f"the method {method!r} needs --data: a known data set, or a folder with pictures in "
            "train/<class>"
        )
