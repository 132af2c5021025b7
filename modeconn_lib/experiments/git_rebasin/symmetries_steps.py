"""Steps of chapter 27: count a network's symmetries, and look for one that was planted.

architecture, shape of its input  ->  count_symmetries  |  recover_planted  ->  numbers

Neither looks at images. The tasks that name them are built in `symmetries`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from modeconn_lib.alignment.recovery import Planted, plant
from modeconn_lib.alignment.weights import WeightMatching, learnable, match_weights, within
from modeconn_lib.core.params import Params, dot, params_of
from modeconn_lib.core.seeds import derive, generator
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.counting import log10_symmetries, published_count
from modeconn_lib.permutation.spec import Permutations, PermutationSpec
from modeconn_lib.permutation.trace import trace


def count_symmetries(work: Work) -> Outcome:
    """Count the orders of all groups of units, and by the published convention."""
    spec = _spec(_network(work.config, 0), work.config)
    sizes = spec.sizes
    layers = work.config["layers"] or list(sizes.values())
    return Outcome(
        scalars={
            "exponent": log10_symmetries(spec),
            "published": published_count(layers),
            "groups": len(sizes),
            "layers": len(layers),
            "units": sum(sizes.values()),
        },
        series={"sizes": list(sizes.values())},
    )


def recover_planted(work: Work) -> Outcome:
    """Reorder a network at random, and search for the order that brings it back (section A.2).

    The network is input 0 or, without inputs, freshly drawn. The first search begins at the order
    that the units happen to have, further ones at random orders.
    """
    config = work.config
    module = _network(config, config["seed"])
    given = [work.tensors(record) for record in work.records]
    params = learnable(module, given[0] if given else params_of(module))
    spec, highest = _spec(module, config), dot(params, params)
    planted = plant(spec, params, generator(config["seed"], "planted"))
    series: dict[str, list[Any]] = {name: [] for name in ("exact", "sweeps", "reached", "units")}
    for search in range(config["searches"]):
        random = generator(config["seed"], "start", search)
        begin = random_permutations(spec, random) if search else None
        seed = derive(config["seed"], "search", search)
        found = match_weights(spec, params, planted.network, init=begin, seed=seed)
        series["exact"].append(_is_back(spec, params, planted, found))
        series["sweeps"].append(found.sweeps)
        series["reached"].append(found.objective / highest)
        series["units"].append(_same_places(found.permutations, planted.truth))
        work.progress(work.cost // config["searches"])
    return Outcome(
        scalars={
            "exact": series["exact"][0],
            "sweeps": series["sweeps"][0],
            "exact_of_all": any(series["exact"]),
        },
        series=series,
    )


def _network(config: Mapping[str, Any], seed: int) -> nn.Module:
    """Return a network of the task with weights drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "initial weights"))
        return architecture(config["architecture"]).build(tuple(config["shape"]), config["classes"])


def _spec(module: nn.Module, config: Mapping[str, Any]) -> PermutationSpec:
    return trace(module.eval(), torch.zeros(2, *config["shape"])).spec


def _is_back(
    spec: PermutationSpec, params: Params, planted: Planted, found: WeightMatching
) -> bool:
    """Return whether the network came back entry by entry."""
    back = permute(planted.network, within(spec, params), found.permutations)
    return all(torch.equal(back[name], value) for name, value in params.items())


def _same_places(found: Permutations, truth: Permutations) -> float:
    """Return the share of units that are where they were before the shuffle."""
    right = sum(int((p == truth[group]).sum()) for group, p in found.items())
    return right / sum(len(p) for p in found.values())


STEPS: dict[str, Step] = {"symmetries": count_symmetries, "recovery": recover_planted}
