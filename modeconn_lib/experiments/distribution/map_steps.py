"""The steps of global connections: maps that are learned on some networks and connect others.

networks           ->  learn_normaliser  ->  normaliser
A, B, normaliser   ->  measure_through   ->  worst accuracies
A, B, normaliser   ->  look_at_map       ->  what it makes of units, and the way of some of them

The tasks that name them are built in `connection_tasks`.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.evaluation.normality import normality, of_chance
from modeconn_lib.experiments.distribution.measured_parts import measure_one_part
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.distribution.global_connection import (
    LearnLikelihood,
    LearnMiddle,
    UnitBatches,
    through,
)
from modeconn_lib.paths.distribution.normaliser import Design, Normaliser
from modeconn_lib.paths.distribution.samples import Units, butterflies, samples
from modeconn_lib.results.record import Record
from modeconn_lib.training.fit import NonFiniteLoss, Recipe, fit
from modeconn_lib.training.metrics import measure


def learn_normaliser(work: Work) -> Outcome:
    """Learn a global connection on all inputs but the last, by which it is judged.

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
    before = _judged(work, module, normaliser, units, (networks[0], unseen))
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
        return Outcome({"converged": False, "why": str(reason), **_named(before, "before")})
    after = _judged(work, module, normaliser, units, (networks[0], unseen))
    error = normaliser.inversion_error(judged)
    return Outcome(
        scalars={
            "converged": converged(config["objective"], before, after, error),
            **_named(before, "before"),
            **_named(after, "after"),
            "inversion_error": finite(error),
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
    normaliser = _load(work, learned)
    error = _furthest(normaliser, units, (a, b))
    if error >= INVERTED:  # near its ends the path would be another network than at them
        return Outcome({"converged": False, "inversion_error": finite(error)})
    found = measure_one_part(work, through(a, b, units, normaliser), grid(work.config["points"]))
    return Outcome({**found.scalars, "converged": True, "inversion_error": error}, found.series)


SHOWN, TRAILS = 200, 4  # units in a picture, and of these whose way is shown
WAY = 21  # places on it


@torch.no_grad()
def look_at_map(work: Work) -> Outcome:
    """Look at a learned map: what it makes of the units of A, which it has not seen.

    All is drawn in the plane of the two directions in which the standardised units of A vary most;
    the map begins as that standardisation, so that its values have the same coordinates.
    """
    *ends, learned = work.records
    if not learned.scalars["converged"]:
        return Outcome(scalars={"converged": False})
    a, b = (work.here(work.tensors(record)) for record in ends)
    units = hidden_units(work, a)
    normaliser = _load(work, learned)
    if _furthest(normaliser, units, (a, b)) >= INVERTED:
        return Outcome(scalars={"converged": False})
    x = samples(a, units)
    before, after = normaliser.standardised(x), normaliser(x)
    plane = torch.linalg.svd(before - before.mean(0), full_matrices=False).Vh[:2]
    series: dict[str, list[float]] = {}
    for name, values in (("before", before), ("after", after)):
        series |= {f"{name}_{axis}": row.tolist() for axis, row in _in(plane, values[:SHOWN])}
    learnt = through(a, b, units, normaliser)
    straight = Normaliser(x.shape[1], normaliser.design).to(x.device)  # standardises, and no more
    straight.mean.copy_(normaliser.mean)
    straight.scale.copy_(normaliser.scale)
    for name, path in (("arc", through(a, b, units, straight)), ("map", learnt)):
        way = [normaliser.standardised(samples(path.at(t), units)[:TRAILS]) for t in grid(WAY)]
        for axis, row in _in(plane, torch.stack(way, 1).flatten(0, 1)):
            series[f"{name}_{axis}"] = row.tolist()  # unit after unit
    scalars: dict[str, float | int | str | bool] = {"converged": True, "trails": TRAILS}
    chance = of_chance(*x.shape)
    for name, found in (
        ("before", normality(before)),
        ("after", normality(after)),
        ("chance", chance),
    ):
        scalars |= {f"kurtosis_{name}": found.kurtosis, f"correlation_{name}": found.correlation}
    return Outcome(scalars=scalars, series=series)


def _in(plane: Tensor, values: Tensor) -> list[tuple[str, Tensor]]:
    """Return where values lie in a plane, by axis."""
    return list(zip("xy", plane @ values.T, strict=True))


def _furthest(normaliser: Normaliser, units: Units, ends: tuple[Params, Params]) -> float:
    """Return how far a unit of two networks is from itself after the map and its inverse."""
    return max(normaliser.inversion_error(samples(network, units)) for network in ends)


def _load(work: Work, learned: Record) -> Normaliser:
    """Return a learned map, on the machine."""
    design = Design(**learned.config["design"])
    return Normaliser.of_state(work.tensors(learned), design).to(work.machine.device)


def hidden_units(work: Work, params: Params) -> Units:
    """Return the butterflies of a network with one hidden layer."""
    spec = work.trace().spec
    (group,) = spec.sizes
    return butterflies(spec, group, params)


INVERTED = 1e-2  # standard deviations by which a unit may miss itself there and back
JUDGED = 2_000  # training images that the network half-way is judged on


@torch.no_grad()
def _judged(
    work: Work, module: nn.Module, normaliser: Normaliser, units: Units, pair: tuple[Params, Params]
) -> dict[str, float]:
    """Return what learning is judged by, for a network that it does not see.

    The mean log-likelihood of its units, in nats, and the loss half-way from a network that is
    seen, in nats.
    """
    middle = through(*pair, units, normaliser).at(0.5)
    images = work.in_order("train", min(JUDGED, work.config["train_examples"]))
    return {
        "likelihood": float(normaliser.log_likelihood(samples(pair[1], units)).mean()),
        "middle": measure(module, middle, images, work.exact).loss,
    }


def _named(judged: Mapping[str, float], when: str) -> dict[str, float | None]:
    return {f"{name}_{when}": finite(value) for name, value in judged.items()}


def finite(value: float) -> float | None:
    """Return a number as a record keeps it: None where it is not finite."""
    return value if math.isfinite(value) else None


def converged(
    objective: str, before: Mapping[str, float], after: Mapping[str, float], error: float
) -> bool:
    """Return whether learning has led anywhere, judged by a network that it does not see.

    Its units are likelier, or the loss half-way to it is lower. A map that does not come back to
    where it started connects nothing, whatever its loss.
    """
    if objective == "likelihood":
        better = after["likelihood"] > before["likelihood"]
    else:
        better = after["middle"] < before["middle"]
    return better and error < INVERTED


STEPS: dict[str, Step] = {
    "normaliser": learn_normaliser,
    "through": measure_through,
    "map": look_at_map,
}
