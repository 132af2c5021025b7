"""Chapter 22: the barrier between two networks while they train, epoch by epoch.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Fig. 3, claims

Reproduces Ainsworth et al. 2022, Fig. 3: the line between the networks as they are, and matched
by weights.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean

import numpy as np

from modeconn_lib.evaluation.along_path import excess, grid
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import matching_tasks
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

METHODS = ("naive", "weights")
NOTHING_LOST = 0.1  # nats: a barrier between fresh networks, which know nothing, stays below

_LAST = 25  # epochs that the authors plot
_FEW = (0, 1, 2, 3, 5, 8, 12, 18, _LAST)
_POINTS = 13  # every second lambda of the authors' grid
_ALL = tuple(range(_LAST + 1))

# At a constant rate the first epochs of a run do not depend on how many follow: MNIST's networks
# need not be trained beyond the last that is looked at. A cosine's do.
_MNIST = replace(
    scale.MNIST_MLP, endpoint=replace(scale.MNIST_MLP.endpoint, epochs=_LAST), epochs=_ALL, orders=1
)

PROFILES: Profiles = {
    "smoke": (replace(scale.TINY_MLP, epochs=(0, 1)),),
    "quick": (
        replace(
            scale.SMALL_MLP,
            pairs=1,
            measure_examples=1_000,
            points=_POINTS,
            orders=1,
            epochs=(0, 1, 2, 3, 5, 8, 12, 20),
        ),
    ),
    "standard": (
        replace(_MNIST, pairs=3, measure_examples=5_000, points=_POINTS, epochs=_FEW),
        replace(
            scale.CIFAR_MLP,
            pairs=2,
            endpoint=replace(scale.CIFAR_MLP.endpoint, epochs=_LAST),
            measure_examples=5_000,
            points=_POINTS,
            orders=1,
            epochs=_FEW,
        ),
    ),
    "paper": (_MNIST, replace(scale.CIFAR_MLP, orders=1, epochs=_ALL)),
}

SAID = 'mode connectivity "manifests gradually throughout training"'
PAPER = {  # the numbers are read off the places of arrows in the authors' plotting code
    "mnist": f"{SAID}; the barrier is roughly 0.5 to 0.6 after epoch 1",
    "cifar10": f"{SAID}; the barrier is roughly 0.3 after epoch 1",
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name: ``snapshots/0/A``, ``snapshots/0/B``, ``onset/0``."""
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"snapshots/{pair}/{name}"] = matching_tasks.snapshots(setting, pair, side)
        out[f"onset/{pair}"] = matching_tasks.onset(setting, pair)
    return out


