"""What chapter 18 claims of its records: theorem 3.1 on trained networks, C.2, theorem E.3.

Study  ->  claims, scorecard

What is a theorem is insisted on; what the paper says beyond that is counted.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log

from modeconn_lib.core.scientific import scientific
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment.theory_readings import (
    ALIGNED,
    ORDERS,
    ROUNDING,
    accepted,
    apart,
    bounds,
    inner,
    iterates,
    middle,
    orders,
    premise,
    rises,
    summaries,
)
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

EXACT = 1e-9  # how near to its bound a loss is that meets it, relative


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so."""
    return [*_of_bounds(study), *_of_written(study["written"]), *_of_descent(study["descent"])]


def _of_bounds(study: Study) -> list[Claim]:
    """Return the claims on trained networks: theorem 3.1, step by step."""
    found = bounds(study)
    least = min(
        bound / loss
        for r in found
        for order in orders(study)
        for split in ("train", "test")
        for kind in ("cross_entropy", "rmse")
        for line in [f"{order} {split} {kind}"]
        for loss, bound in zip(inner(r, line), inner(r, f"{line} bound"), strict=True)
    )
    kept = {
        order: max(share for r in found for share in premise(r, order)) for order in orders(study)
    }
    higher = [
        high / low
        for r in found
        for low, high in zip(
            inner(r, "unaligned train cross_entropy bound"),
            inner(r, f"{ALIGNED} train cross_entropy bound"),
            strict=True,
        )
    ]
    layers = [
        mine / asis
        for r in found
        for end in ("to_a", "to_b")
        for mine, asis in _pairs(
            r.series[f"{ALIGNED} train {end}"], r.series[f"unaligned train {end}"]
        )
    ]
    broken = [share > 1 + ROUNDING for share in layers]
    others = {o: kept[o] for o in kept if o not in ("unaligned", ALIGNED, "constrained")}
    unseen = max(share for r in found for share in premise(r, ALIGNED, "test"))
    guess = log(dataset(study.config["dataset"]).classes)
    line = f"{ALIGNED} train cross_entropy"
    half_way = [(middle(r, f"{line} bound"), middle(r, line)) for r in found]
    lowest, there = min(half_way)
    return [
        Claim(
            "on every line, at every t, both losses are at most their bounds",
            least >= 1 - ROUNDING,
            f"bound at least {least:.3f} times the loss",
        ),
        Claim(
            "matched by distances of pre-activations, B is no farther from A in any hidden layer "
            "than unaligned (the premise of theorem 3.1)",
            kept[ALIGNED] <= 1 + ROUNDING,
            f"at most {kept[ALIGNED]:.3f} of the unaligned distance",
        ),
        Claim(
            "at every t, the aligned bound is at most the unaligned one (equation 29)",
            max(higher) <= 1 + ROUNDING,
            f"at most {max(higher):.3f} of it",
        ),
        Claim(
            "half-way, the aligned bound exceeds the loss of a network that guesses",
            lowest > guess,
            f"{lowest:.1f} nats at least against {guess:.2f}; the loss there is {there:.3f}",
        ),
        Claim(
            "the constrained matching of post-activations (equation 31) keeps the premise",
            kept["constrained"] <= 1 + ROUNDING,
            f"at most {kept['constrained']:.3f} of the unaligned distance",
        ),
        Claim(
            "orders that nothing obliges to keep the premise keep it, too",
            max(others.values()) <= 1 + ROUNDING,
            "; ".join(f"{ORDERS[order]}: {share:.2f}" for order, share in others.items()),
            insisted=False,
        ),
        Claim(
            "the true distances of every hidden layer at every t are smaller aligned, too "
            "(equation 25 as printed)",
            not any(broken),
            f"at {len(broken) - sum(broken)} of {len(broken)} places",
            insisted=False,
        ),
        Claim(
            "on test images, of which the matching knows nothing, the premise holds as well",
            unseen <= 1 + ROUNDING,
            f"at most {unseen:.3f} of the unaligned distance",
            insisted=False,
        ),
    ]


def _pairs(
    mine: Sequence[Sequence[float]], asis: Sequence[Sequence[float]]
) -> list[tuple[float, float]]:
    """Return the true distances aligned and unaligned, where there are any: not at the ends."""
    return [
        (x, y)
        for row, other in zip(mine, asis, strict=True)
        for x, y in zip(row, other, strict=True)
        if y > 0
    ]


