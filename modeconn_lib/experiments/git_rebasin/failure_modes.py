"""Chapter 28: where matching weights is said to fail, beside a control in which it does not.

Setting  ->  plan  ->  runner  ->  a Study for each mode  ->  barriers, first steps, claims

Reproduces Ainsworth et al. 2022, appendix A.1 (five known failure modes) and A.7 (the direction of
steepest descent). The paper gives neither numbers nor settings: those here are ours.
"""

from collections.abc import Mapping
from dataclasses import replace

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments import pages, tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import lines, matching_tasks
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profile, Profiles
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise
from modeconn_lib.training.fit import Recipe

METHODS = ("naive", "weights")
LIMIT = 0.1  # nats: a test barrier that is left above this is called a failure here
LEARNED = 0.3  # test accuracy, three times chance: below it a network has learned next to nothing

NARROW = "too narrow"
EARLY = "after one epoch"
VGG = "VGG16"
SLOW = "SGD, low rate"
FAST = "Adam, high rate"
STEEP = ("", EARLY)  # where steepest descent is tried: the control, and where the loss is steep

# Values of lambda close to A, at which the first steps of a line are looked at.
NEAR = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)


def _modes(
    control: Profile, slow: Recipe, fast: Recipe, vgg: Profile, pairs: int
) -> tuple[Profile, ...]:
    """Return the control and the five modes, which differ from it in what their names say."""
    few = replace(control, pairs=pairs, points=13, claims=False)
    return (
        replace(control, estimator=None),
        replace(few, architecture="mlp_w16", subject=NARROW),
        replace(few, endpoint=replace(control.endpoint, epochs=1), subject=EARLY),
        replace(vgg, subject=VGG, claims=False),
        replace(few, endpoint=slow, subject=SLOW),
        replace(few, endpoint=fast, subject=FAST),
    )


def _slow(epochs: int) -> Recipe:
    return Recipe(
        epochs=epochs,
        learning_rate=1e-3,
        schedule="constant",
        nesterov=False,
        weight_decay=0.0,
    )


def _fast(control: Profile, epochs: int) -> Recipe:
    return replace(control.endpoint, epochs=epochs, learning_rate=1e-2)


def _vgg(control: Profile, images: int, epochs: int, pairs: int, measured: int) -> Profile:
    """Return a narrow VGG16 on some of the images, in batches small enough to learn in minutes.

    At the control's rate some of these networks never leave chance.
    """
    return replace(
        control,
        architecture="vgg16_layernorm_w8",
        pairs=pairs,
        train_examples=images,
        test_examples=measured,
        measure_examples=measured,
        batch_size=25,
        endpoint=replace(control.endpoint, epochs=epochs, learning_rate=3e-4),
        points=9,
    )


_PAPER_VGG = replace(scale.CIFAR_VGG, dataset="mnist", augmentation="scaled", train_examples=60_000)

