"""The steps of the chapter on alignment costs.

match_within_budget  ->  permutations, bounds;    compare_costs, compare_subsets  ->  tables

The tasks that name them are built in `cost_tasks`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from modeconn_lib.alignment.activations import SIMILARITIES, Moments, gather_moments
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.constrained import constrained_permutation
from modeconn_lib.alignment.constrained_activations import align_constrained
from modeconn_lib.experiments.work import EXAMPLE, Outcome, Step, Work
from modeconn_lib.permutation.apply import identity
from modeconn_lib.permutation.nested import assign
from modeconn_lib.permutation.sites import Stage
from modeconn_lib.permutation.spec import Permutations

STAGES: tuple[Stage, ...] = ("post", "pre")
MEASURES = {"correlation": 1, "l2": -1}  # of `SIMILARITIES`; distances are recorded as such
SLACK = 1e-9  # by how much a budget is more, so that rounding puts none below the least possible


def match_within_budget(work: Work) -> Outcome:
    """Match input 1 to input 0 by post-activations within the unaligned pre-activation cost.

    The permutations are the tensors. All numbers are per unit, summed over a group's sites. The
    same problem is solved for budgets that are tighter, in shares of the way from the least
    possible pre-activation cost to that of the best post-activation match.
    """
    a, b = (work.here(work.tensors(record)) for record in work.records)
    images = work.inputs("train", work.config["align_examples"])
    example, similarity = next(iter(images))[:EXAMPLE], SIMILARITIES[work.config["similarity"]]
    found = align_constrained(work.trace(), a, b, images, example, similarity=similarity)
    series: dict[str, list[Any]] = {}
    for group, match in found.matches.items():
        post, pre, units = found.post[group], found.pre[group], len(match.permutation)
        least = units * _worth(pre, best_permutation(-pre))
        free = units * _worth(pre, best_permutation(-post))
        row: dict[str, Any] = {
            "cost": match.cost / units,
            "gap": match.gap / units,
            "pre_cost": match.pre_cost / units,
            "budget": match.budget / units,
            "identity_cost": float(post.diagonal().mean()),
            "least_pre_cost": least / units,
            "free_pre_cost": free / units,
        }
        budgets = [least + share * (free - least) for share in work.config["shares"]]
        tight = [constrained_permutation(post, pre, budget=x * (1 + SLACK)) for x in budgets]
        for what in ("cost", "gap", "pre_cost"):
            row[f"tight_{what}"] = [getattr(one, what) / units for one in tight]
        row |= {"group": group, "units": units, "multiplier": match.multiplier}
        for name, value in row.items():
            series.setdefault(name, []).append(value)
    scalars = {
        "equivalence_error": found.alignment.equivalence_error,
        "align_seconds": found.alignment.seconds,
    }
    return Outcome(scalars, series, dict(found.alignment.permutations))


def compare_costs(work: Work) -> Outcome:
    """Say what matchings of input 1 to input 0 cost, and which partners they share, on test images.

    The inputs after the two networks are matchings; the first of them is what the others' partners
    are compared with. Numbers are per unit, means over a group's sites.
    """
    a, b = (work.here(work.tensors(record)) for record in work.records[:2])
    names, traced = work.config["names"], work.trace()
    chosen: dict[str, Permutations] = {"unaligned": identity(traced.spec)}
    for name, record in zip(names, work.records[2:], strict=True):
        chosen[name] = work.tensors(record)
    images = work.inputs("test", work.config["test_examples"])
    series: dict[str, list[Any]] = {}
    for stage in STAGES:
        moments = gather_moments(traced, a, b, images, stage)
        series |= {"group": list(moments), "units": [traced.spec.sizes[g] for g in moments]}
        for measure, sign in MEASURES.items():
            tables = _means(moments, measure)
            for name, permutations in chosen.items():
                series[f"{name}/{measure}/{stage}"] = [
                    sign * _worth(table, permutations[group]) for group, table in tables.items()
                ]
    for name in names:
        series[f"{name}/same"] = [
            _same(chosen[name][group], chosen[names[0]][group]) for group in series["group"]
        ]
    units = sum(series["units"])
    return Outcome(scalars={"units": units}, series=series)


def compare_subsets(work: Work) -> Outcome:
    """Match input 1 to input 0 on more and more images, and compare with what the most give.

    What each matching is worth is measured on the most images, per unit.
    """
    a, b = (work.here(work.tensors(record)) for record in work.records)
    config, traced = work.config, work.trace()
    similarity, sizes = config["similarity"], config["examples"]
    tables, found = {}, {}
    for size in sizes:
        moments = gather_moments(traced, a, b, work.inputs("train", size), config["stage"])
        tables[size] = _means(moments, similarity)
        found[size] = assign(traced.spec, tables[size], best_permutation)
    most = sizes[-1]
    worth = tables[most]
    series: dict[str, list[Any]] = {
        "examples": list(sizes),
        "group": list(worth),
        "units": [len(table) for table in worth.values()],
        "unaligned/worth": [float(t.diagonal().mean()) for t in worth.values()],
    }
    for size in sizes:
        series[f"{size}/same"] = [_same(found[size][g], found[most][g]) for g in worth]
        series[f"{size}/worth"] = [_worth(t, found[size][g]) for g, t in worth.items()]
    units = series["units"]
    scalars = {
        f"same {size}": sum(
            n * share / sum(units) for n, share in zip(units, series[f"{size}/same"], strict=True)
        )
        for size in sizes
    }
    return Outcome(scalars, series)


def _means(moments: Moments, measure: str) -> Mapping[str, Tensor]:
    """Return how alike all pairs of units are, a table for each group: the mean over its sites."""
    similarity = SIMILARITIES[measure]
    return {
        group: torch.stack([similarity(site) for site in sites]).mean(0).cpu()
        for group, sites in moments.items()
    }


def _worth(table: Tensor, p: Tensor) -> float:
    """Return what unit i has in common with unit p[i], per unit."""
    return float(table[torch.arange(len(p)), p.cpu()].mean())


def _same(p: Tensor, q: Tensor) -> float:
    """Return the share of units that two permutations put at the same place."""
    return float((p.cpu() == q.cpu()).double().mean())


STEPS: dict[str, Step] = {
    "constrained": match_within_budget,
    "costs": compare_costs,
    "subsets": compare_subsets,
}
