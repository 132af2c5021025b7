"""Keep the pages off the network: MathJax comes along, and the remote runner Thebe stays out."""

import shutil
from importlib.metadata import files
from pathlib import Path
from typing import Any

import sphinx_thebe
from sphinx.application import Sphinx

# One file with its fonts and every TeX extension inside: it loads nothing else.
MATHJAX = "tex-svg-full.js"


def drop_thebe(app: Sphinx) -> None:
    """Disconnect sphinx-thebe, which Jupyter Book always loads.

    Version 0.3.1 adds its script to every page twice, an error on each, and names a remote host.
    """
    for event in ("env-before-read-docs", "doctree-resolved"):
        for listener in list(app.events.listeners[event]):
            if listener.handler.__module__ == sphinx_thebe.__name__:
                app.disconnect(listener.id)


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax beside the pages, where `mathjax_path` of the configuration looks for it."""
    if error is None and app.builder.format == "html":
        packaged = next(f for f in files("sphinx-mathjax-offline") or [] if f.name == MATHJAX)
        target = Path(app.outdir) / "_static" / app.config.mathjax_path
        shutil.copyfile(str(packaged.locate()), target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", drop_thebe)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
