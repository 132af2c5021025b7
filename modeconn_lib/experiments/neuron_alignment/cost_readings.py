"""What the records of the alignment costs say, as numbers.

Study  ->  summaries, diagnostics, budgets, subsets  ->  tables, figures, claims of chapter 12
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

WORDS = {
    "unaligned": "unaligned",
    "aligned": "correlation, post",
    "correlation_pre": "correlation, pre",
    "l2_post": "L2, post",
    "l2_pre": "L2, pre",
    "constrained": "L2, post, within the budget",
}
MATCHED = tuple(WORDS)[1:]


def with_curves(studies: Mapping[str, Study]) -> dict[str, Study]:
    """Return the studies in which curves were learned."""
    return {title: study for title, study in studies.items() if study.select("curve/")}


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the paths over pairs; accuracies in percent, losses in nats.

    Names: ``endpoint accuracy``; for every cost ``<cost> line midpoint``, ``… line barrier`` (test
    loss) and, where curves were learned, ``… curve average`` (by arc length), ``… curve minimum``,
    ``… curve train loss``.
    """
    ends = study.select("endpoint/").values()
    out = {"endpoint accuracy": summarise(100 * r.number("test_accuracy") for r in ends)}
    for name in WORDS:
        line, curve = (study.over_pairs("along", f"{name}/{shape}") for shape in ("line", "curve"))
        out[f"{name} line midpoint"] = summarise(100 * r.number("midpoint_accuracy") for r in line)
        out[f"{name} line barrier"] = summarise(r.number("barrier_test") for r in line)
        if curve:
            learned = [study[f"curve/{pair}/{name}"] for pair in range(len(curve))]
            average = [100 * r.number("average_accuracy_arc") for r in curve]
            out |= {
                f"{name} curve average": summarise(average),
                f"{name} curve minimum": summarise(
                    100 * r.number("minimum_accuracy") for r in curve
                ),
                f"{name} curve train loss": summarise(r.number("train_loss") for r in learned),
            }
    return out


def diagnostics(study: Study) -> dict[str, dict[str, Summary]]:
    """Return what each matching costs by every measure on test images, by cost and measure.

    Each is the mean over layers, summarised over pairs. Measures: ``correlation/post``,
    ``correlation/pre``; ``l2/post``, ``l2/pre``: squared distance in percent of the unaligned one
    in the same layer; ``same``: percent of a layer's units with the partner that the correlation
    of post-activations gives them.
    """
    found = list(study.select("costs/").values())
    out: dict[str, dict[str, Summary]] = {}
    for name in WORDS:
        out[name] = {
            f"correlation/{stage}": summarise(
                _mean(r.series[f"{name}/correlation/{stage}"]) for r in found
            )
            for stage in ("post", "pre")
        }
        for stage in ("post", "pre"):
            out[name][f"l2/{stage}"] = summarise(
                100 * _mean(left(record, name, stage)) for record in found
            )
        if name in MATCHED:
            out[name]["same"] = summarise(100 * _mean(r.series[f"{name}/same"]) for r in found)
    return out


def left(costs: Record, name: str, stage: str) -> list[float]:
    """Return for each layer which share of the unaligned squared distance a matching leaves."""
    before, after = (costs.series[f"{who}/l2/{stage}"] for who in ("unaligned", name))
    return [y / x if x else 1.0 for x, y in zip(before, after, strict=True)]


def budgets(study: Study) -> dict[str, Summary]:
    """Return what eq. 31 comes to, over pairs.

    Names: ``layers that the budget binds``; ``budget used``, mean over layers, percent of the
    unaligned pre-activation cost; ``widest gap``, of all budgets and layers, percent of the cost.
    """
    found = list(study.select("constrained/").values())
    used = [
        100 * _mean([x / y for x, y in zip(r.series["pre_cost"], r.series["budget"], strict=True)])
        for r in found
    ]
    return {
        "layers that the budget binds": summarise(
            sum(x > 0 for x in r.series["multiplier"]) for r in found
        ),
        "budget used": summarise(used),
        "widest gap": summarise(100 * max(gaps_of(r)) for r in found),
    }


def gaps_of(constrained: Record) -> list[float]:
    """Return the gap of every layer and budget, as a share of the cost."""
    s = constrained.series
    pairs = list(zip(s["gap"], s["cost"], strict=True))
    for gaps, costs in zip(s["tight_gap"], s["tight_cost"], strict=True):
        pairs += zip(gaps, costs, strict=True)
    return [gap / cost if cost else 0.0 for gap, cost in pairs]


def subsets(study: Study) -> dict[int, dict[str, Summary]]:
    """Return what matchings from fewer images are like, by the number of images, over pairs.

    ``same``: percent of all units that have the partner they have with the most images.
    ``lost``: of what the most images gain over no matching, what these lose, in percent; the mean
    correlation on the most images is what is gained.
    """
    found = list(study.select("subsets/").values())
    out = {}
    for size in found[0].series["examples"]:
        out[size] = {
            "same": summarise(100 * r.number(f"same {size}") for r in found),
            "lost": summarise(100 * _lost(r, size) for r in found),
        }
    return out


def _lost(record: Record, size: int) -> float:
    s, most = record.series, record.series["examples"][-1]
    total = {
        who: sum(n * x for n, x in zip(s["units"], s[f"{who}/worth"], strict=True))
        for who in ("unaligned", str(size), str(most))
    }
    gained = total[str(most)] - total["unaligned"]
    return (total[str(most)] - total[str(size)]) / gained if gained else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
