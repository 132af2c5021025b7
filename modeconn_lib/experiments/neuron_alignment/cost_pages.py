"""The tables of the chapter on alignment costs, and what its sentences say of budgets.

studies by the title of their panel  ->  diagnostics, budgets, subsets  ->  Markdown
studies by the title of their panel  ->  distances                      ->  figures.costs
study                                ->  numbers                        ->  subject_pages
built, recorded                      ->  texts                          ->  the prose
"""

from collections.abc import Mapping

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments.git_rebasin import lines
from modeconn_lib.experiments.neuron_alignment import cost_readings
from modeconn_lib.experiments.neuron_alignment.cost_readings import MATCHED, WORDS
from modeconn_lib.experiments.pages import Markdown, table
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

MEASURES = {
    "correlation/post": "corr., post",
    "correlation/pre": "corr., pre",
    "l2/post": "L2, post, %",
    "l2/pre": "L2, pre, %",
    "same": "same, %",
}


def diagnostics(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what every match costs by every measure: a row for each cost."""
    caption = (
        "Every match by every measure, on test images, means over layers. Corr.: correlation. L2: "
        "squared distance, of the unaligned one. Same: units with the partner that correlation, "
        "post, gives them"
    )
    return table_of_each(shown, ["matched by", *MEASURES.values()], _diagnostics, caption, name)


def _diagnostics(study: Study) -> list[list[str]]:
    return [
        [
            WORDS[cost],
            *(
                found[measure].text(3 if "correlation" in measure else 1)
                if measure in found
                else NOTHING
                for measure in MEASURES
            ),
        ]
        for cost, found in cost_readings.diagnostics(study).items()
    ]


def distances(shown: Mapping[str, Study]) -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    """Return the squared distances that matchings leave, in percent of the unaligned ones.

    By the title of the study's panel, stage (``post``, ``pre``) and cost: for each pair a value for
    each layer. The match within the budget is left out: where that never binds it is ``l2_post``'s.
    """
    return {
        title: {
            stage: {
                cost: [
                    [100 * share for share in cost_readings.left(record, cost, stage)]
                    for record in study.select("costs/").values()
                ]
                for cost in MATCHED
                if cost != "constrained"
            }
            for stage in ("post", "pre")
        }
        for title, study in shown.items()
    }


def numbers(study: Study) -> dict[str, Summary]:
    """Return the summaries of a study with costs called what the page calls them."""
    out = {}
    for name, summary in cost_readings.summaries(study).items():
        cost, _, what = name.partition(" ")
        out[f"{WORDS[cost]}: {what}" if cost in WORDS else name] = summary
    return out


def budgets(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what the constrained problem came to: a column for each study."""
    found = {title: cost_readings.budgets(study) for title, study in shown.items()}
    words = {
        "layers that the budget binds": "layers that the budget binds",
        "budget used": "of the budget, used, %",
    }
    rows = [[said, *(of[what].text() for of in found.values())] for what, said in words.items()]
    widest = [scientific(of["widest gap"].mean) for of in found.values()]
    rows.append(["widest gap, tighter budgets included, % of the cost", *widest])
    return table(["", *found], rows, "The budget of pre-activations, over pairs", name)


def subsets(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what matches from fewer images are like: a row for each number."""
    caption = (
        "Matches from fewer images against the most. Same: units with the same partner. Lost: of "
        "the gain"
    )
    return table_of_each(shown, ["images", "same, %", "lost, %"], _subsets, caption, name)


def _subsets(study: Study) -> list[list[str]]:
    return [
        [f"{size:,}", found["same"].text(1), found["lost"].text(2)]
        for size, found in cost_readings.subsets(study).items()
    ]


def texts(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> dict[str, str]:
    """Return how many layers the budget binds, and how much of it is used.

    For this build's and the recorded first study: ``build layers bound``, ``build budget used``.
    """
    out = {}
    for who, study in (("build", lines.first(built)), ("recorded", lines.first(recorded))):
        out[f"{who} layers bound"] = NOTHING if study is None else _bound(study)
        used = NOTHING if study is None else cost_readings.budgets(study)["budget used"].text(0)
        out[f"{who} budget used"] = used
    return out


def _bound(study: Study) -> str:
    multipliers = [
        value
        for record in study.select("constrained/").values()
        for value in record.series["multiplier"]
    ]
    return f"{sum(value > 0 for value in multipliers)} of {len(multipliers)}"
