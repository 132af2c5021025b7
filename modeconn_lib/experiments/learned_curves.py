"""Chapter 13: learned curves between networks, unaligned and aligned.

Setting  ->  plan  ->  runner  ->  Study  ->  rows of Tables 1 and 2, claims

Reproduces Tatro et al. 2020, Tables 1 and 2, Fig. 3 (right, bottom left) and Fig. 6.
"""

import pandas as pd

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.runner import Options
from modeconn_lib.experiments.studies import Claim, recorded_study, run_study, verdict
from modeconn_lib.results.record import Record
from modeconn_lib.results.reference import published
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

CHAPTER = "13_learned_curves"
KINDS = ("unaligned", "aligned")


def plan(setting: Setting) -> dict[str, Task]:
    """Return the chapter's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``along/0/aligned/curve``,
    ``along/0/unaligned/line``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=aligned)
            for shape, learned in (("line", False), ("curve", True)):
                out[f"along/{pair}/{kind}/{shape}"] = tasks.along(
                    setting, pair, aligned=aligned, learned=learned
                )
    return out


def run(setting: Setting, store: Store, options: Options | None = None) -> Study:
    """Return the chapter's records, computing what the store lacks (raises as `runner.run`)."""
    return run_study(CHAPTER, plan, setting, store, options)


def recorded(setting: Setting, store: Store) -> Study | None:
    """Return the best study that is wholly recorded, or None."""
    return recorded_study(CHAPTER, plan, setting, store)


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the page by name, over pairs; accuracies in percent, losses in nats.

    Names: ``endpoint accuracy``; ``<kind> curve average``, ``… average uniform``, ``… minimum``,
    ``… train loss`` (penalty included, mean of the last epoch), ``<kind> line midpoint``,
    ``<kind> line barrier`` (test loss), ``<kind> curve barrier``.
    """
    out = {"endpoint accuracy": _percent(study, "endpoint/", "test_accuracy")}
    for kind in KINDS:
        curve, line = (_suffix(study, f"{kind}/{shape}") for shape in ("curve", "line"))
        for name, scalar in (
            ("average", "average_accuracy_arc"),
            ("average uniform", "average_accuracy_uniform"),
            ("minimum", "minimum_accuracy"),
        ):
            out[f"{kind} curve {name}"] = summarise(100 * r.number(scalar) for r in curve)
        learned = [r for name, r in study.select("curve/").items() if name.endswith(f"/{kind}")]
        out[f"{kind} curve train loss"] = summarise(r.number("train_loss") for r in learned)
        out[f"{kind} line midpoint"] = summarise(100 * r.number("midpoint_accuracy") for r in line)
        out[f"{kind} line barrier"] = summarise(r.number("barrier_test") for r in line)
        out[f"{kind} curve barrier"] = summarise(r.number("barrier_test") for r in curve)
    return out


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records, and whether it is so."""
    s = summaries(study)
    minimum = [s[f"{kind} curve minimum"].mean for kind in KINDS]
    average = [s[f"{kind} curve average"].mean for kind in KINDS]
    loss = [s[f"{kind} curve train loss"].mean for kind in KINDS]
    middle = [s[f"{kind} line midpoint"].mean for kind in KINDS]
    return [
        Claim(
            "aligned, the straight line's midpoint is at least 30 points more accurate",
            middle[1] - middle[0] >= 30,
            f"{middle[0]:.1f} % to {middle[1]:.1f} %",
        ),
        Claim(
            "the worst network on the learned curve is better aligned than unaligned",
            minimum[1] > minimum[0],
            f"{minimum[0]:.1f} % against {minimum[1]:.1f} %",
        ),
        Claim(
            "the average accuracy along the learned curve is higher aligned than unaligned",
            average[1] > average[0],
            f"{average[0]:.1f} % against {average[1]:.1f} %",
        ),
        Claim(
            "the curve's training loss ends lower aligned than unaligned",
            loss[1] < loss[0],
            f"{loss[0]:.3f} against {loss[1]:.3f} nats",
        ),
    ]


TABLE_1 = (
    ("endpoint accuracy", "endpoint", "average"),
    ("unaligned curve average", "unaligned", "average"),
    ("unaligned curve minimum", "unaligned", "minimum"),
    ("aligned curve average", "aligned", "average"),
    ("aligned curve minimum", "aligned", "minimum"),
)


def paper(dataset: str, architecture: str) -> dict[str, str]:
    """Return Tables 1 and 2 of the paper for a data set and network, ``mean ± std``, by name.

    Empty where the paper has no such cell.
    """
    here = {"dataset": dataset, "model": architecture}
    first = {(r["curve"], r["statistic"]): r for r in _matching("neuron_alignment_table1", here)}
    second = {r["curve"]: r for r in _matching("neuron_alignment_table2", here)}
    out = {
        name: f"{first[key]['accuracy_percent']} ± {first[key]['std']}"
        for name, *parts in TABLE_1
        if (key := (parts[0], parts[1])) in first
    }
    for kind in KINDS:
        if kind in second:
            row = second[kind]
            out[f"{kind} curve train loss"] = f"{row['train_loss']} ± {row['std']}"
    return out


def table(study: Study, recorded: Study | None) -> pd.DataFrame:
    """Return Tables 1 and 2: the paper, the recorded study, this build, one row for each number."""
    said, now = _said(recorded or study), summaries(study)
    then = summaries(recorded) if recorded else {}
    rows = []
    for name, summary in now.items():
        digits = 3 if "loss" in name or "barrier" in name else 1
        rows.append(
            {
                "": name,
                "paper": said.get(name, "–"),
                "recorded": then[name].text(digits) if name in then else "–",
                "this build": summary.text(digits),
            }
        )
    return pd.DataFrame(rows)


def scorecard(study: Study, recorded: Study | None) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard."""
    said = _said(recorded or study)

    def cell(of: Study | None, kind: str) -> str:
        if of is None:
            return "not run"
        s = summaries(of)
        average, minimum = s[f"{kind} curve average"], s[f"{kind} curve minimum"]
        return f"{average.text()} / {minimum.text()} (n = {average.n})"

    return [
        {
            "claim": f"Table 1, {kind} curve: average / minimum accuracy, %",
            "paper": f"{said[f'{kind} curve average']} / {said[f'{kind} curve minimum']}"
            if f"{kind} curve average" in said
            else "–",
            "recorded": cell(recorded, kind),
            "build": cell(study, kind),
            "verdict": verdict(claims(recorded or study)),
        }
        for kind in KINDS
    ]


def _said(study: Study) -> dict[str, str]:
    return paper(study.config["dataset"], study.config["architecture"])


def _matching(name: str, wanted: dict[str, str]) -> list[dict[str, str]]:
    return [row for row in published(name) if wanted.items() <= row.items()]


def _suffix(study: Study, suffix: str) -> list[Record]:
    """Return the measured paths of one kind and shape, one for each pair."""
    along = study.select("along/")
    return [record for name, record in along.items() if name.endswith(f"/{suffix}")]


def _percent(study: Study, prefix: str, scalar: str) -> Summary:
    return summarise(100 * r.number(scalar) for r in study.select(prefix).values())
