"""What it costs to solve for the second layer of a network, against the pseudo-inverse.

One hidden layer, 28 x 28 images in one channel:

    pinv    all features in float64, their pseudo-inverse, a product: as it is written
    ours    the features a batch at a time, normal equations in float64

The residuals of both must agree to a millionth before anything is timed, and ours must have done
with 2 GiB of memory: the peak is that of the whole process, read before `pinv` runs.
"""

import resource

import torch
import typer
from torch import Tensor

from benchmarks.timing import report
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params, params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.models.mlp import fully_connected
from modeconn_lib.paths.distribution.adjustment import Adjusted, Adjustment, adjustment

SHAPE, CLASSES, BATCH = (1, 28, 28), 10, 1_000
MOST = 2_048  # MiB


def by_pseudo_inverse(params: Params, images: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """Return the weights and the relative residual."""
    x = images.flatten(1).double()
    phi = (x @ params["fc1.weight"].double().T + params["fc1.bias"].double()).relu()
    y = targets.double()
    weight = y.T @ torch.linalg.pinv(phi.T)
    return weight, float((y.T - weight @ phi.T).norm() / y.norm())


def peak() -> float:
    """Return the most memory that this process has used, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(rounds: int = 3, units: int = 2_000, images: int = 50_000, threads: int = 0) -> None:
    """Print and keep the times of both."""
    if threads:
        torch.set_num_threads(threads)
    machine, random = Machine.detect().exact(), generator(0, "benchmark")
    module = fully_connected(SHAPE, CLASSES, (units,)).to(machine.device)
    a = params_of(module)
    b = params_of(fully_connected(SHAPE, CLASSES, (units,)).to(machine.device))
    mixed = b | {name: a[name] for name in ("fc.weight", "fc.bias")}
    before = peak()
    x = torch.randn(images, *SHAPE, generator=random).to(machine.device)
    made: Adjustment = adjustment(module, a, "fc", x.split(BATCH))
    ours: Adjusted = made.at(mixed)
    memory, targets = peak(), torch.cat(list(made.targets))
    if memory > max(MOST, before):  # whatever the process had done before is not ours
        raise SystemExit(f"adjusting took {memory:.0f} MiB of memory, more than {MOST} MiB")
    _, residual = by_pseudo_inverse(mixed, x, targets)
    if abs(ours.residual - residual) > 1e-6 * residual:
        raise SystemExit(
            f"residuals differ: {ours.residual} ours, {residual} of the pseudo-inverse"
        )
    steps = {
        "pinv": lambda: by_pseudo_inverse(mixed, x, targets),
        "ours": lambda: made.at(mixed),
    }
    what = {
        "units": units,
        "images": images,
        "residual": residual,
        "residual of ours, relative difference": abs(ours.residual - residual) / residual,
        "peak of ours, MiB": round(memory),
    }
    print(what)
    report("adjustment", steps, "pinv", rounds, machine, what, warmup=0)


if __name__ == "__main__":
    typer.run(main)
