"""What a study spent, in words: the rows of the tables that pages call its protocol.

config of a Study, or of a profile  ->  PROTOCOL, a row each  ->  text
Study  ->  plays_a_part  ->  whether a table of it needs the row

How a table is made of them is in `pages` and `subject_pages`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.tasks import VERSIONS
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.study import Study

NOTHING = "–"
SCHEDULES = {
    "one_cycle": "one cycle",
    "step": "halved every 20 epochs",
    "step_decay": "halved every 20 epochs, times 0.9996 every epoch",
    "constant": "constant",
    "garipov": "constant to half, then linear to 1 % at 90 %",
    "warmup_1": "cosine after 1 epoch of warm-up",
    "warmup_5": "cosine after 5 epochs of warm-up",
}
OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
AUGMENTATIONS = {
    "none": "none",
    "scaled": "none; not normalised",
    "shift_flip": "shift, flip",
    "neuron_alignment": "rotation, shift, flip",
    "neuron_alignment_tiny": "flip, shift, affine, colour",
    "shift_flip_raw": "shift, flip; not normalised",
    "neuron_alignment_raw": "rotation, shift, flip; not normalised",
    "neuron_alignment_tiny_raw": "flip, shift, affine, colour; not normalised",
    "git_rebasin": "zoom, flip, rotation",
    "distribution": "flip, shift",
}

Read = Callable[[Mapping[str, Any]], str]


def plays_a_part(what: str, study: Study) -> bool:
    """Return whether any record of a study depends on what a row of `PROTOCOL` says."""
    if what == BATCHNORM and not architecture(study.config["architecture"]).has_batchnorm:
        return False
    steps = {record.step for record in study.records.values()}
    return what not in _STEPS or bool(steps & _STEPS[what])


def _recipe(of: str) -> Read:
    """Return how to say the recipe of networks, of curves or of the estimator."""

    def read(config: Mapping[str, Any]) -> str:
        recipe = config[of]
        if recipe is None:
            return NOTHING
        rule = SCHEDULES.get(recipe["schedule"], recipe["schedule"])
        plural = "" if recipe["epochs"] == 1 else "s"
        name = OPTIMISERS.get(recipe["optimiser"], recipe["optimiser"])
        return (
            f"{recipe['epochs']} epoch{plural} of {name}, {rule}, rate "
            f"{recipe['learning_rate']:g}, weight decay {recipe['weight_decay']:g}"
        )

    return read


def _number(of: str) -> Read:
    return lambda config: f"{config[of]:,}" if config[of] < 10**9 else "all"


def _epochs(config: Mapping[str, Any]) -> str:
    """Return the epochs after which networks are kept: all up to the last, or a list."""
    kept = list(config["epochs"])
    if kept and kept == list(range(len(kept))) and len(kept) > 2:
        return f"all from 0 to {kept[-1]}"
    return ", ".join(map(str, kept)) or NOTHING


def _models(config: Mapping[str, Any]) -> str:
    models = min(config["models"], 2 * config["pairs"])
    return str(models) if models else NOTHING


def _seen(config: Mapping[str, Any]) -> str:
    """Return how many images a network saw, where that is not all of them."""
    if config["share"] == 1:
        return NOTHING
    return f"{round(config['share'] * config['train_examples']):,}"


def _batch_size(config: Mapping[str, Any]) -> str:
    """Return the batch size; of curves and of networks, where they differ."""
    other = config["endpoint_batch_size"]
    return f"{config['batch_size']:,}" + (f"; of networks {other}" if other else "")


def _learned_on(config: Mapping[str, Any]) -> str:
    """Return on how many networks, not those of the pairs, a global connection is learned."""
    return str(config["models"]) if config["flow"] else NOTHING


def _map(config: Mapping[str, Any]) -> str:
    """Return how large the map of a global connection is."""
    layers, hidden = config["transforms"], config["hidden"]
    return f"{layers} transforms, {hidden} hidden units" if config["flow"] else NOTHING


def _of_estimator(config: Mapping[str, Any]) -> str:
    return f"{config['estimator_batch_size']:,}" if config["estimator"] else NOTHING


def _some(count: int) -> str:
    """Return how many of something are looked at, where 0 means all."""
    return f"{count:,}" if count else "all"


def _on_planes(config: Mapping[str, Any]) -> str:
    """Return how many test images a point of a plane is measured on."""
    return f"{min(config['measure_examples'], config['test_examples']):,}"


BATCHNORM = "images for batch-norm statistics"
PROTOCOL: dict[str, Read] = {
    "data set": lambda c: c.get("dataset_title") or dataset(c["dataset"]).title,
    "network": lambda c: architecture(c["architecture"]).title,
    "pairs of networks": _number("pairs"),
    "networks merged": _models,
    "networks asked together": _number("models"),
    "training images": _number("train_examples"),
    "of these, seen by each network": _seen,
    "augmentation": lambda c: AUGMENTATIONS.get(c["augmentation"], str(c["augmentation"])),
    "batch size": _batch_size,
    "training of networks": _recipe("endpoint"),
    "epochs kept": _epochs,
    "training of curves": _recipe("curve"),
    "training of permutations": _recipe("permutation"),
    "permutations drawn": lambda c: str(c["candidates"]) if c["permutation"] else NOTHING,
    "penalty of curves": lambda c: f"{c['penalty']:g}" if c["curve"] else NOTHING,
    "images to match units on": _number("align_examples"),
    "random orders of weight matching": _number("orders"),
    "training of the estimator": _recipe("estimator"),
    "batch size of the estimator": _of_estimator,
    "rounds of merging at most": _number("rounds"),
    "networks to learn a connection on": _learned_on,
    "map of the connection": _map,
    "its training by likelihood": _recipe("flow"),
    "its training by the loss half-way": _recipe("bijection"),
    "images to adjust layers on": _number("adjust_examples"),
    "values of t at which they are": _number("solved"),
    "rows and columns of maps at which they are": lambda c: _some(c["positions"]),
    "exchanges looked at, of a group": lambda c: _some(c["exchanges"]),
    "ridge": lambda c: f"{c['ridge']:g}",
    BATCHNORM: _number("statistics_examples"),
    "images for the training loss": _number("measure_examples"),
    "test images": _number("test_examples"),
    "points on a path": _number("points"),
    "points along each side of a plane": lambda c: str(c["resolution"] or NOTHING),
    "test images at every point of a plane": _on_planes,
}
_MEASURING = frozenset({"along", "connection", "along_chain", "through"})  # a path
_TOGETHER = frozenset({"ask_together", "share_backbone"})  # of networks that are not paired
# The steps that depend on a row; on a row that is not here, all do.
_STEPS: dict[str, frozenset[str]] = {
    "pairs of networks": frozenset(VERSIONS) - _TOGETHER - {"endpoint"},
    "networks asked together": _TOGETHER,
    "networks merged": frozenset({"merger"}),
    "of these, seen by each network": frozenset({"merger"}),
    "epochs kept": frozenset({"snapshots"}),
    "training of curves": frozenset({"curve", "pam", "robust_curve", "chain"}),
    "penalty of curves": frozenset({"curve", "pam", "robust_curve", "chain"}),
    "training of permutations": frozenset({"pam"}),
    "permutations drawn": frozenset({"pam"}),
    "images to match units on": frozenset(
        {"alignment", "units", "bounds", "constrained", "subsets"}
    ),
    "random orders of weight matching": frozenset({"weights", "onset"}),
    "training of the estimator": frozenset({"estimator"}),
    "batch size of the estimator": frozenset({"estimator"}),
    "rounds of merging at most": frozenset({"merger"}),
    "networks to learn a connection on": frozenset({"normaliser"}),
    "map of the connection": frozenset({"normaliser"}),
    "its training by likelihood": frozenset({"normaliser"}),
    "its training by the loss half-way": frozenset({"normaliser"}),
    "images to adjust layers on": frozenset({"connection", "share_backbone"}),
    "values of t at which they are": frozenset({"connection"}),
    "rows and columns of maps at which they are": frozenset({"connection", "share_backbone"}),
    "exchanges looked at, of a group": frozenset({"connection"}),
    "ridge": frozenset({"connection", "share_backbone"}),
    "images for the training loss": frozenset(
        {
            "connection",
            "along_chain",
            "through",
            "along",
            "onset",
            "ensemble",
            "calibration",
            "merger",
            "estimator",
            "steepest",
        }
    ),
    "points on a path": frozenset(
        _MEASURING | {"onset", "ensemble", "plane", "bounds", "tightness", "robust_along"}
    ),
    "points along each side of a plane": frozenset({"plane"}),
    "test images at every point of a plane": frozenset({"plane"}),
}
