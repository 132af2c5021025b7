"""Studies of networks used together, with numbers that are easy to check."""

from dataclasses import asdict

from modeconn_lib.experiments.git_rebasin.merging_many import FEW, SHARE
from modeconn_lib.experiments.git_rebasin.merging_profiles import TINY_MLP
from modeconn_lib.experiments.git_rebasin.split_data import NETWORKS
from modeconn_lib.results.study import Study
from tests.figures.records import record

T = (0.0, 0.5, 1.0)
# Of two bins: how many predictions, how probable they were said to be, how many came true.
BINS = {"counts": [3, 1], "confidence": [0.25, 0.75], "right": [0.5, 1.0]}
LOSS = {"A": 0.5, "B": 0.6, "naive": 0.9, "merged": 0.4, "ensemble": 0.3, "full data": 0.2}
ERROR = {"A": 0.05, "B": 0.06, "naive": 0.01, "merged": 0.02, "ensemble": 0.03, "full data": 0.04}
CLASSWISE = {name: value / 10 for name, value in ERROR.items()}  # of many classes few are named
SPLITS, KINDS = ("test", "train"), ("", "classwise ")


def split(pairs: int = 2, **losses: float) -> Study:
    """Chapter 24: pair p adds p tenths to every loss; `losses` are put in for those of `LOSS`."""
    records = {}
    for pair in range(pairs):
        more = pair / 10
        for network in "AB":
            end = {"test_accuracy": 0.5, "test_loss": LOSS[network]}
            records[f"endpoint/{pair}/{network}"] = record(
                "endpoint", f"{pair}{network}", {}, **end
            )
        for method in ("naive", "weights"):
            records[f"along/{pair}/{method}/line"] = way("along", f"{pair} {method}", 1.0 + more)
        records[f"ensemble/{pair}"] = way("ensemble", f"{pair} ensemble", 0.5 + more)
        found = {name: (LOSS | losses)[name] + more for name in NETWORKS}
        records[f"calibration/{pair}"] = compared("calibration", f"{pair}", found, ERROR, CLASSWISE)
    return Study("24_split_data", "smoke", config(pairs), records)


def many(groups: int = 1, members: int = 3, **made: float) -> Study:
    """Chapter 25: member i of group g has the loss 0.i + g; `made` are other losses of the rest.

    Errors are a tenth of the losses, classwise errors a hundredth.
    """
    records, share = {}, 1.0 if members <= FEW else SHARE
    for group in range(groups):
        names = [f"network {i + 1}" for i in range(members)]
        loss = {name: (i + 1) / 10 + group for i, name in enumerate(names)}
        loss |= {"merged": 0.05 + group, "naive": 2.0 + group, "ensemble": 0.04 + group}
        loss |= {name.replace("_", " "): value for name, value in made.items()}
        error = {name: value / 10 for name, value in loss.items()}
        classwise = {name: value / 100 for name, value in loss.items()}
        found = {"sweeps": 3, "merge_seconds": 1.5}
        records[f"merger/{group}"] = compared(
            *("merger", f"{group} {made}", loss, error, classwise),
            {"distances": [4.0, 3.0, 3.0]},
            **found,
        )
    return Study("25_merge_many", "smoke", config(3) | {"models": members, "share": share}, records)


def compared(step, name, loss, error, classwise, series=None, **scalars):
    """The record of networks that are compared: the accuracy is 1 - loss / 2."""
    said = dict(series or {})
    for split_of in SPLITS:
        for network in loss:
            what = f"{network} {split_of} "
            scalars |= {f"{what}loss": loss[network], f"{what}accuracy": 1 - loss[network] / 2}
            for kind in KINDS:
                of_kind = classwise if kind else error
                scalars[f"{what}{kind}calibration error"] = of_kind[network]
                said |= {f"{what}{kind}{of}": values for of, values in BINS.items()}
    return record(step, name, said, **scalars)


def way(step, name, middle):
    """A measured way from A to B with its highest loss in the middle."""
    of = {"loss": [0.5, middle, 0.6], "accuracy": [0.5, 0.4, 0.6]}
    series = {f"{s}_{what}": values for s in SPLITS for what, values in of.items()}
    numbers = {"barrier_test": middle - 0.55, "barrier_train": middle, "midpoint_accuracy": 0.4}
    return record(step, name, {"t": T, **series}, **numbers)


def config(pairs):
    return {
        **asdict(TINY_MLP),
        "pairs": pairs,
        "dataset_title": "Little, 8 images",
        "seed": 0,
        "insists": False,
    }