PROFILES: Profiles = {
    "smoke": (
        scale.TINY_MLP,
        replace(scale.TINY_MLP, architecture="mlp_w16", subject=NARROW),
        replace(scale.TINY_MLP, endpoint=_slow(1), subject=SLOW),
    ),
    "quick": _modes(
        scale.SMALL_MLP,
        _slow(8),
        _fast(scale.SMALL_MLP, 8),
        _vgg(scale.SMALL_MLP, 2_000, 4, 1, 500),
        pairs=1,
    ),
    "standard": _modes(
        scale.STANDARD_MNIST_MLP,
        _slow(12),
        _fast(scale.STANDARD_MNIST_MLP, 12),
        _vgg(scale.STANDARD_MNIST_MLP, 10_000, 3, 2, 2_000),
        pairs=2,
    ),
    "paper": _modes(
        scale.MNIST_MLP,
        _slow(100),
        _fast(scale.MNIST_MLP, 100),
        _PAPER_VGG,
        pairs=5,
    ),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a mode's tasks by name, as `lines.plan`; in some with the method ``steepest``."""
    out = lines.plan(setting, METHODS)
    if setting.numbers.subject in STEEP:
        for pair in range(setting.pairs):
            found = _steepest(setting, pair)
            label = f"steepest line of pair {pair + 1}"
            a, b = tasks.ends(setting, pair)
            out[f"matching/{pair}/steepest"] = found
            out[f"along/{pair}/steepest/line"] = matching_tasks.line(setting, a, b, found, label)
    return out


def _steepest(setting: Setting, pair: int) -> Task:
    numbers = setting.numbers
    a, b = tasks.ends(setting, pair)
    config = {
        **tasks.measuring(setting),
        "measure_examples": numbers.measure_examples,
        "orders": 1,  # there is no best match to be near to: further orders gain little
        "near": list(NEAR),
        "seed": derive(setting.seed, "orders", pair),
    }
    inputs = (a, b, matching_tasks.weights(setting, a, b, pair))
    cost = 3 * len(NEAR) * numbers.measure_examples // 3
    label = f"steepest descent of pair {pair + 1}"
    return tasks.task(setting, "steepest", config, inputs, label, cost)


CHAPTER = Chapter("28_failure_modes", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def drop(study: Study, method: str) -> float:
    """Return how many points of test accuracy are lost half-way, on the mean over pairs."""
    s = lines.summaries(study)
    ends = [
        50 * (r.series["test_accuracy"][0] + r.series["test_accuracy"][-1])
        for r in lines.lines(study, method)
    ]
    return summarise(ends).mean - s[f"{method} midpoint accuracy"].mean


def is_control(study: Study) -> bool:
    """Return whether matching is expected to work in this study."""
    return study.config["subject"] not in (NARROW, EARLY, VGG, SLOW, FAST)


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a mode's records, and whether it is so.

    Nothing is borne out by networks that have not learned: any order of their units does.
    """
    s, worst = lines.summaries(study), _worst_end(study)
    before, after = (s[f"{m} test barrier"].mean for m in METHODS)
    found = f"{before:.3f} to {after:.3f} nats"
    if worst < LEARNED:
        found += f", but a network has a test accuracy of {100 * worst:.1f} %"
    if is_control(study):
        text = f"matching weights leaves a test barrier of at most {LIMIT:g} nats"
        out = [Claim(text, worst >= LEARNED and after <= LIMIT, found)]
    else:
        text = f"matching weights leaves a test barrier of more than {LIMIT:g} nats"
        out = [Claim(text, worst >= LEARNED and after > LIMIT, found)]
    return out + (_of_descent(study, s) if "steepest" in lines.methods(study) else [])


def _worst_end(study: Study) -> float:
    """Return the lowest test accuracy of all networks of a study."""
    return min(record.number("test_accuracy") for record in study.select("endpoint/").values())


def outcome(study: Study) -> str:
    """Return what became of matching in a study: ``fails``, ``does not fail``, or neither."""
    if _worst_end(study) < LEARNED:
        return "did not train"
    high = lines.summaries(study)["weights test barrier"].mean > LIMIT
    return "fails" if high else "does not fail"


def _of_descent(study: Study, s: Mapping[str, Summary]) -> list[Claim]:
    steps = lines.matchings(study, "steepest")
    slopes = {m: summarise(r.number(f"{m}_slope") for r in steps).mean for m in FIRST}
    falls = [_falls(r) for r in steps]
    high = {m: s[f"{m} train barrier"].mean for m in ("weights", "steepest")}
    return [
        Claim(
            "the order of steepest descent makes the line begin more steeply downhill than B's own "
            "order and than weight matching",
            slopes["steepest"] < min(slopes["naive"], slopes["weights"], 0.0),
            ", ".join(f"{m} {v:.3g}" for m, v in slopes.items()) + " nats per line",
        ),
        Claim(
            "on that line the training loss does fall at first",
            all(fall > 0 for fall in falls),
            "by " + ", ".join(f"{fall:.2g}" for fall in falls) + " nats",
        ),
        Claim(
            "and then meets a higher barrier than on the line matched by weights",
            high["steepest"] > high["weights"],
            f"{high['weights']:.3f} and {high['steepest']:.3f} nats of training loss",
        ),
    ]


FIRST = ("naive", "weights", "steepest")


def _falls(record: Record) -> float:
    """Return how far the loss falls below that of A on the first steps of the steepest line."""
    losses = record.series["steepest_loss"]
    return float(losses[0] - min(losses))


def protocol(shown: Mapping[str, Study]) -> list[list[str]]:
    """Return a row for every study: its network, how it is trained, on what, how many pairs."""
    what = ("network", "training of networks", "training images", "test images")
    reads = [pages.PROTOCOL[name] for name in (*what, "points on a path", "pairs of networks")]
    return [[title, *(read(study.config) for read in reads)] for title, study in shown.items()]


COLUMNS = (
    "",
    "accuracy of the ends, %",
    "naive barrier",
    "matched barrier",
    "matched excess loss",
    "points lost",
    "matching",
)


def table(shown: Mapping[str, Study]) -> list[list[str]]:
    """Return a row for every study: ends, both lines, and what became of matching (`COLUMNS`)."""
    rows = []
    for title, study in shown.items():
        s = lines.summaries(study)
        names = [f"{m} test barrier" for m in METHODS]
        nats = [s[name].text(3) for name in (*names, "weights test excess loss")]
        lost = f"{drop(study, 'weights'):.1f}"
        rows.append([title, s["endpoint accuracy"].text(1), *nats, lost, outcome(study)])
    return rows


def failing(studies: Mapping[str, Study]) -> str:
    """Return the names of the modes in which matching fails, in words."""
    modes = {name: study for name, study in studies.items() if not is_control(study)}
    found = [name for name, study in modes.items() if outcome(study) == "fails"]
    if not modes:
        return pages.NOTHING
    return f"{len(found)} of {len(modes)} modes ({'; '.join(found) or 'none'})"


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each mode."""
    rows = []
    for title, study in (recorded or built).items():
        s = lines.summaries(study)
        left = [f"{m} {s[f'{m} test barrier'].text(3)}" for m in METHODS]
        rows.append(
            {
                "claim": f"A.1, {title}: test barriers, nats",
                "paper": "–" if is_control(study) else "matching fails",
                "recorded": "; ".join(left) if recorded else "not run",
                "build": "see the page",
                "verdict": verdict(claims(study)),
            }
        )
    return rows
