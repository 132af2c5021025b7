"""A table of networks that are compared: one row for each, one column for each study.

studies, summaries, names of networks  ->  compared  ->  Markdown

Reads summaries called ``<network> <what>``, like ``merged test loss``.
"""

from collections.abc import Sequence

from modeconn_lib.experiments import pages
from modeconn_lib.experiments.pages import Markdown, Numbers
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.experiments.subject_pages import Studies


def percent(share: float) -> str:
    """Return a share in percent, with three digits that count."""
    return f"{100 * share:#.3g} %"


def compared(
    shown: Studies, numbers: Numbers, who: Sequence[str], *whats: str, caption: str, name: str
) -> Markdown:
    """Return a numbered table whose cells hold the numbers `whats`, with a stroke between them.

    Numbers get as many digits after the point as `pages.digits` says.
    """
    found = [numbers(study) for study in shown.values()]
    rows = []
    for network in who:
        names = [f"{network} {what}" for what in whats]
        cells = [
            " / ".join(s[n].text(pages.digits(n)) if n in s else NOTHING for n in names)
            for s in found
        ]
        rows.append([network, *cells])
    return pages.table(["", *shown], rows, caption, name)
