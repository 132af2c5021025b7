"""Chapter 15: permutations learned on the curve's own loss, by proximal alternating minimisation.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  rows of Tables 1 and 2, App. E

Reproduces the PAM rows of Tatro et al. 2020, Tables 1 and 2, and what appendices E.1, E.2 and
E.4 say of the method. The curves without it are those of `learned_curves`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

import torch

from modeconn_lib.core.scientific import scientific
from modeconn_lib.core.seeds import generator
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import (
    curve_profiles,
    learned_curves,
    published_curves,
)
from modeconn_lib.experiments.neuron_alignment.learned_curves import WORDS, kinds
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import PERMUTATION, QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.paths.doubly_stochastic import ROUNDS, summing_to_one
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

# A permutation learned from where B is, and from the alignment: each beside its start.
STARTS = {"pam_unaligned": "unaligned", "pam_aligned": "aligned"}
NEAR = 0.5  # points of accuracy that count as near

PROFILES: Profiles = {
    "smoke": (SMOKE,),
    # Few steps, so large ones; at twice this rate the relaxed loss rises.
    "quick": (replace(QUICK, permutation=replace(PERMUTATION, epochs=2, learning_rate=0.5)),),
    "standard": (STANDARD, curve_profiles.STANDARD_CIFAR100),
    # The paper has no such curves of GoogLeNet.
    "paper": tuple(p for p in curve_profiles.PROFILES["paper"] if p.architecture != "googlenet"),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name, as `learned_curves.plan`, without straight lines."""
    every = learned_curves.plan(setting)
    return {name: task for name, task in every.items() if not name.endswith("/line")}


