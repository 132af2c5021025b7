"""See what the units of every group do, in one forward pass.

Traced, params, images  ->  the graph with the sites as its results  ->  (samples, units) each

Nothing here knows what activations are wanted for.
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, fx

from modeconn_lib.core.params import Params
from modeconn_lib.permutation.places import Site
from modeconn_lib.permutation.propagate import operator_name
from modeconn_lib.permutation.steady import Steady
from modeconn_lib.permutation.trace import Traced

Stage = Literal["pre", "post"]
_NEW_TENSOR = ("batch_norm", "add", "conv2d", "linear")  # results that share no memory


def activations(
    traced: Traced, params: Params, x: Tensor, stage: Stage = "post"
) -> dict[str, list[Float[Tensor, "_ _"]]]:
    """Return what each group's units do at each of its sites, as in evaluation mode.

    Units that evaluation does not compute (GoogLeNet's auxiliary heads) are seen as well: on
    running statistics, and with nothing dropped.

    A sample is one (example, position) pair: a map of a batch gives
    ``batch * height * width`` samples. The tensors may be views of a whole map; what lies behind
    the last site is not computed.

    Parameters
    ----------
    stage
        Before, that is at the nonlinearity's very input (after batch norm; in a residual stream the
        sum of block and shortcut), or after it.
    """
    collector = _collector(traced, stage)
    arguments = traced.seen.graph.arguments(params, x)
    results = Steady(collector).run(*arguments) if traced.training else collector(*arguments)
    found = dict(zip(_nodes(traced, stage), results, strict=True))
    return {
        group: [
            _samples(found[getattr(site, stage)], site, traced.spec.sizes[group]) for site in sites
        ]
        for group, sites in traced.sites.items()
    }


def samples_of_an_input(traced: Traced) -> int:
    """Return how many samples one input gives, at the site that gives most."""
    found = [(site, traced.seen.values[site.post]) for s in traced.sites.values() for site in s]
    return max(
        math.prod(
            size
            for axis, size in enumerate(value.shape)
            if axis != site.axis and axis not in value.dynamic
        )
        for site, value in found
    )


def _samples(value: Tensor, site: Site, units: int) -> Float[Tensor, "_ {units}"]:
    """Return the group's entries along the axis as columns: free of copies if channels are last."""
    rows = value.movedim(site.axis, -1)
    rows = rows.reshape(-1, rows.shape[-1])
    return rows[:, site.offset : site.offset + site.step * units : site.step]


def _nodes(traced: Traced, stage: Stage) -> list[str]:
    """Return the names of all nodes that hold a site, each once."""
    return list(
        dict.fromkeys(getattr(site, stage) for sites in traced.sites.values() for site in sites)
    )


@lru_cache(maxsize=16)
def _collector(traced: Traced, stage: Stage) -> fx.GraphModule:
    """Return the graph whose results are the values at the sites, without what comes after."""
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    old = traced.seen.graph.module.graph
    graph.graph_copy(old, copies)
    by_name = {node.name: copies[node] for node in old.nodes if node in copies}
    graph.output(tuple(by_name[name] for name in _nodes(traced, stage)))
    graph.eliminate_dead_code()
    _overwrite(graph)
    return fx.GraphModule(traced.seen.graph.module, graph)


def _overwrite(graph: fx.Graph) -> None:
    """Let ReLUs overwrite what nobody else reads: the maps kept as results cost memory enough."""
    for node in graph.nodes:
        if node.target is torch.ops.aten.relu.default:
            before = node.args[0]
            if len(before.users) == 1 and operator_name(before) in _NEW_TENSOR:
                node.target = torch.ops.aten.relu_.default
