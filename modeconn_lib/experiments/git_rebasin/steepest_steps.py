"""A step of chapter 28: the order of B's units that lies most nearly downhill of A.

A, B  ->  gradient of the training loss at A  ->  steepest_descent  ->  slopes, first steps

The task that names it is built in `failure_modes`.
"""

from typing import Any

import torch
from torch.func import functional_call, grad

from modeconn_lib.alignment.steepest import steepest_descent
from modeconn_lib.alignment.weights import learnable
from modeconn_lib.core.params import Params, dot, lerp
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.permutation.apply import permute
from modeconn_lib.training.metrics import measure


def descend(work: Work) -> Outcome:
    """Find the order of input 1 in which the line from input 0 begins most steeply downhill.

    Input 2 is the weight matching it is compared with. Slopes are those of the loss on the first
    training images at A, along the line to B as it is, matched by weights, and ordered by descent;
    the losses at the task's values of lambda show how far the descent goes. Close to A, where
    they are, batch-norm statistics are mixed like weights.
    """
    a, b, matched = (work.here(work.tensors(record)) for record in work.records)
    config, spec, module = work.config, work.trace().spec, work.network()
    mine, other = learnable(module, a), learnable(module, b)
    slope = gradient(work, a)
    found = steepest_descent(spec, slope, other, orders=config["orders"], seed=config["seed"])
    ends = {
        "naive": b,
        "weights": permute(b, spec, matched),
        "steepest": permute(b, spec, found.permutations),
    }
    images = work.in_order("train", config["measure_examples"])
    downhill = dot(slope, mine)
    scalars: dict[str, float] = {"sweeps": found.sweeps, "match_seconds": found.seconds}
    series: dict[str, list[Any]] = {"near": list(config["near"])}
    for name, end in ends.items():
        scalars[f"{name}_slope"] = dot(slope, learnable(module, end)) - downhill
        series[f"{name}_loss"] = [
            measure(module, lerp(a, end, t), images, work.exact).loss for t in config["near"]
        ]
        work.progress(work.cost // len(ends))
    return Outcome(scalars, series, tensors=dict(found.permutations))


def gradient(work: Work, params: Params) -> Params:
    """Return the gradient of the mean loss on the first training images, in evaluation mode."""
    module = work.network().to(work.machine.device).eval()
    weights = learnable(module, params)
    buffers = {name: value for name, value in params.items() if name not in weights}
    total = {name: torch.zeros_like(value) for name, value in weights.items()}
    examples = 0

    def loss(at: Params, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = functional_call(module, {**at, **buffers}, (images,))
        return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")

    for images, labels in work.in_order("train", work.config["measure_examples"]):
        for name, value in grad(loss)(weights, images, labels).items():
            total[name].add_(value)
        examples += len(labels)
    return {name: value / examples for name, value in total.items()}


STEPS: dict[str, Step] = {"steepest": descend}
