"""What a page does that shows several subjects: networks on data sets, recorded and built.

built, recorded: subject -> Study  ->  panels: title -> Study  ->  figures, tables, checks

The recorded ones come first. What a page does with one study is in `pages`.
"""

from collections.abc import Callable, Mapping, Sequence

from modeconn_lib.experiments import pages
from modeconn_lib.experiments.claims import Claim, check_claims, verdict
from modeconn_lib.experiments.pages import Claims, Markdown, Numbers, table
from modeconn_lib.experiments.protocols import NOTHING, PROTOCOL, plays_a_part
from modeconn_lib.results.study import Study

Studies = Mapping[str, Study]


def panels(built: Studies, recorded: Studies) -> dict[str, Study]:
    """Return every study by the title of its panel; one that is both built and recorded once."""
    both = {name for name in built if name in recorded and _same(built[name], recorded[name])}
    out = {}
    for name, study in recorded.items():
        who = "recorded = this build" if name in both else "recorded"
        out[f"{who} · {name} ({study.profile})"] = study
    for name, study in built.items():
        if name not in both:
            out[f"this build · {name} ({study.profile})"] = study
    return out


def protocols(shown: Studies, name: str, caption: str = "What was computed") -> Markdown:
    """Return what every study spent, as a numbered table: one column for each.

    A row is there if it plays a part in one of the studies; in the others it reads "–".
    """
    rows = []
    for what, read in PROTOCOL.items():
        cells = [
            read(study.config) if plays_a_part(what, study) else NOTHING for study in shown.values()
        ]
        if set(cells) != {NOTHING} and what not in ("data set", "network"):
            rows.append([what, *cells])
    rows.append(["computed on", *(pages.made(study, "device") for study in shown.values())])
    rows.append(["minutes of computing", *(pages.minutes(study) for study in shown.values())])
    return table(["", *shown], rows, caption, name)


def numbers(
    shown: Studies,
    of: Numbers,
    caption: str,
    name: str,
    extra: Mapping[str, Sequence[str]] | None = None,
    decimals: int | None = None,
) -> Markdown:
    """Return the summaries of every study as a numbered table: one column for each.

    Parameters
    ----------
    extra
        Columns put before the studies', such as the paper's: title to cells, by row.
    decimals
        Digits after the point; by default `pages.digits` says how many.
    """
    found = [of(study) for study in shown.values()]
    names = list(dict.fromkeys(name for summaries in found for name in summaries))
    rows = []
    for i, what in enumerate(names):
        digits = decimals or pages.digits(what)
        before = [cells[i] for cells in (extra or {}).values()]
        cells = [s[what].text(digits) if what in s else NOTHING for s in found]
        rows.append([pages.readable(what), *before, *cells])
    return table(["", *(extra or {}), *shown], rows, caption, name)


def verdicts(shown: Studies, claims: Claims, caption: str, name: str) -> Markdown:
    """Return every claim of every study, and what was found, as a numbered table.

    The title of a study stands in a row of its own above its claims.
    """
    rows = []
    for title, study in shown.items():
        rows.append([f"**{title}**", ""])
        rows += [
            [claim.text, f"{'holds' if claim.holds else 'fails'}: {claim.found}"]
            for claim in claims(study)
        ]
    return table(["claim", "found"], rows, caption, name)


def verdicts_of(studies: Studies, claims: Claims) -> str:
    """Return for every study how many of its claims hold, in words."""
    said = [f"{subject}: {verdict(claims(study))}" for subject, study in studies.items()]
    return "; ".join(said) or NOTHING


def check(shown: Studies, claims: Callable[[Study], Sequence[Claim]]) -> None:
    """Print every claim, and insist on those that a study's profile insists on.

    Raises
    ------
    AssertionError
        Naming the claims that do not hold.
    """
    for title, study in shown.items():
        print(title)
        check_claims(study, claims(study))


def provenance(shown: Studies) -> Markdown:
    """Return how every record was made: a folded table for each study."""
    return Markdown("\n".join(pages.provenance_of(title, study) for title, study in shown.items()))


def _same(one: Study, other: Study) -> bool:
    return pages.keys(one) == pages.keys(other)
