"""Chapter 21: the line between two networks, as they are and matched in three ways.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Figs. 2, 8 and 11, claims

Reproduces Ainsworth et al. 2022, Figs. 2 and 8, and Fig. 11 with images of the reader's own.
"""

from modeconn_lib.experiments import lines
from modeconn_lib.experiments import merging_profiles as scale
from modeconn_lib.experiments.matching_tasks import METHODS
from modeconn_lib.experiments.parameters import Setting, settings
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.runner import Options
from modeconn_lib.experiments.studies import Claim, recorded_studies, run_studies, verdict
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

CHAPTER = "21_matching_methods"
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


def run(setting: Setting, store: Store, options: Options | None = None) -> dict[str, Study]:
    """Return each subject's records, computing what the store lacks (raises as `runner.run`)."""
    subjects = settings(setting.data, setting.wanted, PROFILES)
    return run_studies(CHAPTER, plan, subjects, store, options)


def recorded(setting: Setting, store: Store) -> dict[str, Study]:
    """Return every subject that is wholly recorded, at its best profile."""
    return recorded_studies(CHAPTER, plan, setting, store, PROFILES)


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
        start, best = (s[f"{m} train barrier"].mean for m in ("weights", "estimator"))
        out.append(
            Claim(
                "the straight-through estimator's training barrier is no higher than that of the "
                "weight matching it begins at",
                best <= start,
                f"{start:.3f} to {best:.3f} nats",
            )
        )
    return out


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
