"""What the page on ensembles with a shared backbone shows of its studies.

studies by the title of their panel  ->  by_members, by_cost, single  ->  figures
                                     ->  residuals                    ->  a table
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.experiments.distribution.wa_ensembles import from_the_end, summaries
from modeconn_lib.experiments.pages import Markdown
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study

INDEPENDENT = "independent networks"
DRAWN = 5  # kinds of WA-ensembles that a panel has colours for
Line = tuple[Sequence[float], Sequence[float]]


def by_members(shown: Mapping[str, Study]) -> dict[str, dict[str, Line]]:
    """Return test accuracies by number of members, percent: Fig. 7."""
    return {
        title: {name: (of["members"], of["accuracy"]) for name, of in _ensembles(study).items()}
        for title, study in shown.items()
    }


def by_cost(shown: Mapping[str, Study]) -> dict[str, dict[str, Line]]:
    """Return test accuracies by multiply-adds, in those of a single network."""
    out: dict[str, dict[str, Line]] = {}
    for title, study in shown.items():
        one = study["independent"].number("multiply_adds")
        out[title] = {
            name: (
                [cost / one for cost in of.get("multiply_adds", [n * one for n in of["members"]])],
                of["accuracy"],
            )
            for name, of in _ensembles(study).items()
        }
    return out


def single(shown: Mapping[str, Study]) -> dict[str, float]:
    """Return the mean test accuracy of the networks alone, percent."""
    return {title: summaries(study)["single network"].mean for title, study in shown.items()}


def residuals(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return what could not be kept of the members' own layers, as numbered tables."""

    def of(study: Study) -> list[list[str]]:
        rows = []
        for layer, n in reversed(from_the_end(study).items()):
            lost = study[f"shared/{layer}"].series["residuals"][1:]
            low, high = (f"{100 * value:.1f}" for value in (min(lost), max(lost)))
            rows.append([f"WA({n}), {layer}", low, high])
        return rows

    caption = "Share of the adjusted layer's outputs that is lost, over the members but the first"
    return table_of_each(
        shown, ("ensemble, adjusted layer", "least, %", "most, %"), of, caption, name
    )


def _ensembles(study: Study) -> dict[str, dict[str, list[float]]]:
    """Return the series of the kinds of ensembles that are drawn: the shortest backbone first.

    Where there are more splits than lines are told apart, the last layers' and, of the others,
    every so many.
    """
    splits = list(from_the_end(study).items())
    chosen = sorted({round(i * (len(splits) - 1) / (DRAWN - 1)) for i in range(DRAWN)})
    if len(splits) <= DRAWN:
        chosen = list(range(len(splits)))
    found = {INDEPENDENT: study["independent"].series}
    found |= {f"WA({splits[i][1]})": study[f"shared/{splits[i][0]}"].series for i in chosen}
    return {
        name: {
            what: [100 * v if what == "accuracy" else float(v) for v in values]
            for what, values in series.items()
        }
        for name, series in found.items()
    }
