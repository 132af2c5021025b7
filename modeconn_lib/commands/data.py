"""`modeconn data`: which data sets are here, and how to get the others.

name, folder  ->  `datasets.fetch`, `datasets.embed`  ->  a line or a table for the reader
"""

from pathlib import Path

from modeconn_lib.datasets.embed import embed
from modeconn_lib.datasets.fetch import describe, fetch

COLUMNS = ("name", "images", "size", "classes", "found", "licence")


def table(data: Path | None) -> str:
    """Return every data set as one line of text: its size, where it was found, its licence."""
    head = {name: name for name in COLUMNS}
    rows = [head] + [{**row, "found": row["found"] or "not here"} for row in describe(data)]
    widths = {name: max(len(row[name]) for row in rows) for name in COLUMNS}
    lines = ["  ".join(f"{row[name]:{widths[name]}}" for name in COLUMNS) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def fetch_dataset(name: str, data: Path | None) -> str:
    """Download a data set, verify it, and say where it is."""
    return f"{name} is in {fetch(name, data)}"


def embed_dataset(source: Path | None, out: Path) -> str:
    """Make the embedded data set again, and say which files were written."""
    return "\n".join(f"wrote {path}" for path in embed(source, out))
