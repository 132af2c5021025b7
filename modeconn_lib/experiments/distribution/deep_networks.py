"""Chapter 32: ways to connect deep networks, layer by layer.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Table 2, Fig. 5, claims

Reproduces Anokhin & Yarotsky 2020, Table 2 and Fig. 5.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from statistics import fmean

from torch import nn

from modeconn_lib.experiments.chapter import Chapter, refuse_unless
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.distribution import (
    connection_tasks,
    distribution_profiles,
    ladders,
    worst_accuracy,
)
from modeconn_lib.experiments.distribution.connection_steps import linear_layers
from modeconn_lib.experiments.distribution.worst_accuracy import worst
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.models.registry import outline
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

WORDS = {  # the table's rows, in its order
    "linear": "linear",
    "arc": "arc",
    "linear_butterfly": "linear + butterfly",
    "arc_butterfly": "arc + butterfly",
    "linear_wa": "linear + adjustment",
    "arc_wa": "arc + adjustment",
    "ot_butterfly": "transport + butterfly",
    "ot_wa": "transport + adjustment",
    "garipov_3": "chain of 3 points",
    "endpoints": "endpoints",
}
TABLE = worst_accuracy.Rows(WORDS, "distribution_connectivity_table2")
BENDS = 3  # points of the learned chain
# Adjusting keeps more than a butterfly does, whatever the units go along.
PAIRED = {"linear_butterfly": "linear_wa", "arc_butterfly": "arc_wa", "ot_butterfly": "ot_wa"}

PROFILES: Profiles = distribution_profiles.DEEP


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``chain/0/garipov_3``, for every row of the table
    ``connection/0/arc_wa``, for networks of other depths ``ladder/0/fc5/arc_wa``, and ``few/0`` for
    the left panel of Fig. 5.

    Raises
    ------
    Refusal
        If the network is no chain of layers with one hidden layer or more.
    """
    refuse_others(setting.architecture, CHAPTER.name)
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        out |= connection_tasks.by_every_method(setting, pair)
        out[f"few/{pair}"] = few(setting, pair)
        if setting.numbers.curve:
            row = f"garipov_{BENDS}"
            out[f"chain/{pair}/{row}"] = connection_tasks.chain(setting, pair, BENDS)
            out[f"connection/{pair}/{row}"] = connection_tasks.along_chain(setting, pair, BENDS)
    return out | ladders.rungs(setting, {method: method for method in connection_tasks.METHODS})


def few(setting: Setting, pair: int) -> Task:
    """Return the adjusted path by arcs on as many images as the narrowest layer has units.

    They are adjusted on and measured on, without a ridge. So a chain of linear layers need lose
    nothing (Fig. 5, left); a convolution has several patches of every image to fit.
    """
    images = min(narrowest(setting.architecture), setting.numbers.adjust_examples)
    numbers = replace(setting.numbers, adjust_examples=images, measure_examples=images, ridge=0.0)
    found = connection_tasks.connection(replace(setting, numbers=numbers), pair, "arc_wa")
    return replace(found, label=f"{found.label} on {images} images")


CHAPTER = Chapter("32_deep_networks", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the table over pairs, percent: ``<row> train`` and ``<row> test``."""
    return worst_accuracy.summaries(study, WORDS)


def claims(study: Study) -> list[Claim]:
    """Return what the paper says of the test accuracies, and whether it is so."""
    found = {row: fmean(worst(study, row, "test")) for row in connection_tasks.METHODS}
    out = [TABLE.better(study, adjusted, plain) for plain, adjusted in PAIRED.items()]
    best = max(found, key=lambda row: found[row])
    out.insert(
        0,
        Claim(
            "layer by layer, matched and adjusted, is better than all layers at once",
            found["ot_wa"] > max(found["linear"], found["arc"]),
            f"{found['ot_wa']:.2f} % against {found['linear']:.2f} % and {found['arc']:.2f} %",
        ),
    )
    out.append(
        Claim(
            "of all direct prescriptions transport + adjustment is the best",
            best == "ot_wa",
            f"best is {WORDS[best]} with {found[best]:.2f} %",
            insisted=False,
        )
    )
    return out + TABLE.near_the_paper(study)


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return TABLE.scorecard("Table 2", built, recorded, claims)


def refuse_others(name: str, chapter: str) -> None:
    """Refuse a network that is not a chain of layers; nothing is allocated for it.

    Raises
    ------
    Refusal
        Naming the networks that are.
    """
    about = "chains of linear layers and convolutions without normalisation"
    refuse_unless(lambda one: narrowest(one) > 0, name, chapter, about)


@cache
def narrowest(name: str) -> int:
    """Return the fewest units of a hidden layer; 0 if the network is no chain of layers."""
    allowed = nn.Linear | nn.Conv2d | nn.ReLU | nn.MaxPool2d | nn.Flatten | nn.Dropout
    module = outline(name)
    if not isinstance(module, nn.Sequential) or not all(isinstance(m, allowed) for m in module):
        return 0
    *hidden, _ = linear_layers(module)
    found = module.state_dict()
    return min((len(found[f"{layer}.weight"]) for layer in hidden), default=0)
