"""What a look half-way through an exchange of two units costs, against a run of the network.

One hidden layer and 28 x 28 images in one channel, or Conv2FC1 and 32 x 32 images in three; in
float32. Times are of one exchange:

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
from modeconn_lib.models.convfc import conv2fc1
from modeconn_lib.models.mlp import fully_connected
from modeconn_lib.paths.distribution.samples import Units, butterflies
from modeconn_lib.paths.distribution.transport import exchanged_units, half_way
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.metrics import measure

CLASSES = 10
BATCHES = {"fc1": 1_000, "conv1": 125, "conv2": 125}  # images, as chapters measure on a CPU
Pairs = Sequence[tuple[int, int]]


def check(
    module: nn.Sequential, b: Params, layer: str, units: Units, pairs: Pairs, images: Tensor
) -> None:
    """Refuse to time what is not the same."""
    ours = torch.cat(list(exchange_logits(module, b, layer, pairs, images)))
    for pair, logits in zip(pairs, ours, strict=True):
        full = functional_call(module, half_way(b, units, pair), (images,))
        torch.testing.assert_close(logits, full, rtol=0, atol=1e-4)


def main(
    layer: str = "fc1",
    rounds: int = 7,
    units: int = 2_000,
    images: int = 10_000,
    full: int = 4,
    threads: int = 0,
) -> None:
    """Print and keep the time of one exchange of units of fc1, conv1 or conv2, both ways."""
    if layer not in BATCHES:
        raise typer.BadParameter(f"layer is one of {', '.join(BATCHES)}, got {layer!r}")
    if threads:
        torch.set_num_threads(threads)
    machine, random = Machine.detect().exact(), generator(0, "benchmark")
    if layer == "fc1":
        module = fully_connected(shape := (1, 28, 28), CLASSES, (units,))
    else:
        module = conv2fc1(shape := (3, 32, 32), CLASSES)
    spec = trace(module, torch.zeros(2, *shape)).spec
    module.to(machine.device)
    b = params_of(module)
    own = butterflies(spec, layer, b)
    x = torch.randn(images, *shape, generator=random).to(machine.device)
    y = torch.randint(CLASSES, (images,), generator=random).to(machine.device)
    size = BATCHES[layer]
    batches = list(zip(x.split(size), y.split(size), strict=True))
    pairs = exchanged_units(torch.randperm(own.size, generator=random))
    check(module, b, layer, own, pairs[: 5 * full], x[: 1_000 if layer != "fc1" else None])
    steps: dict[str, Callable[[], object]] = {
        "full": lambda: [
            measure(module, half_way(b, own, pair), batches, machine) for pair in pairs[:full]
        ],
        "ours": lambda: measure_exchanges(module, b, layer, pairs, batches),
    }
    what = {
        "layer": layer,
        "units": own.size,
        "images": images,
        "exchanges": len(pairs),
        "run in full": full,
    }
    pieces = {"full": full, "ours": len(pairs)}
    name = "exchanges" if layer == "fc1" else f"exchanges-{layer}"
    report(name, steps, "full", rounds, machine, what, warmup=1, pieces=pieces)


if __name__ == "__main__":
    typer.run(main)
