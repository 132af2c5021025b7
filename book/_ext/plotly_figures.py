"""Show Plotly figures without a network: one plotly.min.js, loaded only by pages with a figure.

output of type application/vnd.plotly.v1+json  ->  a <div> and its data  ->  drawn by plotly.min.js

MyST-NB knows no renderer for that type and would leave the figure out without a word.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import plotly
from sphinx.application import Sphinx

PLOTLY = "application/vnd.plotly.v1+json"
SCRIPT = "plotly.min.js"
# Figures follow the theme of the page: nothing behind them, and the page's own ink.
DRAW = """
document.addEventListener("DOMContentLoaded", () => {
  const draw = () => document.querySelectorAll(".plotly-figure").forEach((place) => {
    const ink = getComputedStyle(place).color;
    const [data, layout, config] = JSON.parse(place.nextElementSibling.textContent);
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { ...layout.font, color: ink };
    Plotly.react(place, data, layout, config);
  });
  draw();
  new MutationObserver(draw).observe(
    document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
"""


def figure_html(figure: dict[str, Any]) -> str:
    """HTML of one figure; its data cannot end the script element that holds them."""
    config = {"responsive": True, "displaylogo": False, **figure.get("config", {})}
    config.pop("plotlyServerURL", None)
    layout = figure["layout"]
    data = json.dumps([figure["data"], layout, config], separators=(",", ":"))
    data = data.replace("<", r"\u003c")
    name = hashlib.sha256(data.encode()).hexdigest()[:12]
    height = layout.get("height", 450)
    return (
        f'<div class="plotly-figure" id="plotly-{name}" style="height:{height}px"></div>'
        f'<script type="application/json">{data}</script>'
    )


def show(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace every Plotly output of an executed notebook by HTML."""
    if not app.env.doc2path(docname).endswith(".ipynb") or PLOTLY not in source[0]:
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if figure := output.get("data", {}).get(PLOTLY):
                output["data"] = {"text/html": figure_html(figure)}
    source[0] = json.dumps(notebook)


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load Plotly on the pages that have a figure, and on no other: it is 5 MB."""
    if 'class="plotly-figure"' in context.get("body", ""):
        app.add_js_file(SCRIPT)
        app.add_js_file(None, body=DRAW)


def copy_script(app: Sphinx, error: Exception | None) -> None:
    """Put plotly.min.js beside the pages."""
    if error is None and app.builder.format == "html":
        package = Path(plotly.__file__).parent / "package_data"
        shutil.copyfile(package / SCRIPT, Path(app.outdir) / "_static" / SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", show, priority=600)  # after the executed copy was swapped in
    app.connect("html-page-context", load)
    app.connect("build-finished", copy_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
