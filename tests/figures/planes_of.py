"""A study of planes with numbers that are easy to check."""

from dataclasses import asdict, replace

from modeconn_lib.experiments.profiles import SMOKE
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.training.fit import Recipe

TINY = replace(
    SMOKE,
    architecture="mlp_small",
    pairs=1,
    train_examples=64,
    test_examples=40,
    batch_size=16,
    endpoint=Recipe(epochs=1),
    curve=Recipe(epochs=1, weight_decay=0.0),
    align_examples=32,
    statistics_examples=32,
    measure_examples=32,
    resolution=3,
)
T = [0.0, 0.5, 1.0]
AXES = {"x": [-0.05, 0.5, 1.05], "y": [-0.1, 0.7, 1.5], "t": T}
SCALARS = {"width": 10.0, "height": 8.0, "length": 12.0, "classes": 10}
LOSSES = [[0.4, 2.0, 0.5], [0.6, 0.7, 0.6], [3.0, 9.0, 3.0]]
ACCURACY = {
    "networks": [[0.8, 0.2, 0.8], [0.7, 0.6, 0.7], [0.1, 0.1, 0.1]],
    "unaligned": [[0.8, 0.2, 0.8], [0.7, 0.8, 0.7], [0.1, 0.1, 0.1]],
    "aligned": [[0.8, 0.7, 0.8], [0.8, 0.8, 0.8], [0.1, 0.1, 0.76]],
}


def study(profile: str = "quick", **changes) -> Study:
    """One pair; `changes` are put in for series of that name, or for a kind's grid of accuracies.

    The third network of every plane stands at (0.4, 1).
    """
    records = {
        "plane/0/networks": plane(
            "networks", ["A", "B", "πB"], way("unaligned line", 2.5) | way("aligned line", 0.7)
        )
    }
    for kind, middle in (("unaligned", 0.8), ("aligned", 0.6)):
        names = ["A", "πB" if kind == "aligned" else "B", "r(½)"]
        ways = way(f"{kind} line", 2.5) | way(f"{kind} curve", middle, height=1.0)
        records[f"plane/0/{kind}"] = plane(kind, names, ways)
    return Study(
        "14_planes", profile, config(), {n: changed(r, changes) for n, r in records.items()}
    )


def plane(through: str, names: list[str], ways: dict) -> Record:
    places = {
        "networks x": [0.0, 1.0, 0.4],
        "networks y": [0.0, 0.0, 1.0],
        "networks distance": [0.0, 0.0, 1e-9],
    }
    grid = {"test_loss": LOSSES, "test_accuracy": ACCURACY[through]}
    said = {"through": through, "resolution": 3, "test_examples": 2_000}
    return Record(
        "plane",
        1,
        said | {"statistics_examples": 1_000},
        series={"networks": names, **places, **AXES, **grid, **ways},
        scalars=SCALARS,
        provenance={"seconds": 30.0, "device": "abacus", "commit": "0123456789abcdef"},
    )


def way(name: str, middle: float, height: float = 0.0) -> dict:
    """A path with ends of loss 0.5 and accuracy 80 %."""
    series = {
        "x": T,
        "y": [0.0, height, 0.0],
        "distance": [0.0, 1e-7, 0.0],
        "test_loss": [0.5, middle, 0.5],
        "test_accuracy": [0.8, 0.2 if middle > 2 else 0.7, 0.8],
    }
    return {f"{name} {of}": values for of, values in series.items()}


def changed(record: Record, changes: dict) -> Record:
    own = {name: values for name, values in changes.items() if name in record.series}
    grid = changes.get(f"{record.config['through']} grid")
    return replace(record, series=record.series | own | ({"test_accuracy": grid} if grid else {}))


def config() -> dict:
    return {**asdict(TINY), "dataset_title": "Little, 8 images", "seed": 0, "insists": False}
