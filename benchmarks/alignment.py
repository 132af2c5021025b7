"""What matching the units of two networks costs, measured against running both networks.

TinyTen, colour images of 32 x 32 in batches of 500, float32, as the chapters align:

    forward    both networks on all images, and nothing else
    pieces     the same, as few images at a time as `moments` takes (on the CPU)
    moments    our moments of every pair of units, gathered on the way
    align      moments, assignments, report, and the check that B still computes what it did
    plain      moments with forward hooks, every sum of a batch in float32 (`gather_with_hooks`)
    hooks      the same in float64

The correlations of `plain` and `hooks` must be those of `moments` before anything is timed.
"""

from collections.abc import Callable, Iterable

import torch
import typer
from torch import Tensor, nn

from benchmarks.material import SHAPE, fast, networks, noise
from benchmarks.timing import report
from modeconn_lib.alignment.activations import align_activations, gather_moments, pieces
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.permutation.trace import trace

BATCH = 500


@torch.no_grad()
def run_both(a: nn.Module, b: nn.Module, images: Iterable[Tensor]) -> None:
    """Run both networks on all images."""
    for batch in images:
        a(batch), b(batch)


@torch.no_grad()
def gather_with_hooks(
    a: nn.Module, b: nn.Module, images: Iterable[Tensor], dtype: torch.dtype
) -> list[Tensor]:
    """Return the correlations after every ReLU: maps caught by hooks, sums of this type."""
    sums: dict[int, list[Tensor]] = {}
    count: dict[int, int] = {}
    for batch in images:
        pairs = zip(caught(a, batch, dtype), caught(b, batch, dtype), strict=True)
        for i, (x, y) in enumerate(pairs):
            terms = x.sum(0), y.sum(0), (x * x).sum(0), (y * y).sum(0), x.T @ y
            found = [term.double() for term in terms]
            sums[i] = (
                [old + new for old, new in zip(sums[i], found, strict=True)] if i in sums else found
            )
            count[i] = count.get(i, 0) + len(x)
    return [correlations(*sums[i], count[i]) for i in sums]


def caught(network: nn.Module, batch: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return the maps after every ReLU, one row a position."""
    maps: list[Tensor] = []

    def catch(_: nn.Module, __: object, result: Tensor) -> None:
        maps.append(result.movedim(1, -1).flatten(0, -2).to(dtype))

    relus = [layer for layer in network.modules() if isinstance(layer, nn.ReLU)]
    handles = [relu.register_forward_hook(catch) for relu in relus]
    network(batch)
    for handle in handles:
        handle.remove()
    return maps


def correlations(x: Tensor, y: Tensor, xx: Tensor, yy: Tensor, xy: Tensor, n: int) -> Tensor:
    """Return the correlation of every pair of units from their sums; 0 where one never varies."""
    var_x, var_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    scale = torch.outer(var_x.clamp_min(0).sqrt(), var_y.clamp_min(0).sqrt())
    return torch.where(scale > 1e-12, (xy / n - torch.outer(x / n, y / n)) / scale, 0.0)


def variants(images: int, machine: Machine) -> dict[str, Callable[[], object]]:
    """Return everything to be timed, after the slow reference has agreed."""
    traced = trace(networks(1)[0], torch.zeros(2, *SHAPE))
    one, other = (fast(network.eval(), machine) for network in networks(2))
    batches = [machine.place(batch) for batch in noise(images, machine)[0].split(BATCH)]
    a, b, example = params_of(one), params_of(other), batches[0][:4]
    ours = gather_moments(traced, a, b, batches[:1])
    for dtype in (torch.float32, torch.float64):
        theirs = gather_with_hooks(one, other, batches[:1], dtype)
        for (site,), expected in zip(ours.values(), theirs, strict=True):
            # Maps are float32 in all; a unit that hardly varies has few digits of correlation.
            torch.testing.assert_close(site.correlation(), expected, rtol=0, atol=1e-3)
    few = list(pieces(traced, batches))
    return {
        "forward": lambda: run_both(one, other, batches),
        "pieces": lambda: run_both(one, other, few),
        "moments": lambda: gather_moments(traced, a, b, batches),
        "align": lambda: align_activations(traced, a, b, batches, example),
        "plain": lambda: gather_with_hooks(one, other, batches, torch.float32),
        "hooks": lambda: gather_with_hooks(one, other, batches, torch.float64),
    }


def main(rounds: int = 7, images: int = 10_000, threads: int = 0) -> None:
    """Print and keep the ratios of all variants to the bare forward pass of both networks."""
    if threads:
        torch.set_num_threads(threads)
    machine = Machine.detect().exact()
    what = {"network": "tinyten", "images": images, "batch": BATCH, "image": SHAPE}
    report("alignment", variants(images, machine), "forward", rounds, machine, what, warmup=1)


if __name__ == "__main__":
    typer.run(main)
