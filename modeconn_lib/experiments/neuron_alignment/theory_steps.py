"""The steps of the chapter on theory.

bound_line  ->  distances and losses on a line, and their bounds, by matching
write_down  ->  networks made for the purpose, and how their bounds do

The tasks that name them are built in `theory_tasks`; the third step is in `descent_steps`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from modeconn_lib.alignment.activations import gather_moments, negative_l2
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.constrained import constrained_permutation
from modeconn_lib.core.params import Params
from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation import bound_examples
from modeconn_lib.evaluation.along_path import uniform_average
from modeconn_lib.evaluation.bound_examples import Example
from modeconn_lib.evaluation.bounds import (
    LOSSES,
    Distances,
    last_layer,
    loss_bound,
    measure_segment,
    printed_bound,
    recursion,
)
from modeconn_lib.evaluation.chains import Chain, chain, homogeneous_norms, spectral_norms
from modeconn_lib.experiments.neuron_alignment.descent_steps import descend_monotonically, two_units
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.permutation.apply import identity, permute
from modeconn_lib.permutation.trace import Traced

LOSS_OF_EXAMPLES = {"rmse": LOSSES["rmse"]}
Series = dict[str, Any]
Values = Float[ndarray, " layers"]


@dataclass(frozen=True, slots=True)
class Norms:
    """Spectral norms of the weights of A and B, which no order of the units changes.

    Attributes
    ----------
    wide_a, wide_b
        With biases counted as weights of a constant input.
    """

    a: Values
    b: Values
    wide_a: Values
    wide_b: Values

    @staticmethod
    def of(a: Chain, b: Chain) -> "Norms":
        """Return the norms of two networks."""
        wide = homogeneous_norms(a), homogeneous_norms(b)
        return Norms(spectral_norms(a), spectral_norms(b), *wide)


def bound_line(work: Work) -> Outcome:
    """Bound the loss between input 0 and input 1, the latter matched in several ways.

    Input 2 is the matching by weights. The others are made here, on the same training images that
    the theorem is about: only so is B's order the best one there. Then the ends and the middle are
    measured once more on test images, of which the matchings know nothing.
    """
    a, b, by_weights = (work.here(work.tensors(record)) for record in work.records)
    traced, module, config = work.trace(), work.network(), work.config
    train = work.in_order("train", config["align_examples"])
    test = work.in_order("test", config["align_examples"])
    orders = matchings(traced, a, b, [images for images, _ in train])
    orders["weights"] = by_weights
    start = chain(module, a)
    norms = Norms.of(start, chain(module, b))
    ts = np.linspace(0.0, 1.0, config["points"])
    scalars: dict[str, float] = {}
    series: Series = {
        "t": ts.tolist(),
        "orders": list(orders),
        "groups": list(traced.spec.sizes),
        "norms_a": norms.a.tolist(),
        "norms_b": norms.b.tolist(),
    }
    for order, p in orders.items():
        end = chain(module, permute(b, traced.spec, p))
        found = measure_segment(start, end, train, ts)
        series |= _with_bounds(f"{order} train", norms, found)
        if order in ("unaligned", "l2_pre"):
            series |= _by_layer(f"{order} train", norms, found)
        unseen = measure_segment(start, end, test, np.array([0.0, 0.5, 1.0]))
        series |= _with_bounds(f"{order} test", norms, unseen)
        bound = np.array(series[f"{order} train cross_entropy bound"])
        scalars[f"{order} train bound"] = uniform_average(bound, found.t)
        work.progress(work.cost // len(orders))
    return Outcome(scalars, series)


def matchings(
    traced: Traced, a: Params, b: Params, images: list[Tensor]
) -> dict[str, dict[str, Tensor]]:
    """Return orders of B's units by how they were found, on images of its own choice.

    ``shared`` is one order for all hidden layers, where they are of one size, as if they were a
    residual stream: the best one for the sum of their squared distances.
    """
    a, b = ({name: value.double() for name, value in of.items()} for of in (a, b))
    images = [batch.double() for batch in images]
    pre = gather_moments(traced, a, b, images, "pre")
    post = gather_moments(traced, a, b, images, "post")
    near = {group: negative_l2(site) for group, (site,) in pre.items()}
    near_post = {group: negative_l2(site) for group, (site,) in post.items()}
    out: dict[str, dict[str, Tensor]] = {
        "unaligned": dict(identity(traced.spec)),
        "l2_pre": {group: best_permutation(table) for group, table in near.items()},
        "l2_post": {group: best_permutation(table) for group, table in near_post.items()},
        "correlation": {g: best_permutation(site.correlation()) for g, (site,) in post.items()},
        "constrained": {
            group: constrained_permutation(-near_post[group], -near[group]).permutation
            for group in near
        },
    }
    if len({len(table) for table in near.values()}) == 1:
        one = best_permutation(torch.stack([table.cpu() for table in near.values()]).sum(0))
        out["shared"] = dict.fromkeys(near, one)
    return out


def _with_bounds(name: str, norms: Norms, found: Distances) -> Series:
    """Return what is true of a line and what bounds it, as a record's series."""
    t, to_a, to_b = found.t, found.to_a[:, -2], found.to_b[:, -2]
    wide = recursion(found.ends, norms.wide_a, norms.wide_b, t)
    deviation = {
        "bound": recursion(found.ends, norms.a, norms.b, t).deviation,
        "half": last_layer(to_a, to_b, float(norms.a[-1]), float(norms.b[-1]), t),
    }
    out: Series = {
        f"{name} ends": found.ends.tolist(),
        f"{name} deviation": found.deviation.tolist(),
        f"{name} deviation homogeneous": wide.deviation.tolist(),
    }
    for loss, values in found.losses.items():
        first, last, constant = float(values[0]), float(values[-1]), LOSSES[loss].constant
        out[f"{name} {loss}"] = values.tolist()
        for kind in ("bound", "half"):
            of = loss_bound(first, last, deviation[kind], t, constant)
            out[f"{name} {loss} {kind}"] = of.tolist()
    errors = found.losses["rmse"]
    printed = printed_bound(float(errors[0]), float(errors[-1]), deviation["bound"])
    return {**out, f"{name} rmse printed": printed.tolist()}


