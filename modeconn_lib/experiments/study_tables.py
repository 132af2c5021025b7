"""A table for each study, so that no row has to say whose it is.

title -> Study, rows of one study  ->  table_of_each  ->  Markdown

A name of a study is long, and on a phone a column of it leaves no room for numbers.
"""

from collections.abc import Callable, Mapping, Sequence

from modeconn_lib.experiments.pages import Markdown, table
from modeconn_lib.results.study import Study

Rows = Callable[[Study], list[list[str]]]


def table_of_each(
    shown: Mapping[str, Study], columns: Sequence[str], rows: Rows, caption: str, name: str
) -> Markdown:
    """Return numbered tables that stand one below the other, one for each study.

    The first is called `name`, as pages refer to it, the others ``<name>-2`` and so on. A caption
    ends with the title of its study.
    """
    tables = []
    for i, (title, study) in enumerate(shown.items(), 1):
        words = f"{caption}. {title[:1].upper()}{title[1:]}"
        tables.append(table(columns, rows(study), words, name if i == 1 else f"{name}-{i}").text)
    return Markdown("\n\n".join(tables))
