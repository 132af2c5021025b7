"""Chapter 14: planes through networks, their twins and the curves between them.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Figs. 3, 5 and 7, claims

Reproduces Tatro et al. 2020, Fig. 3 (top left), Fig. 5 and Fig. 7. The paper prints no number of
them: what is claimed is what it says of them in words, and what must be so.
"""

from dataclasses import replace
from math import hypot

import numpy as np

from modeconn_lib.evaluation.along_path import barrier, uniform_average
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import plane_tasks
from modeconn_lib.experiments.neuron_alignment.curve_profiles import PROFILES as CURVES
from modeconn_lib.experiments.neuron_alignment.curve_profiles import STANDARD_CIFAR100
from modeconn_lib.experiments.neuron_alignment.plane_tasks import PLANES
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import QUICK, SMOKE, STANDARD, Profile, Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

KINDS = ("unaligned", "aligned")
CLOSE = 5  # points of accuracy below the worse end: what the page calls close to the ends
IN_PLANE = 1e-5  # of the networks' length: what is called lying in the plane
SAME = 1e-3  # nats: two losses of one function, on other roundings


def _in_planes(numbers: Profile) -> Profile:
    """Return the scale of chapter 13 for one pair, and for many points with fewer images each."""
    return replace(
        numbers, pairs=1, resolution=17, statistics_examples=1_000, measure_examples=2_000
    )


PROFILES: Profiles = {
    "smoke": (replace(SMOKE, pairs=1, resolution=3),),
    "quick": (
        replace(
            _in_planes(QUICK), resolution=9, points=9, statistics_examples=200, measure_examples=300
        ),
    ),
    "standard": (_in_planes(STANDARD), _in_planes(STANDARD_CIFAR100)),
    "paper": tuple(replace(one, pairs=1, resolution=17, points=17) for one in CURVES["paper"]),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, and of the planes
    ``plane/0/networks``, ``plane/0/unaligned``, ``plane/0/aligned``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind in KINDS:
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=kind == "aligned")
        for through in PLANES:
            out[f"plane/{pair}/{through}"] = plane_tasks.plane(setting, pair, through)
    return out


