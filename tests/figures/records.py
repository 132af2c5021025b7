"""A study as chapters 11 and 13 have it, with numbers that are easy to check."""

from dataclasses import asdict

from modeconn_lib.experiments.profiles import SMOKE
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

KINDS = ("unaligned", "aligned")
T = (0.0, 0.5, 1.0)
LAYERS = 4


def study(pairs: int = 2, profile: str = "smoke", shift: float = 0.0) -> Study:
    """Pair p adds p hundredths to every number; `shift` makes another study of it."""
    records = {}
    for pair in range(pairs):
        more = shift + pair / 100
        records[f"alignment/{pair}"] = units(more, "alignment", 0.0, pair)
        for kind in KINDS:
            better = more + (0.2 if kind == "aligned" else 0.0)
            losses = [1.5 - better, 1.0 - better]
            records[f"curve/{pair}/{kind}"] = record(
                "curve", f"{pair} {kind}", {"train_loss": losses}, train_loss=losses[-1]
            )
            for shape, dip in (("line", 0.5), ("curve", 0.1)):
                name = f"{pair}/{kind}/{shape}"
                records[f"along/{name}"] = along(0.7 + better, dip, name)
                for end in (0, 1):
                    records[f"units/{name}/{end}"] = units(better, name, 0.1 * end, end)
    config = {**asdict(SMOKE), "pairs": pairs, "dataset_title": "Little, 8 images", "seed": 0}
    return Study("13_learned_curves", profile, {**config, "insists": False}, records)


def record(step: str, name: str, series: dict, **scalars: float) -> Record:
    made = {
        "device": "abacus",
        "threads": 1,
        "seconds": 30.0,
        "commit": "0123456789abcdef",
        "versions": {"python": "3.11", "modeconn-lib": None},
    }
    return Record(
        step, 1, {"name": name, "series": series}, series=series, scalars=scalars, provenance=made
    )


def along(accuracy: float, dip: float, name: str) -> Record:
    series = {
        "t": T,
        "test_accuracy": [accuracy, accuracy - dip, accuracy],
        "test_loss": [1 - accuracy, 1 - accuracy + dip, 1 - accuracy],
    }
    return record("along", name, series)


def units(more: float, name: str, end: float, number: int) -> Record:
    before = [0.1 + more + end - 0.05 * layer for layer in range(LAYERS)]
    series = {"test_before": before, "test_after": [value + 0.5 for value in before]}
    return record("units", f"{name} {number}", series)
