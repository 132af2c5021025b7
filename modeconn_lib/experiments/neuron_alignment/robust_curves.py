"""Chapter 16: curves between adversarially robust networks, unaligned and aligned.

Settings  ->  plan  ->  runner  ->  Studies  ->  barriers, midpoints, claims

Reproduces Tatro et al. 2020, section 5, Figs. 4, 8 and 9. The paper has no table of these; what
it says in words is in `claims`.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

from modeconn_lib.evaluation.robustness import STATISTICS
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.compared import percent
from modeconn_lib.experiments.neuron_alignment import robust_tasks
from modeconn_lib.experiments.neuron_alignment.robust_numbers import (
    KINDS,
    checked,
    checked_at,
    highest,
    margins,
    sampling_error,
    with_clean,
    with_statistics,
)
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import PAPER, QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study
from modeconn_lib.training.attacks import Attack
from modeconn_lib.training.fit import Recipe

# Grey pictures of clothes bear more than photographs do: twice the usual radius, in few steps.
_GREY = Attack(epsilon=16 / 255, step=6 / 255, steps=3)
_RAW = "shift_flip_raw"

_SMOKE = replace(
    SMOKE,
    augmentation=_RAW,
    pairs=1,
    train_examples=128,
    test_examples=60,
    statistics_examples=64,
    attack=replace(_GREY, step=16 / 255, steps=1),
)
_QUICK = replace(
    QUICK,
    augmentation=_RAW,
    train_examples=3_500,
    test_examples=300,
    endpoint=Recipe(epochs=3),
    curve=Recipe(epochs=2, weight_decay=0.0),
    statistics_examples=500,
    points=5,
    attack=_GREY,
)
# A step of training with an attack of 5 steps costs 4.7 plain ones: half the usual epochs, and less
# for the curves.
_STANDARD = replace(
    STANDARD,
    augmentation=_RAW,
    pairs=1,
    test_examples=5_000,
    endpoint=Recipe(epochs=8),
    curve=Recipe(epochs=3, weight_decay=0.0),
    statistics_examples=2_500,
    points=9,
    attack=Attack(steps=5),
)
# The published code: 200 epochs by the schedule of Garipov et al., 5 steps of attack.
_LONG = Recipe(epochs=200, schedule="garipov")
_PAPER = replace(
    PAPER,
    augmentation="neuron_alignment_raw",
    endpoint=_LONG,
    curve=replace(_LONG, weight_decay=0.0),
    attack=Attack(steps=5),
)
# In no figure of the paper; the attack is that of its code.
_PAPER_TINY_IMAGENET = replace(
    _PAPER,
    dataset="tiny_imagenet",
    augmentation="neuron_alignment_tiny_raw",
    attack=Attack(epsilon=4 / 255, step=1 / 255, steps=5),
)
# GoogLeNet's curves overfit and were stopped after 20 of the 200 epochs, before the rate falls.
_STOPPED = Recipe(epochs=20, schedule="constant", weight_decay=0.0)

PROFILES: Profiles = {
    "smoke": (_SMOKE,),
    "quick": (_QUICK,),
    "standard": (_STANDARD,),
    "paper": (
        *(
            replace(_PAPER, dataset=dataset, architecture=architecture, curve=curve)
            for dataset in ("cifar100", "cifar10")
            for architecture, curve in (
                ("tinyten", _PAPER.curve),
                ("resnet32", _PAPER.curve),
                ("googlenet", _STOPPED),
            )
        ),
        _PAPER_TINY_IMAGENET,
    ),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return the tasks of a subject by name.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``along/0/aligned/curve``,
    ``check/0/aligned``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = robust_tasks.robust_endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = robust_tasks.robust_alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = robust_tasks.robust_curve(setting, pair, aligned=aligned)
            for what, task in (
                (f"along/{pair}/{kind}/curve", robust_tasks.robust_along),
                (f"check/{pair}/{kind}", robust_tasks.robust_check),
            ):
                out[what] = task(setting, pair, aligned=aligned)
    return out


CHAPTER = Chapter("16_robust_curves", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def claims(study: Study) -> list[Claim]:
    """Return what the paper says of the curves, and what the page says of the attack.

    The paper's sentences are insisted on nowhere: it says them of other schedules, the fourth and
    fifth of TinyTen and ResNet32 on CIFAR-100, the sixth of TinyTen alone. Nor is the one on the
    others' attacks, which the paper does not have.
    """
    said = [claim for statistics in STATISTICS for claim in _of_paper(study, statistics)]
    own, theirs, alone = (checked(study, name) for name in ("own", "square", "own alone"))
    unaligned, aligned = (fmean(checked_at(study, kind, 0.5, "square")) for kind in KINDS)
    images = study.over_pairs("check", "aligned")[0].config["examples"]
    return [
        *said,
        Claim(
            "under the others' attacks, too, the network half-way is more robust aligned than "
            "unaligned",
            aligned > unaligned,
            f"{percent(unaligned)} against {percent(aligned)} of {images} images",
            insisted=False,
        ),
        Claim(
            "on every network checked, the others' attacks together leave no more images "
            "correctly classified than ours",
            all(t <= o for t, o in zip(theirs, own, strict=True)),
            f"{percent(fmean(theirs))} against {percent(fmean(own))} on the average of "
            f"{len(own)} networks; ours alone fools {percent(fmean(alone))}",
        ),
    ]


def _of_paper(study: Study, statistics: str) -> list[Claim]:
    """Return section 5 of the paper, measured with one kind of statistics."""
    s, suffix = with_statistics(study, statistics), f", {statistics} statistics"

    def pair(what: str) -> list[float]:
        return [s[f"{kind} {what}{suffix}"].mean for kind in KINDS]

    barriers, middles, robust = map(
        pair, ("robust barrier", "midpoint accuracy", "midpoint robust accuracy")
    )
    along = margins(study, "aligned", statistics)
    best, half_way = min(map(max, along)), min(one[len(one) // 2] for one in along)
    error = sampling_error(study, statistics)
    either = [max(both) for both in zip(*highest(study, "unaligned", statistics), strict=True)]
    return [
        Claim(text + suffix, holds, found, insisted=False)
        for text, holds, found in (
            (
                "the barrier of the robust loss is smaller aligned than unaligned",
                barriers[1] < barriers[0],
                f"{barriers[0]:.3f} against {barriers[1]:.3f} nats",
            ),
            (
                "half-way, the clean accuracy is higher aligned than unaligned",
                middles[1] > middles[0],
                f"{middles[0]:.1f} % against {middles[1]:.1f} %",
            ),
            (
                "half-way, the robust accuracy is higher aligned than unaligned",
                robust[1] > robust[0],
                f"{robust[0]:.1f} % against {robust[1]:.1f} %",
            ),
            (
                "in every pair, some network on the aligned curve is both more accurate and more "
                "robust than either end, by more than the sampling error",
                best > error,
                f"by {100 * best:+.2f} points of percent, the sampling error is "
                f"{100 * error:.2f}; n = {len(along)}",
            ),
            (
                "in every pair, so is the network half-way",
                half_way > error,
                f"by {100 * half_way:+.2f} points of percent",
            ),
            (
                "in no pair is a network on the unaligned curve more accurate than both ends, or "
                "more robust",
                max(either) <= 0,
                f"by up to {100 * max(either):+.1f} points of percent",
            ),
        )
    ]


def attacks(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> dict[str, str]:
    """Return the attack of the paper's code, of the first recorded study and of this build."""
    out = {"paper attack": _attack_words(asdict(_PAPER)["attack"])}
    for who, studies in (("recorded", recorded), ("build", built)):
        configs = [study.config for study in studies.values()]
        out[f"{who} attack"] = _attack_words(configs[0]["attack"]) if configs else NOTHING
    return out