CHAPTER = Chapter("15_pam", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def found(study: Study, kind: str) -> list[Record]:
    """Return what PAM found of one of `STARTS`, one record for each pair."""
    return study.over_pairs("curve", kind)


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the page by name, over pairs.

    Names: those of `learned_curves.summaries` that are of a network or a curve, and of each kind
    of `STARTS`: ``<kind> units moved`` and ``mass kept`` (percent), ``relaxed loss, first epoch``
    and ``last epoch``, ``loss before`` and ``loss after`` choosing, ``loss of the projection``, and
    ``minutes`` of relaxing and choosing.
    """
    out = learned_curves.summaries(study)
    for kind in STARTS:
        records = found(study, kind)
        readings: dict[str, Callable[[Record], float]] = {
            "units moved": lambda r: 100 * r.number("moved"),
            "mass kept": lambda r: 100 * fmean(r.series["kept"]),
            "relaxed loss, first epoch": lambda r: r.series["relaxed_loss"][0],
            "relaxed loss, last epoch": lambda r: r.series["relaxed_loss"][-1],
            "loss before": lambda r: r.number("loss_before"),
            "loss after": lambda r: r.number("loss_after"),
            "loss of the projection": lambda r: r.series["candidate_losses"][1],
            "minutes": lambda r: (r.number("relaxing_seconds") + r.number("choosing_seconds")) / 60,
        }
        for name, read in readings.items():
            out[f"{kind} {name}"] = summarise(read(record) for record in records)
    return out


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records.

    The paper says all but the first, the fifth and the last two, and leaves open how near *near*
    is.
    """
    s = summaries(study)
    average, minimum, loss = (
        {kind: s[f"{kind} curve {what}"].mean for kind in kinds(study)}
        for what in ("average", "minimum", "train loss")
    )
    every = [record for kind in STARTS for record in found(study, kind)]
    risen = sum(r.number("loss_after") > r.number("loss_before") for r in every)
    moved = {kind: s[f"{kind} units moved"].mean for kind in STARTS}
    begun = [flag for r in every for flag in r.series["begins_nearest"]]
    beaten = sum(_best_sample(r) < r.series["candidate_losses"][1] for r in every)
    return [
        Claim(
            "choosing a permutation never raises the loss along the straight line",
            risen == 0,
            f"risen in {risen} of {len(every)} runs",
        ),
        _counted(
            "the PAM unaligned curve is better than the unaligned one, on average, at its worst "
            "and in training loss",
            average["pam_unaligned"] > average["unaligned"]
            and minimum["pam_unaligned"] > minimum["unaligned"]
            and loss["pam_unaligned"] < loss["unaligned"],
            _three(average, minimum, loss, "pam_unaligned", "unaligned"),
        ),
        _counted(
            "the PAM unaligned curve does not reach the aligned one, on average or at its worst",
            average["pam_unaligned"] < average["aligned"]
            and minimum["pam_unaligned"] < minimum["aligned"],
            _three(average, minimum, loss, "pam_unaligned", "aligned"),
        ),
        _counted(
            f"the PAM aligned curve stays within {NEAR} points of the aligned one: the alignment "
            f"is nearly a local optimum",
            abs(average["pam_aligned"] - average["aligned"]) <= NEAR
            and abs(minimum["pam_aligned"] - minimum["aligned"]) <= NEAR,
            _three(average, minimum, loss, "pam_aligned", "aligned"),
        ),
        _counted(
            "PAM aligned moves fewer units than PAM unaligned",
            moved["pam_aligned"] < moved["pam_unaligned"],
            f"{moved['pam_aligned']:.1f} % against {moved['pam_unaligned']:.1f} % of all units",
        ),
        _counted(
            "of the permutations drawn, some have a smaller loss than the projection",
            beaten > 0,
            f"in {beaten} of {len(every)} runs",
        ),
        _counted(
            "every mixture begins with the permutation nearest to its matrix",
            all(begun),
            f"{sum(begun)} of {len(begun)} matrices",
        ),
        *(_descends(study, kind) for kind in STARTS),
    ]


def _descends(study: Study, kind: str) -> Claim:
    """Return whether the relaxed loss fell: a start that is kept is evidence only if it did."""
    losses = [record.series["relaxed_loss"] for record in found(study, kind)]
    fallen = sum(one[-1] < one[0] for one in losses)
    first, last = (fmean(one[i] for one in losses) for i in (0, -1))
    return _counted(
        f"training the matrices of {WORDS[kind]} lowers their loss, first to last epoch",
        fallen == len(losses),
        f"in {fallen} of {len(losses)} runs, {first:.3f} to {last:.3f} nats on average",
    )


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: what PAM adds to each start."""
    return [
        {
            "claim": f"Table 1, {subject}: {WORDS[kind]} curve less {WORDS[start]}, "
            f"average / minimum, points",
            "paper": _gains(published_curves.values(study.config), kind, start),
            "recorded": _gain(study, kind, start) if recorded else "not run",
            "build": _gain(built[subject], kind, start) if subject in built else NOTHING,
            "verdict": verdict(claims(study)),
        }
        for subject, study in (recorded or built).items()
        for kind, start in STARTS.items()
    ]


def words(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> dict[str, str]:
    """Return the most negative entry that the rounds of projection left in any run, by study."""
    out = {}
    for who, studies in (("build", built), ("recorded", recorded)):
        left = [
            r.number("lowest") for one in studies.values() for k in STARTS for r in found(one, k)
        ]
        out[f"{who} most negative entry"] = scientific(min(left)) if left else NOTHING
    return out


ROUNDS_COLUMNS = ("rounds", "smallest entry left", "largest departure of a sum from 1")


def rounds(units: int = 64, spread: float = 0.01) -> list[list[str]]:
    """Return what alternating projections leave of one random step from the identity, in rows.

    Parameters
    ----------
    spread
        Standard deviation of the step's entries.
    """
    step = torch.randn(units, units, generator=generator(0, "step"), dtype=torch.float64)
    matrix, rows = torch.eye(units, dtype=torch.float64) + spread * step, []
    for k in range(2 * ROUNDS + 1):
        if k in (0, 1, 2, 5, 10, ROUNDS, 2 * ROUNDS):
            sums = torch.stack([matrix.sum(0), matrix.sum(1)])
            off = float((sums - 1).abs().max())
            rows.append([str(k), scientific(float(matrix.min())), scientific(off, 1)])
        matrix = summing_to_one(matrix.relu())
    return rows


def _best_sample(record: Record) -> float:
    """Return the smallest loss of those that were drawn."""
    return min(record.series["candidate_losses"][2:], default=float("inf"))


def _counted(text: str, holds: bool, numbers: str) -> Claim:
    """Return a sentence that is shown and counted, and not insisted on."""
    return Claim(text, holds, numbers, insisted=False)


def _three(
    average: Mapping[str, float],
    minimum: Mapping[str, float],
    loss: Mapping[str, float],
    kind: str,
    start: str,
) -> str:
    """Return the three numbers of a curve against those of another."""
    return (
        f"average {average[kind]:.2f} against {average[start]:.2f} %, minimum {minimum[kind]:.2f} "
        f"against {minimum[start]:.2f} %, training loss {loss[kind]:.3f} against "
        f"{loss[start]:.3f} nats"
    )


def _gain(study: Study, kind: str, start: str) -> str:
    return _gains({name: (s.mean, 0.0) for name, s in summaries(study).items()}, kind, start)


def _gains(values: Mapping[str, tuple[float, float]], kind: str, start: str) -> str:
    """Return how much better one kind of curve is than another, on average and at its worst."""
    names = [f"curve {what}" for what in ("average", "minimum")]
    if any(f"{one} {name}" not in values for one in (kind, start) for name in names):
        return NOTHING
    gains = [values[f"{kind} {name}"][0] - values[f"{start} {name}"][0] for name in names]
    return " / ".join(f"{gain:+.1f}" for gain in gains)
