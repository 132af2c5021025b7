"""What the page on global connections shows of its studies.

studies by the title of their panel  ->  clouds, ways  ->  figures
                                     ->  maps          ->  a table
"""

from collections.abc import Mapping, Sequence

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments.distribution.connection_tasks import MAPS
from modeconn_lib.experiments.distribution.global_connections import FLOWS, WHEN, WORDS
from modeconn_lib.experiments.pages import Markdown
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

Places = tuple[Sequence[float], Sequence[float]]  # x and y
COLUMNS = (
    "",
    "likelihood before",
    "after",
    "loss half-way before",
    "after",
    "error there and back",
    "kurtosis before",
    "after",
    "correlation before",
    "after",
)


def maps(shown: Mapping[str, Study], name: str) -> Markdown:
    """Return how each map was learned and what it makes of units, as numbered tables."""
    caption = (
        "Maps, judged on units of networks that they have not seen: mean log-likelihood of a unit, "
        "nats; loss half-way from a network that was learned on to one that was not, nats; "
        "distance of a unit from itself after map and inverse, standard deviations at most; "
        "mean absolute excess kurtosis; root mean square correlation of two coordinates"
    )
    return table_of_each(shown, COLUMNS, _rows, caption, name)


def _rows(study: Study) -> list[list[str]]:
    out = []
    for row in MAPS:
        learned, seen = study[f"normaliser/{row}"], study[f"map/{row}"].scalars
        if not seen["converged"]:
            out.append([WORDS[row], "did not converge", *[NOTHING] * (len(COLUMNS) - 2)])
            continue
        cells = [f"{learned.number(f'likelihood_{when}'):,.1f}" for when in WHEN]
        cells += [f"{learned.number(f'middle_{when}'):.3f}" for when in WHEN]
        cells.append(scientific(learned.number("inversion_error")))
        for what in ("kurtosis", "correlation"):
            cells += [f"{seen[f'{what}_{when}']:.3f}" for when in WHEN]
        out.append([WORDS[row], *cells])
    chance = [study[f"map/{row}"].scalars for row in MAPS]
    for seen in [found for found in chance if found["converged"]][:1]:
        cells = [NOTHING] * 5
        for what in ("kurtosis", "correlation"):
            cells += [NOTHING, f"{seen[f'{what}_chance']:.3f}"]
        out.append(["as many normal samples", *cells])
    return out


def clouds(shown: Mapping[str, Study]) -> dict[str, tuple[Places, Places]]:
    """Return where units lie before and after each map, by study and map."""
    return {
        title: (_places(record, "before"), _places(record, "after"))
        for title, record in _looked_at(shown).items()
    }


def ways(shown: Mapping[str, Study]) -> dict[str, tuple[list[Places], list[Places]]]:
    """Return the ways of some units on the arc and through each map, by study and map."""
    out = {}
    for title, record in _looked_at(shown).items():
        trails = int(record.number("trails"))
        out[title] = (
            _cut(_places(record, "arc"), trails),
            _cut(_places(record, "map"), trails),
        )
    return out


def _looked_at(shown: Mapping[str, Study]) -> dict[str, Record]:
    """Return the records of maps that converged: likelier first, then by the loss."""
    rows = (*FLOWS, *(row for row in MAPS if row not in FLOWS))
    return {
        f"{title}\n{WORDS[row]}": study[f"map/{row}"]
        for title, study in shown.items()
        for row in rows
        if study[f"map/{row}"].scalars["converged"]
    }


def _places(record: Record, name: str) -> Places:
    return record.series[f"{name}_x"], record.series[f"{name}_y"]


def _cut(places: Places, trails: int) -> list[Places]:
    """Return the way of each unit, from those of all put one after the other."""
    x, y = places
    n = len(x) // trails

    def own(values: Sequence[float], i: int) -> Sequence[float]:
        return values[i * n : (i + 1) * n]

    return [(own(x, i), own(y, i)) for i in range(trails)]
