"""Algorithm 1 of Git Re-Basin as it is written down: every cost from scratch, at every visit."""

import itertools

import torch

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.weights import visits
from modeconn_lib.core.params import dot
from modeconn_lib.permutation.apply import identity, permute


def match_by_full_recompute(spec, a, b, *, seed=0, order=0, max_sweeps=100):
    """Permutations, and how many sweeps were made; every visit takes the assignment's answer."""
    found = identity(spec)
    for sweep in range(max_sweeps):
        progress = False
        for group in visits(list(spec.sizes), seed, order, sweep):
            cost, p = full_cost(spec, a, b, found, group), found[group]
            q, rows = best_permutation(cost), torch.arange(len(p))
            gain = float((cost[rows, q] - cost[rows, p]).sum())
            if gain > 1e-9 * float(cost[rows, q].abs().sum()):
                found[group], progress = q, True
        if not progress:
            break
    return found, sweep + 1


def full_cost(spec, a, b, permutations, group):
    """What each unit of B is worth at each place: all other groups permuted, then one product."""
    units = spec.sizes[group]
    others = permute(b, spec, {**permutations, group: torch.arange(units)})
    cost = torch.zeros(units, units, dtype=torch.float64)
    for span in spec.spans[group]:
        entries = span.entries(units).flatten()
        x, y = (
            network[span.tensor].index_select(span.axis, entries).movedim(span.axis, 0)
            for network in (a, others)
        )
        cost += (x.reshape(units, -1) @ y.reshape(units, -1).T).double()
    return cost


def best_of_all(spec, a, b):
    """The highest objective of all permutations: for networks of a few units."""
    groups = list(spec.sizes)
    orders = [list(itertools.permutations(range(n))) for n in spec.sizes.values()]
    return max(
        dot(a, permute(b, spec, dict(zip(groups, map(torch.tensor, choice), strict=True))))
        for choice in itertools.product(*orders)
    )
