"""Show executed copies of the notebooks, and the numbers that they left behind.

notebooks/NN_topic.ipynb (in git, no outputs)  ->  its executed copy  ->  the page
<build>/values/*.json                          ->  {{ name }} on any page

`build_folder` is `_build`, or what MODECONN_BUILD says. Everything else in the book keeps naming
the clean notebook: labels, links, the download button.
"""

import json
import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

LOG = logging.getLogger(__name__)


def _executed(app: Sphinx, docname: str) -> Path:
    """Where the executed copy of a notebook is."""
    return Path(app.confdir) / app.config.build_folder / f"{docname}.ipynb"


def _cells(text: str) -> list[tuple[str, str]]:
    """Kind and source of every cell that the author wrote; papermill adds one of parameters."""
    return [
        (cell["cell_type"], "".join(cell["source"]))
        for cell in json.loads(text)["cells"]
        if "injected-parameters" not in cell["metadata"].get("tags", [])
    ]


def swap(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the text of a notebook that Sphinx has read by that of its executed copy."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    path = _executed(app, docname)
    app.env.note_dependency(str(path))  # while it is missing, the page is read anew every time
    if not path.is_file():
        LOG.warning("no executed copy of %s at %s; run `modeconn book`", docname, path)
        return
    text = path.read_text("utf8")
    if _cells(text) != _cells(source[0]):
        LOG.warning("%s is a copy of another version of %s; run `modeconn book`", path, docname)
    source[0] = text


def read_values(folder: Path) -> dict[str, Any]:
    """Values of every notebook by name, without the rows it reports to the scorecard."""
    values: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        for name, value in json.loads(path.read_text("utf8")).items():
            if name in values:
                LOG.warning("%s gives a second value for %r", path, name)
            if name != "scorecard":
                values[name] = value
    return values


def substitute(app: Sphinx, config: Config) -> None:
    """Let every page use {{ name }}."""
    folder = Path(app.confdir) / config.build_folder / "values"
    config.myst_substitutions = {**config.myst_substitutions, **read_values(folder)}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("build_folder", os.environ.get("MODECONN_BUILD", "_build"), "env")
    app.connect("config-inited", substitute)
    app.connect("source-read", swap, priority=400)  # before others read the outputs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
