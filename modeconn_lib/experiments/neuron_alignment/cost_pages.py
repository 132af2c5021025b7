"""The tables of the chapter on alignment costs, and what its sentences say of budgets.

studies by the title of their panel  ->  diagnostics, budgets, subsets  ->  Markdown
built, recorded                      ->  texts                          ->  the prose
"""

from collections.abc import Mapping

from modeconn_lib.experiments.git_rebasin import lines
from modeconn_lib.experiments.neuron_alignment import alignment_costs
from modeconn_lib.experiments.neuron_alignment.alignment_costs import WORDS
from modeconn_lib.experiments.pages import Markdown, table
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study

MEASURES = {
    "correlation/post": "mean correlation, post",
    "correlation/pre": "mean correlation, pre",
    "l2/post": "squared distance left, post, %",
    "l2/pre": "squared distance left, pre, %",
    "same": "same partner as correlation, post, %",
}


def diagnostics(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what every match costs by every measure: a row for each study and cost."""
    rows = []
    for title, study in shown.items():
        for cost, found in alignment_costs.diagnostics(study).items():
            cells = [
                found[measure].text(3 if "correlation" in measure else 1)
                if measure in found
                else NOTHING
                for measure in MEASURES
            ]
            rows.append([title, WORDS[cost], *cells])
    caption = "Every match by every measure, on test images: means over layers"
    return table(["study", "matched by", *MEASURES.values()], rows, caption, name)


def budgets(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what the constrained problem came to: a column for each study."""
    found = {title: alignment_costs.budgets(study) for title, study in shown.items()}
    words = {
        "layers that the budget binds": ("layers that the budget binds", 1),
        "budget used": ("of the budget, used, %", 1),
        "widest gap": ("widest gap, tighter budgets included, % of the cost", 4),
    }
    rows = [
        [said, *(of[what].text(digits) for of in found.values())]
        for what, (said, digits) in words.items()
    ]
    return table(["", *found], rows, "The budget of pre-activations, over pairs", name)


def subsets(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what matches from fewer images are like: a row for each study and number."""
    rows = [
        [title, f"{size:,}", found["same"].text(1), found["lost"].text(2)]
        for title, study in shown.items()
        for size, found in alignment_costs.subsets(study).items()
    ]
    columns = ["study", "images", "units with the same partner, %", "lost of the gain, %"]
    return table(columns, rows, "Matches from fewer images against the most", name)


def texts(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> dict[str, str]:
    """Return how many layers the budget binds, for this build's and the recorded first study."""
    out = {}
    for who, study in (("build", lines.first(built)), ("recorded", lines.first(recorded))):
        out[f"{who} layers bound"] = NOTHING if study is None else _bound(study)
    return out


def _bound(study: Study) -> str:
    multipliers = [
        value
        for record in study.select("constrained/").values()
        for value in record.series["multiplier"]
    ]
    return f"{sum(value > 0 for value in multipliers)} of {len(multipliers)}"