CHAPTER = Chapter("22_onset", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the page over pairs; accuracies in percent, losses in nats.

    Names end with one of ``before training``, ``after the first epoch`` and ``after the last epoch
    kept``, and begin with ``endpoint accuracy``, ``<method> test barrier``, ``<method> train
    barrier`` or ``weights test excess loss`` (over the straight line between the losses of the
    ends).
    """
    found = list(study.select("onset/").values())
    moments = _moments(found[0].series["epochs"])
    out = {
        f"endpoint accuracy {when}": summarise(100 * _ends(r, i) for r in found)
        for when, i in moments.items()
    }
    for method in METHODS:
        for split in ("test", "train"):
            for when, i in moments.items():
                barriers = (r.series[f"{method}_{split}_barrier"][i] for r in found)
                out[f"{method} {split} barrier {when}"] = summarise(barriers)
    for when, i in moments.items():
        over = (_excess(r.series["weights_test_loss"][i]) for r in found)
        out[f"weights test excess loss {when}"] = summarise(over)
    return out


def by_epoch(study: Study, method: str) -> dict[int, Summary]:
    """Return the test barrier over pairs after each epoch kept."""
    found = list(study.select("onset/").values())
    return {
        epoch: summarise(r.series[f"{method}_test_barrier"][i] for r in found)
        for i, epoch in enumerate(found[0].series["epochs"])
    }


def lowest(study: Study) -> tuple[int, int]:
    """Return after which epoch the matched test barrier is lowest, and the last epoch kept.

    Before training a barrier says nothing: that epoch does not count.
    """
    found = {e: b.mean for e, b in by_epoch(study, "weights").items() if e > 0}
    return min(found, key=lambda epoch: found[epoch]), max(found)


def courses(studies: Mapping[str, Study]) -> str:
    """Return how low the matched test barrier gets in every study, and what it is at the end."""
    said = []
    for subject, study in studies.items():
        (at, last), barriers = lowest(study), by_epoch(study, "weights")
        where = f"{subject}: lowest after epoch {at}, {barriers[at].text(3)} nats"
        rises = f", and {barriers[last].text(3)} nats after epoch {last}, the last kept"
        said.append(where + (rises if at != last else ", the last kept"))
    return "; ".join(said) or NOTHING


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so.

    The last, the strictest reading of what the paper says, is not insisted on.
    """
    s = summaries(study)
    naive, matched = ([s[f"{m} test barrier {w}"].mean for w in _MOMENTS] for m in METHODS)
    every = [[b.mean for e, b in by_epoch(study, m).items() if e > 0] for m in METHODS]
    gains = [low < high for high, low in zip(*every, strict=True)]
    (at, last), barriers = lowest(study), by_epoch(study, "weights")
    found = dict.fromkeys((at, last))
    return [
        Claim(
            f"before training, neither line has a test barrier above {NOTHING_LOST} nats",
            max(naive[0], matched[0]) <= NOTHING_LOST,
            f"{naive[0]:.3f} and {matched[0]:.3f} nats",
        ),
        Claim(
            "after every epoch kept, the test barrier is lower matched by weights than naive",
            all(gains),
            f"after {sum(gains)} of {len(gains)}",
        ),
        Claim(
            "matched by weights, the test barrier is lower after the last epoch kept than after "
            "the first",
            matched[2] < matched[1],
            f"{matched[1]:.3f} to {matched[2]:.3f} nats",
        ),
        Claim(
            "after the last epoch kept, the matched test barrier is less than half of the naive "
            "one",
            matched[2] < naive[2] / 2,
            f"{naive[2]:.3f} against {matched[2]:.3f} nats",
        ),
        Claim(
            "matched by weights, the test barrier is lowest after the last epoch kept",
            at == last,
            ", ".join(f"{barriers[e].mean:.3f} nats after epoch {e}" for e in found),
            insisted=False,
        ),
    ]


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        s, n = summaries(study), len(study.select("onset/"))
        cells = [
            f"{method} {' to '.join(s[f'{method} test barrier {w}'].text(3) for w in _MOMENTS[1:])}"
            for method in METHODS
        ]
        at, last = lowest(study)
        if at != last:
            cells.append(f"lowest {by_epoch(study, 'weights')[at].text(3)} after epoch {at}")
        rows.append(
            {
                "claim": f"Fig. 3, {subject}: test barrier after the first and the last epoch "
                "kept, nats",
                "paper": PAPER.get(study.config["dataset"], SAID),
                "recorded": f"{'; '.join(cells)} (n = {n})" if recorded else "not run",
                "build": "see the page",
                "verdict": verdict(claims(study)),
            }
        )
    return rows


_MOMENTS = ("before training", "after the first epoch", "after the last epoch kept")


def _moments(epochs: Iterable[int]) -> dict[str, int]:
    """Return the places, among the epochs kept, of what the page looks at closely."""
    kept = list(epochs)
    return dict(zip(_MOMENTS, (0, 1, len(kept) - 1), strict=True))


def _ends(record: Record, i: int) -> float:
    """Return the mean test accuracy of A and B."""
    accuracies = record.series["naive_test_accuracy"][i]
    return fmean((accuracies[0], accuracies[-1]))


def _excess(losses: list[float]) -> float:
    return excess(np.array(losses), np.array(grid(len(losses))))