def _attack_words(attack: Mapping[str, Any]) -> str:
    radius, step = (f"{255 * attack[name]:g}/255" for name in ("epsilon", "step"))
    plural = "" if attack["steps"] == 1 else "s"
    start = ", random start" if attack["random_start"] else ""
    return f"radius {radius}, {attack['steps']} step{plural} of {step}{start}"


PAPER_SAYS = {
    "cifar100": "barrier in clean accuracy gone or greatly reduced, in robust accuracy much less; "
    "ResNet32: +5.3 clean and +1.3 robust half-way (aligned)",
    "cifar10": "barriers much lower aligned (figure only)",
}


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return [
        {
            "claim": f"Figs. 4, 8, 9, {subject}: robust barrier, nats, and gain half-way, points",
            "paper": PAPER_SAYS.get(study.config["dataset"], NOTHING),
            "recorded": _cell(study) if recorded else "not run",
            "build": _cell(built[subject]) if subject in built else NOTHING,
            "verdict": verdict(claims(study)),
        }
        for subject, study in (recorded or built).items()
    ]


def _cell(study: Study) -> str:
    """Return both curves' barriers and gains, with clean statistics."""
    s, parts = with_clean(study), []
    for kind in KINDS:
        barrier, clean, robust = (
            s[f"{kind} {what}, clean statistics"]
            for what in ("robust barrier", "midpoint gain", "midpoint robust gain")
        )
        gains = f"{clean.mean:+.1f} clean, {robust.mean:+.1f} robust"
        parts.append(f"{kind} {barrier.text(3)}, {gains}")
    return f"{'; '.join(parts)} (n = {study.config['pairs']})"
