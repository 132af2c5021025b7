"""`modeconn merge`: the mean of networks whose units were put in one order first.

files  ->  `request.prepare`  ->  weight matching  ->  equivalence gate  ->  Σ w_i π_i(θ_i), report

The first file's units keep their order. Nothing here measures whether the merged network is good.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from modeconn_lib.alignment.many import merge_many
from modeconn_lib.alignment.weights import learnable, match_weights
from modeconn_lib.commands.checkpoints import save, single
from modeconn_lib.commands.report import by_cosine, distance, heading, pinned_summary, table
from modeconn_lib.commands.request import Prepared, Request, matching, prepare
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, combine
from modeconn_lib.permutation.apply import compose, identity, invert, permute
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.spec import Permutations
from modeconn_lib.training.batchnorm import has_batchnorm, reestimate


@dataclass(frozen=True, slots=True)
class Orders:
    """Permutations of every network, the identity for the first; a line about the search."""

    permutations: tuple[Permutations, ...]
    note: str


def merge_files(paths: Sequence[Path], request: Request, weights: str = "") -> str:
    """Write the mean of the aligned networks, and return the report.

    Parameters
    ----------
    weights
        One number a file, with commas between; empty for the plain mean.

    Raises
    ------
    Refusal
        If the input is not as it must be; nothing was computed then.
    NotEquivalent
        If an aligned network would compute something else; nothing is written then.
    """
    started = time.monotonic()
    if len(paths) < 2:
        raise Refusal(f"merging needs at least 2 files, got {len(paths)}")
    shares = parse_weights(weights, len(paths))
    ready = prepare(paths, request)
    with matching(ready):
        found = find_orders(ready, request)
        error = max(
            check_equivalence(ready.traced, params, p, ready.example())
            for params, p in zip(ready.params, found.permutations, strict=True)
        )
    aligned = [
        permute(params, ready.traced.spec, p)
        for params, p in zip(ready.params, found.permutations, strict=True)
    ]
    mean = weighted_mean(shares, aligned)
    merged, statistics = with_statistics(ready, mean)
    save(request.out, merged, ready.files[0])
    lines = [
        heading(request.arch, ready.network.shape, ready.traced.spec),
        f"{len(paths)} networks, weights {', '.join(f'{w:g}' for w in shares)}",
        *(_groups(ready, found) if len(paths) == 2 else []),
        found.note,
        *_distances(ready, aligned, weighted_mean(shares, ready.params), mean),
        f"equivalence error {error:.1e} (largest relative difference of outputs, in float64)",
        *pinned_summary(ready.traced),
        *statistics,
        f"wrote {request.out} in {time.monotonic() - started:.1f} s",
    ]
    return "\n".join(lines)


def parse_weights(text: str, files: int) -> tuple[float, ...]:
    """Return one weight a file; they must sum to 1.

    Raises
    ------
    Refusal
        If they are not as many as files, not numbers, or do not sum to 1.
    """
    if not text:
        return (1 / files,) * files
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise Refusal(f"cannot read the weights {text!r}; write them like 0.5,0.5") from None
    if len(found) != files:
        raise Refusal(f"there are {files} files but {len(found)} weights in {text!r}")
    if not abs(sum(found) - 1) < 1e-6:  # not >=, which NaN would pass
        raise Refusal(f"the weights {text!r} sum to {sum(found):g}, not to 1")
    return found


def find_orders(ready: Prepared, request: Request) -> Orders:
    """Match two networks by their weights; more by Git Re-Basin's algorithm 3."""
    spec = ready.traced.spec
    networks = [learnable(ready.network.module, params) for params in ready.params]
    if len(networks) == 2:
        found = match_weights(spec, *networks, orders=request.orders, seed=request.seed)
        note = f"weight matching: {found.sweeps} sweeps, {found.seconds:.1f} s"
        return Orders((identity(spec), found.permutations), note)
    many = merge_many(spec, networks, seed=request.seed, orders=request.orders)
    back = invert(many.permutations[0])  # all may have moved: the first keeps its order
    note = f"merging many: {many.sweeps} sweeps, {many.seconds:.1f} s"
    return Orders(tuple(compose(p, back) for p in many.permutations), note)


def weighted_mean(shares: Sequence[float], networks: Sequence[Params]) -> Params:
    """Return the weighted mean, exactly the tensor where all have the same: a mask of infinities.

    Any weights that sum to 1 are those of a mean; some may be below zero.
    """
    first, *others = networks
    same = {
        name: value.clone()
        for name, value in first.items()
        if all(torch.equal(value, other[name]) for other in others)
    }
    return combine(shares, networks) | same


def with_statistics(ready: Prepared, merged: Params) -> tuple[Params, list[str]]:
    """Take batch-norm statistics anew where there are data, and say what was done."""
    module = ready.network.module
    if not has_batchnorm(module):
        unused = "no batch norm in this network: the data were not used"
        return merged, [unused] if ready.images is not None else []
    if ready.images is None:
        return merged, [
            "WARNING: the batch-norm statistics are means of the files' own, which are not those "
            "of the merged network; name training images with --data to take them anew"
        ]
    given = single(merged)
    found = reestimate(module, given, ready.images, Machine.reference())
    statistics = {name: value for name, value in found.items() if value is not given[name]}
    return merged | statistics, [f"batch-norm statistics taken anew from {ready.images.described}"]


def _groups(ready: Prepared, found: Orders) -> list[str]:
    """Return one line a group, as `modeconn align` does for two networks."""
    module, spec = ready.network.module, ready.traced.spec
    return table(spec, by_cosine(module, spec, ready.params, found.permutations[1], found.note))


def _distances(
    ready: Prepared, aligned: Sequence[Params], plain: Params, merged: Params
) -> list[str]:
    """Return how far each network is from the mean without and with alignment."""
    module = ready.network.module
    means = learnable(module, plain), learnable(module, merged)
    width = max(len(file.path.name) for file in ready.files)
    lines = [f"{'distance to the mean':{width}}  unaligned    aligned"]
    width = max(width, len("distance to the mean"))
    for file, before, after in zip(ready.files, ready.params, aligned, strict=True):
        numbers = [
            distance(learnable(module, params), mean)
            for params, mean in zip((before, after), means, strict=True)
        ]
        lines.append(f"{file.path.name:{width}} {numbers[0]:10.6g} {numbers[1]:10.6g}")
    return lines
