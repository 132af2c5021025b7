"""Chapter 21: the line between two networks, as they are and matched in three ways.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Figs. 2, 8 and 11, claims

Reproduces Ainsworth et al. 2022, Figs. 2 and 8, and Fig. 11 with images of the reader's own.
"""

from collections.abc import Mapping

from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import lines
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.git_rebasin.matching_tasks import METHODS
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

ZERO = 0.01  # nats: what is called a barrier of zero

PROFILES: Profiles = {
    "smoke": (scale.TINY_MLP,),
    "quick": (scale.SMALL_MLP,),
    "standard": (scale.STANDARD_MNIST_MLP, scale.STANDARD_CIFAR_MLP),
    "paper": (scale.MNIST_MLP, scale.CIFAR_MLP, scale.IMAGE_RESNET50),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name, as `lines.plan`; the estimator where the profile has it."""
    chosen = METHODS if setting.numbers.estimator else METHODS[:-1]
    return lines.plan(setting, chosen)


CHAPTER = Chapter("21_matching_methods", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so."""
    s = lines.summaries(study)
    naive = s["naive test barrier"].mean
    out = []
    for method in [m for m in lines.methods(study) if m != "naive"]:
        barrier = s[f"{method} test barrier"].mean
        out.append(
            Claim(
                f"{WORDS[method]} lowers the test barrier to less than half of the naive one",
                barrier < naive / 2,
                f"{naive:.3f} to {barrier:.3f} nats",
            )
        )
    if study.config["dataset"] == "mnist":
        n, _, sagging = lines.flat(study, "weights", ZERO)
        out.append(
            Claim(
                f"on MNIST, the test loss along the line matched by weights is nowhere more than "
                f"{ZERO} nats above the chord between its ends",
                sagging >= 0.8 * n,
                f"{sagging} of {n} pairs",
            )
        )
    if "estimator" in lines.methods(study):
        out += _of_estimator(study, s)
    return out


def _of_estimator(study: Study, s: Mapping[str, Summary]) -> list[Claim]:
    """Return what the paper says of the estimator; the second is its ranking (Fig. 2, sec. 5.1)."""
    start, best = (s[f"{m} train barrier"].mean for m in ("weights", "estimator"))
    moved = [r.number("best_epoch") > 0 for r in lines.matchings(study, "estimator")]
    test = {m: s[f"{m} test barrier"].mean for m in WORDS}
    return [
        Claim(
            "the straight-through estimator's training barrier is no higher than that of the "
            "weight matching it begins at",
            best <= start,
            f"{start:.3f} to {best:.3f} nats; of {len(moved)} pairs it found a better order "
            f"than the first in {sum(moved)}",
        ),
        Claim(
            "of the three methods, the straight-through estimator leaves the lowest test barrier",
            test["estimator"] < min(test["weights"], test["activations"]),
            ", ".join(f"{m} {v:.3f}" for m, v in test.items()) + " nats",
            insisted=False,
        ),
    ]


IMAGENET_COLUMNS = ("lambda", "order of B's units", "test loss, nats", "top-1 accuracy, %")


def imagenet() -> list[list[str]]:
    """Return what the authors' code says of ResNet50 on ImageNet, as a table's rows."""
    return [
        [row["lambda"], row["order"], row["test_loss"], f"{100 * float(row['top1_accuracy']):.2f}"]
        for row in published("git_rebasin_imagenet")
    ]


def imagenet_words() -> dict[str, str]:
    """Return the barriers those numbers amount to, in nats, and by how much the matched is less.

    The lines' highest losses are taken to be half-way, where alone they are given.
    """
    a, naive, matched, b = (float(row["test_loss"]) for row in published("git_rebasin_imagenet"))
    before, after = (half - (a + b) / 2 for half in (naive, matched))
    return {
        "imagenet naive": f"{before:.2f}",
        "imagenet matched": f"{after:.2f}",
        "imagenet fall": f"{100 * (1 - after / before):.0f}",
    }


WORDS = {
    "activations": "matching activations",
    "weights": "matching weights",
    "estimator": "the straight-through estimator",
}


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        s, (n, zero, sagging) = lines.summaries(study), lines.flat(study, "weights", ZERO)
        barriers = [f"{m} {s[f'{m} test barrier'].text(3)}" for m in lines.methods(study)]
        rows.append(
            {
                "claim": f"Fig. 2, {subject}: test barriers, nats",
                "paper": "zero for all three methods"
                if study.config["dataset"] == "mnist"
                else "lower for all three methods (figure only)",
                "recorded": f"{'; '.join(barriers)} (n = {n}); weights: {zero} of {n} at most "
                f"{ZERO} nats, {sagging} of {n} nowhere so far above the chord"
                if recorded
                else "not run",
                "build": "see the page",
                "verdict": verdict(claims(study)),
            }
        )
    return rows
