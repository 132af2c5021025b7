"""What weight matching costs, against computing every table from scratch at every visit.

Two networks with fresh weights, the same for both, matched until no group of units gains:

    full     algorithm 1 as written: permute B, one product and one assignment a visit
    ours     `match_weights`: tables kept up to date, groups with nothing new left out
    rebasin  the package of that name (PyPI, 0.0.47), if it is installed; its search alone is timed

Ours must reach the objective of `full` before anything is timed. The package visits groups in
another order, and moves fewer axes in some networks: what it reaches is kept beside ours. Large
networks take seconds a round: a few rounds are enough there.
"""

import copy
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
import typer
from torch import nn

from benchmarks.timing import report
from modeconn_lib.alignment.weights import learnable, match_weights, within
from modeconn_lib.core.hardware import Machine, torchvision
from modeconn_lib.core.params import Params, dot, params_of
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.reference.weight_matching import match_by_full_recompute

Variants = dict[str, Callable[[], object]]


def module_of(network: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return a network of the registry, or ``torchvision:NAME``, and the shape of its images."""
    prefix, _, name = network.rpartition(":")
    if prefix:
        return torchvision().models.get_model(name, weights=None), (3, 224, 224)
    shape = (1, 28, 28) if name.startswith("mlp") else (3, 32, 32)
    return architecture(name).build(shape, 10), shape


def modules(network: str) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """Return two networks with fresh weights, and inputs for them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        (one, shape), (other, _) = module_of(network), module_of(network)
    return one.eval(), other.eval(), torch.zeros(2, *shape)


def pair(network: str, machine: Machine) -> tuple[PermutationSpec, Params, Params]:
    """Return the spec of a network, and the weights of two of them, on the machine."""
    one, other, x = modules(network)
    spec = trace(one, x).spec
    a, b = (learnable(m, params_of(m.to(machine.device))) for m in (one, other))
    return spec, a, b


def package(network: str) -> tuple[Callable[[], object], float]:
    """Return the search of the package `rebasin`, and the objective that it reaches."""
    one, other, x = modules(network)
    moved = copy.deepcopy(other)
    descent = importlib.import_module("rebasin").PermutationCoordinateDescent
    kept, timed = (descent(one, b, x) for b in (moved, other))
    search(kept)
    kept.apply_permutations()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        x = torch.randn(x.shape)
        torch.testing.assert_close(moved(x), other(x), rtol=1e-3, atol=1e-4)
    return lambda: search(timed), dot(*(learnable(m, params_of(m)) for m in (one, moved)))


def search(descent: Any) -> None:
    """Let the package search, from the identity; the networks stay as they are."""
    for permutation, _ in descent.pinit.model_graph.permutation_to_info:
        permutation.perm_indices = torch.arange(len(permutation.perm_indices))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # its order of the groups
        descent.calculate_permutations()


def variants(network: str, machine: Machine) -> tuple[Variants, dict[str, Any]]:
    """Return both, after ours has reached what the other reaches, and what they found."""
    spec, a, b = pair(network, machine)
    part = within(spec, a)
    ours = match_weights(part, a, b)
    found, sweeps = match_by_full_recompute(part, a, b)
    full = dot(a, permute(b, part, found))
    # Equal but for rounding: both add up float32 products.
    if ours.objective < full * (1 - 1e-6):
        raise AssertionError(f"ours reaches {ours.objective}, full recomputation {full}")
    what = {
        "network": network,
        "parameters": sum(value.numel() for value in a.values()),
        "objective": {"full": full, "ours": ours.objective},
        "sweeps": {"full": sweeps, "ours": ours.sweeps},
    }
    steps: Variants = {
        "full": lambda: match_by_full_recompute(part, a, b),
        "ours": lambda: match_weights(part, a, b),
    }
    if importlib.util.find_spec("rebasin") is None:
        print("rebasin is not installed (pip install rebasin==0.0.47): left out")
    elif machine.device.type == "cpu":
        steps["rebasin"], what["objective"]["rebasin"] = package(network)
    return steps, what


def main(rounds: int = 15, network: str = "mlp", threads: int = 0) -> None:
    """Print and keep the ratio of our time to that of computing every table from scratch."""
    if threads:
        torch.set_num_threads(threads)
    machine = Machine.detect().exact()
    steps, what = variants(network, machine)
    name = f"weight_matching-{network.replace(':', '-')}"
    report(name, steps, "full", rounds, machine, what, warmup=1)


if __name__ == "__main__":
    typer.run(main)
