"""What chapter 18 reads from its records: numbers and tables.

Study  ->  summaries, words, by_order, by_layer, of_examples, of_descent

What is claimed of them is in `theory_claims`.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments.pages import NOTHING
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

ORDERS = {
    "unaligned": "unaligned",
    "l2_pre": "distances of pre-activations",
    "l2_post": "distances of post-activations",
    "correlation": "correlation of post-activations",
    "constrained": "post-activations, constrained",
    "weights": "weights",
    "shared": "one order for all layers",
}
ALIGNED = "l2_pre"  # what theorem 3.1 is about
ROUNDING = 1e-9  # what may be rounding where numbers are compared, relative


def bounds(study: Study) -> list[Record]:
    """Return the bounded lines, one record for each pair."""
    return list(study.select("bounds/").values())


def middle(record: Record, series: str) -> float:
    """Return a series of a line half-way."""
    values = record.series[series]
    return float(values[len(values) // 2])


def inner(record: Record, series: str) -> list[float]:
    """Return a series of a line between its ends, where bound and loss are the same."""
    return [float(value) for value in record.series[series][1:-1]]


def summaries(study: Study) -> dict[str, Summary]:
    """Return the chapter's numbers over pairs, on the images that units were matched on.

    Names, for ``unaligned`` and ``aligned``: ``… midpoint loss``, ``… midpoint bound``,
    ``… midpoint bound by true distances``, ``… looseness`` (how many times the loss the bound is
    half-way). Then ``share of bound`` (what alignment leaves of the bound's integral, %) and
    ``times by biases`` (how many times as high the bound of the outputs' deviation is half-way if
    biases count as weights).
    """
    out: dict[str, Summary] = {}
    found = bounds(study)
    for order, words in (("unaligned", "unaligned"), (ALIGNED, "aligned")):
        loss, bound, half = (
            [middle(r, f"{order} train cross_entropy{kind}") for r in found]
            for kind in ("", " bound", " half")
        )
        out |= {
            f"{words} midpoint loss": summarise(loss),
            f"{words} midpoint bound": summarise(bound),
            f"{words} midpoint bound by true distances": summarise(half),
            f"{words} looseness": summarise(b / x for b, x in zip(bound, loss, strict=True)),
        }
    lower = [r.number(f"{ALIGNED} train bound") / r.number("unaligned train bound") for r in found]
    wide = [
        middle(r, "unaligned train deviation homogeneous") / middle_deviation(r, "unaligned")
        for r in found
    ]
    out["share of bound"] = summarise(100 * share for share in lower)
    out["times by biases"] = summarise(wide)
    return out


def middle_deviation(record: Record, order: str) -> float:
    """Return the bound of the outputs' deviation half-way, from that of the loss."""
    bound = middle(record, f"{order} train rmse printed")
    errors = record.series[f"{order} train rmse"]
    return bound - max(errors[0], errors[-1])


def orders(study: Study) -> list[str]:
    """Return the orders of B's units that were looked at."""
    return list(bounds(study)[0].series["orders"])


def premise(record: Record, order: str, split: str = "train") -> list[float]:
    """Return for each hidden layer how far B is from A, as a share of what it is unaligned."""
    *mine, _ = record.series[f"{order} {split} ends"]
    *asis, _ = record.series[f"unaligned {split} ends"]
    return [x / y for x, y in zip(mine, asis, strict=True)]


BY_ORDER = ("B's units by", "ends", "loss", "bound", "by true distances", "share")


def by_order(study: Study) -> list[list[str]]:
    """Return a row for every way to order B's units; `BY_ORDER` are the heads.

    Means over pairs. ``ends`` are the distances of every hidden layer's ends, ``share`` is the
    bound's integral, both as shares of what they are unaligned.
    """
    found, rows = bounds(study), []
    for order in orders(study):
        shares = [fmean(layer) for layer in zip(*(premise(r, order) for r in found))]  # noqa: B905
        line = f"{order} train cross_entropy"
        cells = [
            summarise(middle(r, f"{line}{kind}") for r in found) for kind in ("", " bound", " half")
        ]
        whole = fmean(
            r.number(f"{order} train bound") / r.number("unaligned train bound") for r in found
        )
        rows.append(
            [
                ORDERS[order],
                ", ".join(f"{share:.2f}" for share in shares),
                cells[0].text(3),
                cells[1].text(1),
                cells[2].text(1),
                f"{whole:.2f}",
            ]
        )
    return rows


BY_LAYER = ("layer", "norms", "B is", "ends", "d(½; 0)", "its bound")


def by_layer(study: Study) -> list[list[str]]:
    """Return two rows for every hidden layer, unaligned and aligned; `BY_LAYER` are the heads.

    Means over pairs. ``norms`` are those of the weights of A and of B, whatever the order.
    """
    found, rows = bounds(study), []
    for i, group in enumerate(found[0].series["groups"]):
        norms = [fmean(r.series[f"norms_{end}"][i] for r in found) for end in "ab"]
        for order, words in (("unaligned", "unaligned"), (ALIGNED, "aligned")):
            cells = [fmean(r.series[f"{order} train ends"][i] for r in found)]
            for kind in ("", " bound"):
                of = (r.series[f"{order} train to_a{kind}"] for r in found)
                cells.append(fmean(values[len(values) // 2][i] for values in of))
            both = ", ".join(f"{norm:.2f}" for norm in norms)
            rows.append([group, both, words, *(f"{cell:.2f}" for cell in cells)])
    return rows


OF_EXAMPLES = ("networks", "loss", "bound", "below it by")


def of_examples(study: Study) -> list[list[str]]:
    """Return a row for all networks that are written down; `OF_EXAMPLES` are the heads."""
    written = study["written"]
    return [
        [
            name,
            f"{middle(written, f'{name} loss'):.3f}",
            f"{middle(written, f'{name} bound'):.3f}",
            _percent(written.number(f"{name} gap")),
        ]
        for name in written.series["examples"]
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share > 0.01 else f"{scientific(100 * share, 1)} %"


OF_DESCENT = ("δ", "bound c", "apart by", "accepted", "Q, start", "Q, last", "rises")


def of_descent(study: Study) -> list[list[str]]:
    """Return a row for every width of the corners; `OF_DESCENT` are the heads.

    ``bound c`` is what Q and its smooth twin can be apart by, ``apart by`` the most that they are.
    """
    record, rows = study["descent"], []
    for k, delta in enumerate(record.series["deltas"]):
        sharp = accepted(record, k)
        rows.append(
            [
                scientific(delta),
                scientific(record.number(f"rounding {k}")),
                scientific(apart(record, k)),
                str(len(sharp) - 1),
                f"{sharp[0]:.3f}",
                f"{sharp[-1]:.3f}",
                str(rises(sharp)),
            ]
        )
    return rows


def accepted(record: Record, k: int, what: str = "sharp") -> list[float]:
    """Return a number of every accepted iterate of the k-th width, the start included."""
    rows = zip(record.series[f"{what} {k}"], record.series[f"accepted {k}"], strict=True)
    return [float(value) for value, passed in rows if passed]


def iterates(record: Record) -> list[int]:
    """Return how many iterates were accepted, for each width, the widest corners first."""
    return [len(accepted(record, k)) - 1 for k in range(len(record.series["deltas"]))]


def apart(record: Record, k: int) -> float:
    """Return the largest difference of Q and its smooth twin over all iterates."""
    both = zip(record.series[f"sharp {k}"], record.series[f"smooth {k}"], strict=True)
    return max(abs(x - y) for x, y in both)


def rises(values: Sequence[float]) -> int:
    """Return how often a value is higher than the one before."""
    return sum(later > before for before, later in pairwise(values))


def words(study: Study | None, who: str) -> dict[str, str]:
    """Return what the page's prose says besides `summaries`; all ``–`` where there is none."""
    if study is None:
        names = (
            *("biases", "orders", "norm bound", "rise", "printed"),
            *("first width", "first accepted", "last width", "last accepted", "farther"),
        )
        return {f"{who} {name}": NOTHING for name in names}
    written, descent = study["written"], study["descent"]
    before, after = written.series["printed sharp"]
    deltas, passed = descent.series["deltas"], iterates(descent)
    true = written.series["drawn true"]
    return {
        f"{who} biases": f"{summaries(study)['times by biases'].mean:.3f}",
        f"{who} orders": str(len(orders(study))),
        f"{who} farther": f"{sum(share > 1 + ROUNDING for share in true)} of {len(true)}",
        f"{who} norm bound": f"{descent.number('norm_bound'):.2f}",
        f"{who} rise": f"{before:.2f} δ to {after:.2f} δ",
        f"{who} printed": f"{written.number('printed rounding'):.2f} δ",
        f"{who} first width": scientific(deltas[0]),
        f"{who} first accepted": str(passed[0]),
        f"{who} last width": scientific(deltas[-1]),
        f"{who} last accepted": str(passed[-1]),
    }
