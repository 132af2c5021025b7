"""The step that connects two networks by distribution, and measures the path.

A, B  ->  connect_and_measure  ->  worst accuracies, the path part by part, its exchanges

The tasks that name it are built in `connection_tasks`.
"""

from collections.abc import Sequence
from statistics import fmean

from torch import nn

from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.exchanged import measure_exchanges
from modeconn_lib.experiments.distribution.measured_parts import (
    SPLITS,
    MeasuredParts,
    by_split,
    images_of,
    looked_at,
    stretches,
)
from modeconn_lib.experiments.work import STATISTICS_BATCH, Outcome, Step, Work
from modeconn_lib.paths.curves import chain
from modeconn_lib.paths.distribution.arc import arc
from modeconn_lib.paths.distribution.layerwise import Connection, Method, connect
from modeconn_lib.paths.distribution.samples import Units, butterflies, rows
from modeconn_lib.paths.distribution.transport import exchanged_units, half_way
from modeconn_lib.paths.distribution.turns import turns
from modeconn_lib.paths.path import Path
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.training.batchnorm import has_batchnorm


def connect_and_measure(work: Work) -> Outcome:
    """Connect two networks and measure every corner and every middle of the path."""
    with work.exact.precision():  # layers are solved for on the way, too
        return _measured(work)


def _measured(work: Work) -> Outcome:
    a, b = (work.here(work.tensors(record)) for record in work.records)
    module = work.network().to(work.machine.device)
    connection = _connection(work, module, a, b)
    parts = MeasuredParts(work, module)
    for part, path in enumerate(connection.parts):
        parts.look(part, path, looked_at(path, work.config["points"]))
        work.progress(work.cost // (len(connection.parts) + 1))
    exchanged = _exchanges(work, module, b, connection)
    along = parts.scalars()
    scalars: dict[str, float | int | str | bool | None] = {**along}
    for split in SPLITS:
        if exchanged:
            half = [v for of in exchanged.values() for v in of[f"{split}_accuracy"]]
            worst = min(half)
            scalars[f"worst_exchange_{split}"] = worst
            scalars[f"mean_exchange_{split}"] = fmean(half)
            scalars[f"worst_{split}"] = min(worst, along[f"worst_{split}"])
    scalars["exchanges"] = sum(len(exchanged_units(p)) for p in connection.orders.values())
    scalars["exchanges_measured"] = sum(len(of["test_accuracy"]) for of in exchanged.values())
    series = parts.series() | {
        f"exchange/{group}/{name}": stretches(values, worst=min if "accuracy" in name else max)
        for group, of in exchanged.items()
        for name, values in of.items()
    }
    series |= {"changed": [layer for layer, _ in connection.residuals]}
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


def _connection(work: Work, module: nn.Module, a: Params, b: Params) -> Connection:
    config, spec = work.config, work.trace().spec
    if config["plain"]:
        few = next(iter(work.inputs("train", 2)))  # to see in which order layers are computed
        layers = [turn.layer for turn in turns(module, spec, few)]
        return Connection((plain(a, b, layers, config["rule"]),), (), {}, {})
    # A batch that batch norm takes its statistics from has to be large; others need not be.
    batch = STATISTICS_BATCH if has_batchnorm(module) else None
    images = list(work.inputs("train", config["adjust_examples"], batch))
    numbers = (config[name] for name in ("rule", "adjust", "solved", "positions", "ridge"))
    method = Method(*numbers)
    return connect(module, a, b, spec, images, method)


def _exchanges(
    work: Work, module: nn.Module, b: Params, connection: Connection
) -> dict[str, dict[str, list[float]]]:
    """Return loss and accuracy half-way through exchanges, by group: all, or as many as wanted.

    With the other groups in whatever order, the network computes the same: each group's exchanges
    are measured in B itself.
    """
    out: dict[str, dict[str, list[float]]] = {}
    spec = work.trace().spec
    for group, p in connection.orders.items():
        pairs = _some(exchanged_units(p), work.config["exchanges"])
        if not pairs:
            continue
        layer = _putting_out(module, spec, group)
        if not layer or not isinstance(module, nn.Sequential):
            units = butterflies(spec, group, b)
            out[group] = _by_running(work, module, b, units, pairs)
            continue
        out[group] = {}
        for split in SPLITS:
            found = measure_exchanges(module, b, layer, pairs, images_of(work, split))
            out[group][f"{split}_loss"] = found.loss.tolist()
            out[group][f"{split}_accuracy"] = found.accuracy.tolist()
    return out


def _putting_out(module: nn.Module, spec: PermutationSpec, group: str) -> str | None:
    """Return the layer that puts out a group, in a chain of layers; or None."""
    if any(next(part.children(), None) for part in module.children()):
        return None
    rows = {span.tensor for span in spec.spans[group] if span.axis == 0}
    return next((name for name in linear_layers(module) if f"{name}.weight" in rows), None)


def _some(pairs: Sequence[tuple[int, int]], wanted: int) -> Sequence[tuple[int, int]]:
    """Return `wanted` of the exchanges, evenly spread; 0 for all."""
    if not wanted or len(pairs) <= wanted:
        return pairs
    return [pairs[len(pairs) * i // wanted] for i in range(wanted)]


def _by_running(
    work: Work, module: nn.Module, b: Params, units: Units, pairs: Sequence[tuple[int, int]]
) -> dict[str, list[float]]:
    """Return loss and accuracy half-way through exchanges by the whole network."""
    out: dict[str, list[float]] = {}
    for pair in pairs:
        for split, found in by_split(work, module, half_way(b, units, pair)).items():
            out.setdefault(f"{split}_loss", []).append(found.loss)
            out.setdefault(f"{split}_accuracy", []).append(found.accuracy)
    return out


STEPS: dict[str, Step] = {"connection": connect_and_measure}
