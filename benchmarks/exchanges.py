"""What a look half-way through an exchange of two units costs, against a run of the network.

One hidden layer, 28 x 28 images in one channel, float32; times are of one exchange:

    full    the network of that moment is made and run on all images
    ours    all exchanges of the path from one order of the units to another, by what changes

The logits of both must agree to 1e-4 before anything is timed.
"""

from collections.abc import Callable, Sequence

import torch
import typer
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.timing import report
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation.exchanged import exchange_logits, measure_exchanges
from modeconn_lib.models.mlp import fully_connected
from modeconn_lib.paths.distribution.samples import Units, butterflies
from modeconn_lib.paths.distribution.transport import exchanged_units, half_way
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.metrics import measure

SHAPE, CLASSES, BATCH = (1, 28, 28), 10, 1_000
Pairs = Sequence[tuple[int, int]]


def check(module: nn.Sequential, b: Params, units: Units, pairs: Pairs, images: Tensor) -> None:
    """Refuse to time what is not the same."""
    ours = torch.cat(list(exchange_logits(module, b, "fc1", pairs, images)))
    for pair, logits in zip(pairs, ours, strict=True):
        full = functional_call(module, half_way(b, units, pair), (images,))
        torch.testing.assert_close(logits, full, rtol=0, atol=1e-4)


def main(
    rounds: int = 7, units: int = 2_000, images: int = 10_000, full: int = 4, threads: int = 0
) -> None:
    """Print and keep the time of one exchange, both ways."""
    if threads:
        torch.set_num_threads(threads)
    machine, random = Machine.detect().exact(), generator(0, "benchmark")
    module = fully_connected(SHAPE, CLASSES, (units,)).to(machine.device)
    b = params_of(module)
    own = butterflies(trace(module.cpu(), torch.zeros(2, *SHAPE)).spec, "fc1", b)
    module.to(machine.device)
    x = torch.randn(images, *SHAPE, generator=random).to(machine.device)
    y = torch.randint(CLASSES, (images,), generator=random).to(machine.device)
    batches = list(zip(x.split(BATCH), y.split(BATCH), strict=True))
    pairs = exchanged_units(torch.randperm(units, generator=random))
    check(module, b, own, pairs[: 5 * full], x)
    steps: dict[str, Callable[[], object]] = {
        "full": lambda: [
            measure(module, half_way(b, own, pair), batches, machine) for pair in pairs[:full]
        ],
        "ours": lambda: measure_exchanges(module, b, "fc1", pairs, batches),
    }
    what = {"units": units, "images": images, "exchanges": len(pairs), "run in full": full}
    pieces = {"full": full, "ours": len(pairs)}
    report("exchanges", steps, "full", rounds, machine, what, warmup=1, pieces=pieces)


if __name__ == "__main__":
    typer.run(main)
