r"""Merge any number of networks into one.

spec, networks  ->  match each to the mean of the others, again and again  ->  mean  ->  Merge

Algorithm 3 of Git Re-Basin. A step can only bring a network nearer to the mean of the others, so
the networks' squared distances from their common mean never rise.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from modeconn_lib.alignment.weights import match_weights, within
from modeconn_lib.core.params import Params, combine, same_network
from modeconn_lib.core.seeds import derive, generator
from modeconn_lib.permutation.apply import identity, permute
from modeconn_lib.permutation.spec import Permutations, PermutationSpec

_DECREASE = 1e-9  # a sweep that lowers the distance by a smaller share is the last


@dataclass(frozen=True, slots=True)
class Merge:
    r"""The mean of reordered networks, and how near to it they are.

    Attributes
    ----------
    merged
        The mean; buffers are averaged like parameters, integer entries are the first network's.
    permutations
        One set for each network, in the order given.
    distances
        :math:`\sum_i \|\theta_i - \bar\theta\|^2` over the learned tensors, in float64: of the
        networks as they came, and after every sweep that lowered it. A last one that did not is
        counted in `sweeps` but not listed.
    sweeps
        How often every network was matched.
    seconds
        Wall time.
    """

    merged: Params
    permutations: tuple[Permutations, ...]
    distances: tuple[float, ...]
    sweeps: int
    seconds: float


@torch.no_grad()
def merge_many(
    spec: PermutationSpec,
    networks: Sequence[Params],
    *,
    learned: Collection[str] | None = None,
    seed: int = 0,
    orders: int = 1,
    max_sweeps: int = 100,
) -> Merge:
    r"""Return the mean of `networks`, each reordered to be near the mean of the others.

    Parameters
    ----------
    learned
        Names of the tensors that matching looks at; all that hold floats if None. Batch-norm
        statistics should not be among them (`weights.learnable`).
    seed
        Determines in which order the networks, and their groups of units, are visited.
    orders
        As for `match_weights`.
    max_sweeps
        The search ends after so many sweeps over the networks at the latest.

    Raises
    ------
    ValueError
        If there are fewer than two networks, or they differ in names, shapes or dtypes; or if
        `learned` names a tensor that they lack, or none that any unit of the spec indexes.

    References
    ----------
    Git Re-Basin (Ainsworth et al. 2023), appendix A.6, algorithm 3.
    """
    started = time.monotonic()
    if len(networks) < 2:
        raise ValueError(f"merging needs at least 2 networks, got {len(networks)}")
    for other in networks[1:]:
        same_network(networks[0], other)
    names = _looked_at(networks[0], learned)
    thetas = [{name: network[name] for name in network if name in names} for network in networks]
    # Permutations apply to buffers, too, but these have no say in them.
    part, whole = within(spec, thetas[0]), within(spec, networks[0])
    if spec.sizes and not any(part.spans.values()):
        raise ValueError(
            f"there is nothing to match: none of the {len(names)} tensors to look at is indexed by "
            "a unit of the spec"
        )
    found: list[Permutations] = [identity(spec) for _ in networks]
    placed, distances, sweep = thetas, [_spread(thetas)], 0
    while sweep < max_sweeps:
        inner = derive(seed, "merge many", sweep)
        moved, now = _sweep(part, thetas, found, placed, inner, orders)
        sweep += 1
        if _spread(now) >= distances[-1] * (1 - _DECREASE):
            break
        found, placed = moved, now
        distances.append(_spread(now))
    aligned = [permute(net, whole, p) for net, p in zip(networks, found, strict=True)]
    merged = combine([1 / len(networks)] * len(networks), aligned)
    return Merge(merged, tuple(found), tuple(distances), sweep, time.monotonic() - started)


def _looked_at(network: Params, learned: Collection[str] | None) -> set[str]:
    """Return the names of the tensors that matching looks at."""
    names = {name for name, value in network.items() if value.is_floating_point()}
    if learned is None:
        return names
    unknown = sorted(set(learned) - network.keys())
    if unknown:
        raise ValueError(
            f"the networks have no tensor {unknown[0]!r} ({len(unknown)} such in `learned`); they "
            f"have {', '.join(list(network)[:4])}, ..."
        )
    return names & set(learned)


def _sweep(
    spec: PermutationSpec,
    thetas: Sequence[Params],
    found: Sequence[Permutations],
    placed: Sequence[Params],
    seed: int,
    orders: int,
) -> tuple[list[Permutations], list[Params]]:
    """Match every network once, in random order; return the permutations and what they make."""
    moved, now, total = list(found), list(placed), _sum(placed)
    random = generator(seed, "networks")
    for i in torch.randperm(len(thetas), generator=random).tolist():
        others = {
            name: ((total[name] - value) / (len(thetas) - 1)).to(value.dtype)
            for name, value in now[i].items()
        }
        match = match_weights(
            spec, others, thetas[i], init=moved[i], orders=orders, seed=derive(seed, i)
        )
        moved[i] = match.permutations
        new = permute(thetas[i], spec, moved[i])
        for name in total:
            total[name] += new[name].double() - now[i][name]
        now[i] = new
    return moved, now


def _sum(networks: Sequence[Params]) -> Params:
    """Return the sum of the networks in float64."""
    return {
        name: sum((net[name] for net in networks), start=torch.zeros_like(value).double())
        for name, value in networks[0].items()
    }


def _spread(networks: Sequence[Params]) -> float:
    """Return the sum of squared distances from the mean, in float64."""
    spread = 0.0
    for name, total in _sum(networks).items():
        mean = total / len(networks)
        spread += sum(float((net[name] - mean).square().sum()) for net in networks)
    return spread
