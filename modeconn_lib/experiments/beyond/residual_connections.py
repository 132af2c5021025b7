"""Chapter 44: connections by distribution through skip connections and batch norm.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  worst accuracies, claims

What Anokhin & Yarotsky 2020, section 4.2, leave open: networks with skip connections, which they
say can be connected by adjusting all outgoing edges.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from statistics import fmean

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter, refuse_unless
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.distribution import connection_tasks, deep_networks, worst_accuracy
from modeconn_lib.experiments.distribution.worst_accuracy import worst
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.models.mlp import ResidualBlock
from modeconn_lib.models.registry import outline
from modeconn_lib.models.resnet import Block
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise
from modeconn_lib.training.fit import Recipe

WORDS = {row: deep_networks.WORDS[row] for row in (*connection_tasks.METHODS, "endpoints")}
TABLE = worst_accuracy.Rows(WORDS, "distribution_connectivity_table2")
PAIRED = deep_networks.PAIRED
ALIGNED = "line to aligned B"

# A path has tens of networks to be measured, each with statistics of its own.
_SMOKE = replace(
    SMOKE,
    architecture="resnet8",
    pairs=1,
    test_examples=50,
    measure_examples=32,
    statistics_examples=32,
    adjust_examples=64,
    solved=3,
    positions=2,
    exchanges=1,
)
# Without batch norm: with it, each of 60 to 100 networks on a path has statistics of its own.
_QUICK = replace(
    QUICK,
    architecture="residual_mlp",
    augmentation="none",
    endpoint=Recipe(6, 1e-3, optimiser="adam"),
    measure_examples=500,
    test_examples=1_000,
    points=7,
    adjust_examples=2_000,
    solved=3,
    exchanges=2,
)
_STANDARD_MLP = replace(
    _QUICK,
    dataset="mnist",
    pairs=3,
    train_examples=60_000,
    test_examples=5_000,
    measure_examples=2_500,
    points=9,
    adjust_examples=10_000,
    solved=5,
    exchanges=4,
)
# 21 layers have their turn: some 800 networks lie on the paths of one pair.
_STANDARD = replace(
    STANDARD,
    architecture="resnet20",
    pairs=1,
    endpoint=Recipe(epochs=2),
    test_examples=500,
    measure_examples=250,
    statistics_examples=250,
    points=5,
    adjust_examples=1_000,
    solved=3,
    positions=4,
    exchanges=1,
)
PROFILES: Profiles = {
    "smoke": (_SMOKE,),
    "quick": (_QUICK,),
    "standard": (_STANDARD_MLP, _STANDARD),
    "paper": tuple(
        replace(
            _STANDARD,
            architecture=architecture,
            pairs=3,
            endpoint=Recipe(epochs=250, schedule="step_decay"),
            test_examples=10_000,
            measure_examples=10_000,
            statistics_examples=10_000,
            adjust_examples=10_000,
            solved=11,
            points=21,
            exchanges=8,
        )
        for architecture in ("resnet20", "resnet20_x4")
    ),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, for every row ``connection/0/arc_wa``, and, to compare with,
    ``along/0/aligned`` after ``alignment/0``.

    Raises
    ------
    Refusal
        If the network has no skip connections that can be adjusted around.
    """
    about = "networks with skip connections and batch norm or none"
    refuse_unless(_has_skips, setting.architecture, CHAPTER.name, about)
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        out |= connection_tasks.by_every_method(setting, pair)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        out[f"along/{pair}/aligned"] = tasks.along(setting, pair, aligned=True, learned=False)
    return out


CHAPTER = Chapter("44_residual_connections", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


@cache
def _has_skips(name: str) -> bool:
    """Return whether a network has blocks beside a stream; layer norm's convolutions pad anew."""
    blocks = [m for m in outline(name).modules() if isinstance(m, Block | ResidualBlock)]
    return bool(blocks) and not name.endswith("_layernorm") and "_layernorm_" not in name


def summaries(study: Study) -> dict[str, Summary]:
    """Return every row over pairs, percent: ``<row> train``, ``<row> test``, and `ALIGNED`."""
    return worst_accuracy.summaries(study, WORDS) | {ALIGNED: summarise(aligned(study))}


def aligned(study: Study) -> list[float]:
    """Return the lowest test accuracy on the straight line to the aligned network, by pairs."""
    found = study.over_pairs("along", "aligned")
    return [100 * record.number("minimum_accuracy") for record in found]


def claims(study: Study) -> list[Claim]:
    """Return what the paper expects of such networks, and whether it is so."""
    found = {row: fmean(worst(study, row, "test")) for row in connection_tasks.METHODS}
    at_once = max(found["linear"], found["arc"])
    adjusted = max(PAIRED.values(), key=lambda row: found[row])
    line = fmean(aligned(study))
    out = [
        Claim(
            "layer by layer, with all that reads it adjusted, is better than all layers at once",
            found[adjusted] > at_once,
            f"{WORDS[adjusted]} {found[adjusted]:.2f} % against {at_once:.2f} %",
        ),
        Claim(
            "it is better than the straight line to the aligned network, too",
            found[adjusted] > line,
            f"{found[adjusted]:.2f} % against {line:.2f} %",
            insisted=False,
        ),
    ]
    out += [TABLE.better(study, better, plain) for plain, better in PAIRED.items()]
    return out


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return TABLE.scorecard("Through skip connections", built, recorded, claims)