def _by_layer(name: str, norms: Norms, found: Distances) -> Series:
    """Return the distances of every hidden layer and their bounds, as a record's series."""
    bound = recursion(found.ends, norms.a, norms.b, found.t)
    return {
        f"{name} to_a": found.to_a[:, :-1].tolist(),
        f"{name} to_b": found.to_b[:, :-1].tolist(),
        f"{name} to_a bound": bound.to_a.tolist(),
        f"{name} to_b bound": bound.to_b.tolist(),
    }


def write_down(work: Work) -> Outcome:
    """Bound the loss of networks that are made for it, and let Theorem E.3's rule fail."""
    config = work.config
    units, samples, hidden = config["units"], config["samples"], config["hidden"]
    source = generator(config["seed"], "examples")
    asis, swapped = bound_examples.shared_order(source)
    met = {
        "one hidden layer": bound_examples.one_hidden(units, samples, source),
        f"{hidden} hidden layers": bound_examples.several_hidden(units, samples, hidden, source),
    }
    examples = {
        **met,
        "one sign, not parallel": bound_examples.same_sign(units, samples, source),
        "one unit, 2 hidden layers": bound_examples.one_unit(),
        "two layers as they are": asis,
        "two layers in one order": swapped,
    }
    ts = np.linspace(0.0, 1.0, config["points"])
    series: Series = {"t": ts.tolist(), "examples": list(examples), "met": list(met)}
    scalars: dict[str, float] = {}
    for name, example in examples.items():
        loss, bound, ends = _of_example(example, ts)
        series |= {f"{name} loss": loss, f"{name} bound": bound, f"{name} ends": ends}
        scalars[f"{name} gap"] = max(
            (high - low) / max(high, 1e-300) for low, high in zip(loss, bound, strict=True)
        )
    for factor, what in ((1.0, "printed"), (2.0, "mended")):
        run = two_units(1e-3, factor)
        series[f"{what} sharp"] = [one.sharp / 1e-3 for one in run.iterates]
        series[f"{what} accepted"] = [one.accepted for one in run.iterates]
        series[f"{what} terms"] = [(one.by_phi + one.by_p) / 1e-3 for one in run.iterates]
        scalars[f"{what} rounding"] = run.rounding / 1e-3
    series |= _drawn(config, source)
    work.progress(work.cost)
    return Outcome(scalars, series)


def _drawn(config: Mapping[str, Any], source: torch.Generator) -> Series:
    """Return what alignment makes of random networks, half-way, as a share of unaligned.

    Of the true distance of the second hidden layer to A's, and of the bound of it.
    """
    half, true, bounded = np.array([0.5]), [], []
    for _ in range(config["drawn"]):
        pair = bound_examples.drawn(3, config["samples"], source)
        found = [measure_segment(e.a, e.b, [(e.x, e.y)], half, LOSS_OF_EXAMPLES) for e in pair]
        norms = [(spectral_norms(e.a), spectral_norms(e.b)) for e in pair]
        asis, aligned = (recursion(f.ends, *n, half) for f, n in zip(found, norms, strict=True))
        true.append(float(found[1].to_a[0, 1] / found[0].to_a[0, 1]))
        bounded.append(float(aligned.to_a[0, 1] / asis.to_a[0, 1]))
    return {"drawn true": true, "drawn bound": bounded}


def _of_example(example: Example, ts: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Return the loss along the line, its bound, and the distances of the ends."""
    batches: Iterable[tuple[Tensor, Tensor]] = [(example.x, example.y)]
    found = measure_segment(example.a, example.b, batches, ts, LOSS_OF_EXAMPLES)
    norms_a, norms_b = spectral_norms(example.a), spectral_norms(example.b)
    deviation = recursion(found.ends, norms_a, norms_b, ts).deviation
    loss = found.losses["rmse"]
    bound = loss_bound(float(loss[0]), float(loss[-1]), deviation, ts, LOSSES["rmse"].constant)
    return loss.tolist(), bound.tolist(), found.ends.tolist()


STEPS: dict[str, Step] = {
    "bounds": bound_line,
    "tightness": write_down,
    "monotone": descend_monotonically,
}
