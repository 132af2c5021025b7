"""The steps of distribution-based connections.

A, B  ->  connect_and_measure  ->  worst accuracies, the path part by part, its exchanges
A, B  ->  learn_chain  ->  inner points  ->  measure_chain
networks  ->  learn_normaliser  ->  normaliser;  A, B, normaliser  ->  measure_through

The tasks that name them are built in `connection_tasks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from modeconn_lib.core.params import Params, lerp
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.evaluation.exchanged import measure_exchanges
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.curves import Curve, chain
from modeconn_lib.paths.distribution.arc import arc
from modeconn_lib.paths.distribution.global_connection import (
    LearnLikelihood,
    LearnMiddle,
    UnitBatches,
    through,
)
from modeconn_lib.paths.distribution.layerwise import Connection, Method, connect
from modeconn_lib.paths.distribution.normaliser import Design, Normaliser
from modeconn_lib.paths.distribution.samples import Units, butterflies, rows, samples
from modeconn_lib.paths.distribution.transport import exchanged_units, half_way
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.paths.path import Path
from modeconn_lib.training.fit import NonFiniteLoss, Recipe, fit
from modeconn_lib.training.metrics import measure

SPLITS = ("train", "test")
KEPT = 200  # values that a record keeps of a long series, each the worst of its stretch


@dataclass
class _Measured:
    """Loss and accuracy of every network looked at, in the order of the path."""

    work: Work
    module: nn.Module
    rows: list[tuple[int, float]] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def look(self, part: int, path: Path, ts: Iterable[float]) -> None:
        """Measure a part of the path at each of `ts`."""
        for t in ts:
            params = self.work.here(path.at(t))
            self.rows.append((part, part + t))
            for split in SPLITS:
                images = images_of(self.work, split)
                found = measure(self.module, params, images, self.work.exact)
                self.values.setdefault(f"{split}_loss", []).append(found.loss)
                self.values.setdefault(f"{split}_accuracy", []).append(found.accuracy)

    def series(self) -> dict[str, list[Any]]:
        """Return parts, places on the path (0 to the number of parts), losses and accuracies."""
        parts, places = zip(*self.rows, strict=True)
        return {"part": list(parts), "t": list(places), **self.values}

    def scalars(self) -> dict[str, float]:
        """Return the worst accuracies, and those of the ends."""
        out = {}
        for split in SPLITS:
            accuracy = self.values[f"{split}_accuracy"]
            out[f"worst_{split}"] = min(accuracy)
            out[f"ends_{split}"] = (accuracy[0] + accuracy[-1]) / 2
        return out


def connect_and_measure(work: Work) -> Outcome:
    """Connect two networks and measure every corner and every middle of the path."""
    a, b = (work.here(work.tensors(record)) for record in work.records)
    module = work.network().to(work.machine.device)
    layers = linear_layers(module)
    if work.config["plain"]:
        connection = Connection((plain(a, b, layers, work.config["rule"]),), (), {}, {})
    else:
        connection = _connection(work, module, a, b)
    found = _Measured(work, module)
    for part, path in enumerate(connection.parts):
        found.look(part, path, looked_at(path, work.config["points"]))
        work.progress(work.cost // (len(connection.parts) + 1))
    exchanged = _exchanges(work, module, b, layers, connection)
    along = found.scalars()
    scalars: dict[str, float | int | str | bool] = {**along}
    for split in SPLITS:
        if exchanged:
            worst = min(min(of[f"{split}_accuracy"]) for of in exchanged.values())
            scalars[f"worst_exchange_{split}"] = worst
            scalars[f"worst_{split}"] = min(worst, along[f"worst_{split}"])
    scalars["exchanges"] = sum(len(of["test_accuracy"]) for of in exchanged.values())
    series = found.series() | {
        f"exchange/{group}/{name}": stretches(values, worst=min if "accuracy" in name else max)
        for group, of in exchanged.items()
        for name, values in of.items()
    }
    series |= {"adjusted": [reader for _, reader in connection.residuals]}
    series |= {"residuals": list(connection.residuals.values())}
    return Outcome(scalars=scalars, series=series)


def linear_layers(module: nn.Module) -> tuple[str, ...]:
    """Return the linear layers and convolutions of a sequential network, first to last."""
    return tuple(n for n, m in module.named_children() if isinstance(m, nn.Linear | nn.Conv2d))


def plain(a: Params, b: Params, layers: Sequence[str], rule: str) -> Path:
    """Return the path on which all layers go at once, each unit by what it reads.

    A network with one hidden layer is one distribution of butterflies instead.
    """
    if rule == "linear":
        return chain(a, b)
    return arc(a, b, [rows(a, layer) for layer in layers])


def looked_at(path: Path, points: int) -> tuple[float, ...]:
    """Return every corner and the middle of every leg; on a smooth path evenly spaced points."""
    corners = path.breakpoints
    if len(corners) == 2:
        return grid(points)
    middles = [(a + b) / 2 for a, b in pairwise(corners)]
    return tuple(sorted([*corners, *middles]))


def images_of(work: Work, split: str) -> Any:
    """Return the images of a split that paths are measured on, in order."""
    examples = "test_examples" if split == "test" else "measure_examples"
    return work.in_order(split, work.config[examples])


def _connection(work: Work, module: nn.Module, a: Params, b: Params) -> Connection:
    config = work.config
    method = Method(config["rule"], config["adjust"], config["solved"], config["positions"])
    images = list(work.inputs("train", config["adjust_examples"]))
    return connect(module, a, b, work.trace().spec, images, method)


def _exchanges(
    work: Work, module: nn.Module, b: Params, layers: Sequence[str], connection: Connection
) -> dict[str, dict[str, list[float]]]:
    """Return loss and accuracy half-way through every exchange, by group of units.

    With the other groups in whatever order, the network computes the same: each group's exchanges
    are measured in B itself.
    """
    out: dict[str, dict[str, list[float]]] = {}
    spec = work.trace().spec
    for group, p in connection.orders.items():
        pairs = exchanged_units(p)
        if not pairs:
            continue
        units = butterflies(spec, group, b)
        (layer,) = {s.tensor.removesuffix(".weight") for s in units.spans if s.axis == 0} & set(
            layers
        )
        out[group] = {}
        for split in SPLITS:
            if isinstance(module.get_submodule(layer), nn.Linear):
                assert isinstance(module, nn.Sequential)  # as `linear_layers` has found
                found = measure_exchanges(module, b, layer, pairs, images_of(work, split))
                loss, accuracy = found.loss.tolist(), found.accuracy.tolist()
            else:
                loss, accuracy = _by_running(work, module, b, units, pairs, split)
            out[group] |= {f"{split}_loss": loss, f"{split}_accuracy": accuracy}
    return out


def _by_running(
    work: Work,
    module: nn.Module,
    b: Params,
    units: Units,
    pairs: Sequence[tuple[int, int]],
    split: str,
) -> tuple[list[float], list[float]]:
    """Return loss and accuracy half-way through exchanges of channels, by the whole network."""
    losses, accuracies = [], []
    for pair in pairs:
        found = measure(module, half_way(b, units, pair), images_of(work, split), work.exact)
        losses.append(found.loss)
        accuracies.append(found.accuracy)
    return losses, accuracies


def stretches(values: Sequence[float], worst: Any, kept: int = KEPT) -> list[float]:
    """Return a long series in `kept` stretches, of each its worst value."""
    if len(values) <= kept:
        return list(values)
    edges = [len(values) * i // kept for i in range(kept + 1)]
    return [worst(values[a:b]) for a, b in pairwise(edges)]


def learn_chain(work: Work) -> Outcome:
    """Learn the inner points of a polygonal chain; their parameters are the tensors."""
    a, b = (work.tensors(record) for record in work.records)
    last = work.config["bends"] - 1
    start = chain(a, *(lerp(a, b, i / last) for i in range(1, last)), b)
    objective = LearnCurve(work.network(), start, work.machine, work.config["penalty"], work.loss())
    history = work.fit(objective)
    inner = objective.result().points[1:-1]
    return Outcome(
        scalars={"train_loss": history.losses[-1], "train_seconds": history.seconds},
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors={f"{i}.{name}": v for i, point in enumerate(inner) for name, v in point.items()},
    )


def measure_chain(work: Work) -> Outcome:
    """Measure a learned chain at evenly spaced points, its corners and middles among them."""
    a, b, points = (work.tensors(record) for record in work.records)
    inner: dict[str, Params] = {}
    for name, value in points.items():
        i, _, own = name.partition(".")
        inner.setdefault(i, {})[own] = value
    path = chain(a, *(inner[str(i)] for i in range(len(inner))), b)
    ts = {*grid(work.config["points"], path.breakpoints), *looked_at(path, 0)}
    return _along(work, path, sorted(ts))


def learn_normaliser(work: Work) -> Outcome:
    """Learn a global connection on all inputs but the last, on whose units it is judged.

    Learning that does not converge is a result: then there are no tensors.
    """
    *networks, unseen = (work.here(work.tensors(record)) for record in work.records)
    config, module = work.config, work.network().to(work.machine.device)
    units = hidden_units(work, networks[0])
    seen = torch.cat([samples(network, units) for network in networks])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        normaliser = Normaliser.of(seen, Design(**config["design"]))
    judged = samples(unseen, units)
    before = _likelihood(normaliser, judged)
    try:
        if config["objective"] == "likelihood":
            batches = UnitBatches(seen, config["batch_size"], config["seed"])
            history = fit(
                LearnLikelihood(normaliser),
                batches,
                Recipe(**config["recipe"]),
                config["seed"],
                folder=work.folder,
                out_of_time=work.out_of_time,
                progress=work.progress,
            )
        else:
            history = work.fit(LearnMiddle(normaliser, module, networks, units, work.machine))
    except NonFiniteLoss as reason:
        return Outcome(
            scalars={"converged": False, "why": str(reason), "likelihood_before": before}
        )
    after, error = _likelihood(normaliser, judged), normaliser.inversion_error(judged)
    return Outcome(
        scalars={
            "converged": _converged(config["objective"], history.losses, before, after, error),
            "likelihood_before": before,
            "likelihood_after": after,
            "inversion_error": error,
            "coordinates": judged.shape[1],
            "train_seconds": history.seconds,
        },
        series={"train_loss": history.losses},
        tensors=normaliser.state_dict(),
    )


def measure_through(work: Work) -> Outcome:
    """Measure the path that a global connection makes of two networks it has not seen."""
    *ends, learned = work.records
    if not learned.scalars["converged"]:  # then there may be no tensors
        return Outcome(scalars={"converged": False})
    a, b = (work.here(work.tensors(record)) for record in ends)
    units = hidden_units(work, a)
    normaliser = Normaliser(samples(a, units).shape[1], Design(**learned.config["design"]))
    normaliser.load_state_dict(work.tensors(learned))
    normaliser.to(work.machine.device)
    error = max(normaliser.inversion_error(samples(network, units)) for network in (a, b))
    found = _along(work, through(a, b, units, normaliser), grid(work.config["points"]))
    return Outcome({**found.scalars, "converged": True, "inversion_error": error}, found.series)


def hidden_units(work: Work, params: Params) -> Units:
    """Return the butterflies of a network with one hidden layer."""
    spec = work.trace().spec
    (group,) = spec.sizes
    return butterflies(spec, group, params)


def _along(work: Work, path: Path | Curve, ts: Sequence[float]) -> Outcome:
    """Measure a path that is one part."""
    found = _Measured(work, work.network().to(work.machine.device))
    found.look(0, path, ts)
    return Outcome(scalars=found.scalars(), series=found.series())


@torch.no_grad()
def _likelihood(normaliser: Normaliser, units: Tensor) -> float:
    """Return the mean log-likelihood of a unit, in nats."""
    return float(normaliser.log_likelihood(units).mean())


INVERTED = 1e-2  # standard deviations by which a unit may miss itself there and back


def _converged(
    objective: str, losses: Sequence[float], before: float, after: float, error: float
) -> bool:
    """Return whether learning has led anywhere: unseen units are likelier, or the loss fell.

    A map that does not come back to where it started connects nothing, whatever its loss.
    """
    better = after > before if objective == "likelihood" else losses[-1] <= losses[0]
    return better and error < INVERTED


STEPS: dict[str, Step] = {
    "connection": connect_and_measure,
    "chain": learn_chain,
    "along_chain": measure_chain,
    "normaliser": learn_normaliser,
    "through": measure_through,
}
