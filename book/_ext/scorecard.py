"""The table of verdicts: what the papers say, what was recorded, what this build found.

<build>/values/NN_topic.json, key "scorecard"  ->  a row for each claim  ->  ```{scorecard}```

A row has the keys of `COLUMNS`; a notebook writes them, so no number here is typed by hand.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = {
    "claim": "Claim",
    "paper": "Paper",
    "recorded": "Recorded",
    "build": "This build",
    "verdict": "Verdict",
}


def table(folder: Path) -> str:
    """Markdown table of all rows, each chapter linked, or a sentence where there are none."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text("utf8")).get("scorecard", []):
            cells = [str(row[key]).replace("|", "\\|") for key in COLUMNS]
            lines.append(f"| {{doc}}`/notebooks/{path.stem}` | " + " | ".join(cells) + " |")
    if not lines:
        return "No chapter of this build has reported a verdict."
    head = " | ".join(["Chapter", *COLUMNS.values()])
    rule = " | ".join(["---"] * (1 + len(COLUMNS)))
    return "\n".join([f"| {head} |", f"| {rule} |", *lines])


class Scorecard(SphinxDirective):
    """The directive `{scorecard}`; it takes nothing."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        folder = Path(self.env.app.confdir) / self.config.build_folder / "values"
        # A dependency that is not a file makes Sphinx read this page anew in every build.
        self.env.note_dependency(str(folder))
        box = nodes.container(classes=["scorecard"])
        lines = table(folder).splitlines()
        self.state.nested_parse(StringList(lines, str(folder)), self.content_offset, box)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.setup_extension("executed_notebooks")  # says where the values are
    app.add_directive("scorecard", Scorecard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