CHAPTER = Chapter("14_planes", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number over pairs; accuracies and shares in percent, losses in nats.

    Names: ``<kind> line loss`` (mean over t), ``… barrier``, ``… midpoint`` (accuracy), the same of
    ``<kind> curve``; ``<kind> share`` of the curve's plane where networks are close to its ends;
    ``distance A to B``, ``… A to πB``, ``… B to πB`` and ``length of A`` (Euclidean, of all that
    is learned), ``angle at A`` between the ways to B and πB, in degrees.
    """
    out: dict[str, Summary] = {}
    for kind in KINDS:
        for shape in ("line", "curve"):
            way = f"{kind} {shape}"
            found = [
                _along(record, way) for record in study.over_pairs("plane", _home(kind, shape))
            ]
            out[f"{way} loss"] = summarise(uniform_average(loss, t) for t, loss, _ in found)
            out[f"{way} barrier"] = summarise(barrier(loss) for _, loss, _ in found)
            middle = [100 * accuracy[abs(t - 0.5).argmin()] for t, _, accuracy in found]
            out[f"{way} midpoint"] = summarise(middle)
        out[f"{kind} share"] = summarise(100 * _share(r) for r in study.over_pairs("plane", kind))
    lengths = [_lengths(record) for record in study.over_pairs("plane", "networks")]
    return out | {name: summarise(one[name] for one in lengths) for name in lengths[0]}


def _home(kind: str, shape: str) -> str:
    """Return the plane a path is read in: straight lines in that of the networks."""
    return "networks" if shape == "line" else kind


def _along(record: Record, way: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return t, test loss and test accuracy of a path in a plane."""
    names = ("t", f"{way} test_loss", f"{way} test_accuracy")
    t, loss, accuracy = (np.array(record.series[name]) for name in names)
    return t, loss, accuracy


def _share(record: Record) -> float:
    """Return the share of a curve's plane where the accuracy is close to that of the worse end."""
    way = f"{record.config['through']} curve"
    _, _, accuracy = _along(record, way)
    level = min(accuracy[0], accuracy[-1]) - CLOSE / 100
    return float((np.array(record.series["test_accuracy"]) >= level).mean())


def _lengths(record: Record) -> dict[str, float]:
    """Return the sides of the triangle of A, B and B's twin, and the angle at A."""
    width, height = record.number("width"), record.number("height")
    x = record.series["networks x"][2]
    return {
        "distance A to B": width,
        "distance A to πB": hypot(x * width, height),
        "distance B to πB": hypot((1 - x) * width, height),
        "length of A": record.number("length"),
        "angle at A": float(np.degrees(np.arctan2(height, x * width))),
    }


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so."""
    s = summaries(study)
    loss = {way: s[f"{way} loss"].mean for way in _ways()}
    middle = [s[f"{kind} line midpoint"].mean for kind in KINDS]
    beside = max(_beside(r, way) for way in _ways() for r in _of_way(study, way))
    apart = max(_apart(record) for record in study.over_pairs("plane", "networks"))
    share = [s[f"{kind} share"].mean for kind in KINDS]
    return [
        Claim(
            "the mean test loss on the straight line from A to πB is lower than from A to B",
            loss["aligned line"] < loss["unaligned line"],
            f"{loss['unaligned line']:.3f} to {loss['aligned line']:.3f} nats",
        ),
        Claim(
            "the network half-way from A to πB is more accurate than the one half-way to B",
            middle[1] > middle[0],
            f"{middle[0]:.1f} % to {middle[1]:.1f} %",
        ),
        Claim(
            "learned without alignment, the curve has a lower mean loss than the line below it",
            loss["unaligned curve"] < loss["unaligned line"],
            f"{loss['unaligned line']:.3f} to {loss['unaligned curve']:.3f} nats",
        ),
        Claim(
            "B and πB, at two places of the plane, have the same loss",
            apart <= SAME,
            f"they differ by {apart:.1e} nats at most",
        ),
        Claim(
            "curves and lines lie in their planes",
            beside <= IN_PLANE,
            f"at most {beside:.1e} of A's length beside it",
        ),
        Claim(
            f"more of the plane is within {CLOSE} points of the ends' accuracy around the aligned "
            "curve than around the unaligned one",
            share[1] > share[0],
            f"{share[0]:.0f} % against {share[1]:.0f} %",
            insisted=False,
        ),
    ]


def _ways() -> list[str]:
    return [f"{kind} {shape}" for kind in KINDS for shape in ("line", "curve")]


def _of_way(study: Study, way: str) -> list[Record]:
    kind, shape = way.split(" ")
    return study.over_pairs("plane", _home(kind, shape))


def _beside(record: Record, way: str) -> float:
    """Return how far a path leaves its plane, as a share of A's length."""
    return max(record.series[f"{way} distance"]) / record.number("length")


def _apart(record: Record) -> float:
    """Return how much the losses of B and its twin differ, where both stand in one plane."""
    ends = [record.series[f"{kind} line test_loss"][-1] for kind in KINDS]
    return abs(ends[0] - ends[1])


def words(who: str, study: Study | None) -> dict[str, str]:
    """Return how finely a study's planes were measured, in words; dashes where there is none."""
    if study is None:
        return dict.fromkeys((f"{who} grid", f"{who} seen", f"{who} statistics"), NOTHING)
    config = next(iter(study.over_pairs("plane", "networks"))).config
    return {
        f"{who} grid": f"{config['resolution']} × {config['resolution']}",
        f"{who} seen": f"{config['test_examples']:,}",
        f"{who} statistics": f"{config['statistics_examples']:,}",
    }


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        rows.append(
            {
                "claim": f"Figs. 3 and 5, {subject}: mean test loss on the lines from A to B and "
                "to πB, nats",
                "paper": "better to πB (figure only)",
                "recorded": _lines(study) if recorded else "not run",
                "build": _lines(built[subject]) if subject in built else "–",
                "verdict": verdict(claims(study)),
            }
        )
    return rows


def _lines(study: Study) -> str:
    s = summaries(study)
    first, second = (s[f"{kind} line loss"] for kind in KINDS)
    return f"{first.text(3)} / {second.text(3)} (n = {first.n})"
