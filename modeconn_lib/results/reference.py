"""Numbers as the papers print them.

data/reference/<name>.csv  ->  published  ->  rows as dictionaries
"""

import csv
from pathlib import Path

from modeconn_lib.results.provenance import PACKAGE


def published(name: str) -> list[dict[str, str]]:
    """Return the rows of a published table, as text.

    Raises
    ------
    FileNotFoundError
        If there is no such table; the message lists those there are.
    """
    folder = PACKAGE.parent / "data" / "reference"
    if not folder.is_dir():
        folder = Path.cwd() / "data" / "reference"
    path = folder / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.csv"))) or "none"
        raise FileNotFoundError(f"no published table {name!r} in {folder}; there are: {known}")
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))
