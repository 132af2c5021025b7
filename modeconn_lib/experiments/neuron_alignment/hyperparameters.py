"""Chapter 17: learned curves by learning rate and batch size, unaligned and aligned.

Setting  ->  plan  ->  runner  ->  Study  ->  Table 3, claims

Reproduces Tatro et al. 2020, Table 3. Networks and alignments are the same for every cell; only
the learning of the curves differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import curve_profiles
from modeconn_lib.experiments.neuron_alignment.rate_cells import (
    BATCH_SIZES,
    KINDS,
    RATES,
    Cell,
    grid,
    paper,
)
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import QUICK, SMOKE, Profiles
from modeconn_lib.experiments.runner import Options
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise
from modeconn_lib.training.fit import Recipe

PROFILES: Profiles = {
    "smoke": (replace(SMOKE, pairs=1, rates=(0.5,), batch_sizes=(32,)),),
    "quick": (
        replace(
            QUICK,
            curve=Recipe(epochs=2, weight_decay=0.0),
            statistics_examples=500,
            measure_examples=200,
            points=5,
            rates=(0.01, 0.5),
            batch_sizes=(128,),
        ),
    ),
    # The corners of the paper's grid and its centre, each for half of chapter 13's epochs and
    # measured at half of its points.
    "standard": (
        replace(
            curve_profiles.STANDARD_CIFAR100,
            pairs=1,
            curve=Recipe(epochs=5, weight_decay=0.0),
            points=9,
            rates=(0.01, 0.5),
            batch_sizes=(64, 256),
        ),
    ),
    "paper": tuple(
        replace(numbers, rates=RATES, batch_sizes=BATCH_SIZES)
        for numbers in curve_profiles.PROFILES["paper"]
        if (numbers.dataset, numbers.architecture) == ("cifar100", "tinyten")
    ),
}


def cells(setting: Setting) -> list[Cell]:
    """Return the profile's grid and, with it, its own rate and batch size, in rising order."""
    numbers = setting.numbers
    assert numbers.curve is not None  # as every profile of this chapter says
    grid = {Cell(*pair) for pair in product(numbers.rates, numbers.batch_sizes)}
    return sorted(grid | {Cell(numbers.curve.learning_rate, numbers.batch_size)})


def plan(setting: Setting) -> dict[str, Task]:
    """Return the chapter's tasks by name.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned/0.01 x 64``,
    ``along/0/aligned/0.01 x 64``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, cell in product(KINDS, cells(setting)):
            learned = _curve(setting, pair, cell, aligned=kind == "aligned")
            out[f"curve/{pair}/{kind}/{cell.name}"] = learned
            along = tasks.along(setting, pair, aligned=kind == "aligned", learned=True, by=learned)
            label = f"{along.label}, {cell.name}"
            out[f"along/{pair}/{kind}/{cell.name}"] = replace(along, label=label)
    return out


def _curve(setting: Setting, pair: int, cell: Cell, *, aligned: bool) -> Task:
    """Return the learning of a curve at the cell's rate and batch size, all else being equal.

    The batch size of the profile, with which the networks were trained, remains theirs.
    """
    usual = tasks.curve(setting, pair, aligned=aligned)
    recipe = {**usual.config["recipe"], "learning_rate": cell.rate}
    config = {**usual.config, "recipe": recipe, "batch_size": cell.batch_size}
    return replace(usual, config=config, label=f"{usual.label}, {cell.name}")


CHAPTER = Chapter("17_hyperparameters", plan, PROFILES)


def run(setting: Setting, store: Store, options: Options | None = None) -> Study:
    """Return the chapter's records, computing what the store lacks (raises as `runner.run`)."""
    (study,) = CHAPTER.run(setting, store, options).values()
    return study


def recorded(setting: Setting, store: Store) -> Study | None:
    """Return the best study that is wholly recorded, or None."""
    return next(iter(CHAPTER.recorded(setting, store).values()), None)


def summaries(study: Study) -> dict[str, Summary]:
    """Return the page's numbers, in percent, over pairs or over cells.

    Names: ``endpoint accuracy``; ``<kind> average over cells`` and ``<kind> minimum over cells``
    (mean and deviation over the cells' means); ``<kind> spread`` (highest less lowest cell);
    ``gain of alignment`` (over cells).
    """
    ends = study.select("endpoint/").values()
    out = {"endpoint accuracy": summarise(100 * r.number("test_accuracy") for r in ends)}
    average, worst = grid(study), grid(study, "minimum_accuracy")
    for kind in KINDS:
        means = [s.mean for s in average[kind].values()]
        out[f"{kind} average over cells"] = summarise(means)
        out[f"{kind} minimum over cells"] = summarise(s.mean for s in worst[kind].values())
        out[f"{kind} spread"] = summarise([_spread(average[kind])])
    out["gain of alignment"] = summarise(gains(study).values())
    return out


def gains(study: Study) -> dict[Cell, float]:
    """Return for each cell how much more accurate the aligned curve is on average, in points."""
    of = grid(study)
    return {cell: of["aligned"][cell].mean - s.mean for cell, s in of["unaligned"].items()}


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records, and whether it is so."""
    of, gain = grid(study), gains(study)
    spread = {kind: _spread(of[kind]) for kind in KINDS}
    lowest = min(s.mean for s in of["aligned"].values())
    highest = max(s.mean for s in of["unaligned"].values())
    least = min(gain, key=lambda cell: gain[cell])
    return [
        Claim(
            "averaged over the cells, aligned curves are more accurate than unaligned ones",
            sum(gain.values()) > 0,
            f"by {sum(gain.values()) / len(gain):.2f} points over {len(gain)} cells",
        ),
        Claim(
            "in every cell the aligned curve is more accurate than the unaligned one",
            gain[least] > 0,
            f"in {sum(g > 0 for g in gain.values())} of {len(gain)}; least at {least.title}: "
            f"{gain[least]:+.2f} points",
            insisted=False,
        ),
        Claim(
            "the worst aligned cell is more accurate than the best unaligned one",
            lowest > highest,
            f"{lowest:.2f} % against {highest:.2f} %",
            insisted=False,
        ),
        Claim(
            "aligned curves depend less on rate and batch size: their cells spread less",
            spread["aligned"] < spread["unaligned"],
            f"{spread['aligned']:.2f} points against {spread['unaligned']:.2f}",
            insisted=False,
        ),
    ]


def _spread(cells: Mapping[Cell, Summary]) -> float:
    """Return by how much the highest cell is above the lowest."""
    means = [summary.mean for summary in cells.values()]
    return max(means) - min(means)


def scorecard(study: Study, recorded: Study | None) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each kind of curve."""
    said = paper()
    return [
        {
            "claim": f"Table 3, {kind} curves: average accuracy over rates and batch sizes, %",
            "paper": _range([mean for mean, _ in said[kind].values()]),
            "recorded": _cells(recorded, kind) if recorded else "not run",
            "build": _cells(study, kind),
            "verdict": verdict(claims(recorded or study)),
        }
        for kind in KINDS
    ]


def _cells(study: Study, kind: str) -> str:
    means = [summary.mean for summary in grid(study)[kind].values()]
    return f"{_range(means)}, n = {len(study.select('alignment/'))}"


def _range(means: Sequence[float]) -> str:
    return f"{min(means):.1f} to {max(means):.1f} over {len(means)} cells"