def _of_written(written: Record) -> list[Claim]:
    """Return the claims on networks written down: appendix C.2, and a joint order."""
    gaps = {name: written.number(f"{name} gap") for name in written.series["examples"]}
    met = {name: gaps[name] for name in written.series["met"]}
    loose = {name: gaps[name] for name in ("one sign, not parallel", "one unit, 2 hidden layers")}
    lines = [f"two layers {how}" for how in ("as they are", "in one order")]
    squares = [sum(x**2 for x in written.series[f"{name} ends"][:-1]) for name in lines]
    highs = [middle(written, f"{name} bound") for name in lines]
    true, bounded = (written.series[f"drawn {what}"] for what in ("true", "bound"))
    farther = sum(share > 1 + ROUNDING for share in true)
    once, mended = (written.series[f"{what} accepted"] for what in ("printed", "mended"))
    before, after = written.series["printed sharp"]
    return [
        Claim(
            "there are networks, with one hidden layer and with more, whose loss is their bound at "
            "every t",
            max(met.values()) <= EXACT,
            "; ".join(f"{name}: {scientific(gap, 1)}" for name, gap in met.items()),
        ),
        Claim(
            "the conditions of C.2 as printed are not enough for that",
            min(loose.values()) > EXACT,
            "; ".join(f"{name}: {100 * gap:.0f} % below" for name, gap in loose.items()),
        ),
        Claim(
            "one order for two layers can lower the sum of their squared distances and raise the "
            "bound",
            squares[1] < squares[0] and highs[1] > highs[0],
            f"sum {squares[0]:.2f} to {squares[1]:.2f}, bound {highs[0]:.2f} to {highs[1]:.2f}",
        ),
        Claim(
            "aligning random networks raises no bound, and yet some true distances: equation 25 as "
            "printed does not follow",
            max(bounded) <= 1 + ROUNDING and farther > 0,
            f"{farther} of {len(true)} pairs are farther apart half-way",
        ),
        Claim(
            "with the stopping rule of theorem E.3 as printed (equation 46) the objective can "
            "rise; with twice its right side that step is refused",
            bool(once[-1]) and after > before and not mended[-1],
            f"{before:.2f} to {after:.2f} times δ",
        ),
    ]


def _of_descent(record: Record) -> list[Claim]:
    """Return the claims on the descents: theorem E.3."""
    number = range(len(record.series["deltas"]))
    up = [rises(accepted(record, k)) for k in number]
    steps = sum(len(accepted(record, k)) - 1 for k in number)
    tight = max(apart(record, k) / record.number(f"rounding {k}") for k in number)
    drops = [
        before - after - far
        for k in number
        for (before, after), far in zip(
            pairwise(accepted(record, k, "smooth")), _terms(record, k)[1:], strict=True
        )
    ]
    return [
        Claim(
            "along accepted iterates, the objective of the ReLU networks never rises",
            sum(up) == 0,
            f"on {sum(up)} of {steps} steps, {len(up)} widths of corners",
        ),
        Claim(
            "the smooth objective falls by the proximal terms at least (theorem E.1)",
            min(drops, default=0.0) >= -ROUNDING,
            f"by {scientific(min(drops, default=0.0))} nats more, at least",
        ),
        Claim(
            "both objectives are never farther apart than equation 48 says",
            tight <= 1,
            f"at most {scientific(tight)} of it",
        ),
        Claim(
            "the narrower the corners, the more iterates pass, or as many",
            all(wide <= narrow for wide, narrow in pairwise(iterates(record))),
            f"{', '.join(map(str, iterates(record)))}, the widest first",
            insisted=False,
        ),
    ]


def _terms(record: Record, k: int) -> list[float]:
    """Return the proximal terms of every accepted iterate."""
    both = zip(accepted(record, k, "by_phi"), accepted(record, k, "by_p"), strict=True)
    return [x + y for x, y in both]


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return [
        {
            "claim": f"theorems 3.1 and E.3, {subject}",
            "paper": "proved: the aligned bound is the lower one; the objective never rises",
            "recorded": _in_short(study) if recorded else "not run",
            "build": _of_build(subject, built),
            "verdict": verdict(claims(study)),
        }
        for subject, study in (recorded or built).items()
    ]


def _of_build(subject: str, built: Mapping[str, Study]) -> str:
    """Return this build's numbers of a subject; of its own subjects, named, if it has not that."""
    if subject in built:
        return _in_short(built[subject])
    return " / ".join(f"{name}: {_in_short(study)}" for name, study in built.items())


def _in_short(study: Study) -> str:
    s = summaries(study)
    bound, loss = s["aligned midpoint bound"], s["aligned midpoint loss"]
    return (
        f"aligned bound {s['share of bound'].text(0)} % of the unaligned one; half-way "
        f"{bound.text(1)} nats, where the loss is {loss.text(3)} (n = {bound.n})"
    )
