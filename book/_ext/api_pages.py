"""List the modules of a package on a page, from their docstrings.

a line `% modules of PACKAGE`  ->  the package's docstring, then a section for each of its modules

A new module appears by itself; the line is a comment to everything but this extension. Docstrings
are written to be read in the source; two habits of theirs are translated for Sphinx.
"""

import pkgutil
import re
from importlib.util import find_spec
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)
MARK = re.compile(r"^% modules of (\S+)$", re.MULTILINE)
PLURAL = re.compile(r"(?<![`:\w])(`[^`\n]+`)(?=\w)")


def _automodule(name: str, *options: str) -> str:
    lines = "\n".join(f"   :{option}:" for option in options)
    return f"```{{eval-rst}}\n.. automodule:: {name}\n{lines}\n```\n"


def sections(package: str) -> str:
    """MyST text for all modules of `package`, sub-packages included, in alphabetical order."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        LOG.warning("there is no package %s to list the modules of", package)
        return ""
    text = [_automodule(package, "no-members")]
    modules = pkgutil.walk_packages(spec.submodule_search_locations, f"{package}.")
    for name in sorted(module.name for module in modules):
        title = name.removeprefix(f"{package}.")
        text.append(f"({name})=\n## `{title}`\n\n{_automodule(name, 'members')}")
    return "\n".join(text)


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the marks of a page."""
    for match in MARK.finditer(source[0]):
        # Not a file, so Sphinx reads the page in every build: modules may have come or gone.
        app.env.note_dependency(match[1])
    source[0] = MARK.sub(lambda match: sections(match[1]), source[0])


def translate(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn `lines` of a docstring, in place, into what Sphinx reads as their author meant them.

    A paragraph with an arrow, ``images  ->  loss``, becomes a literal block; a plural such as
    ``Label`` followed by an s stays in code and text.
    """
    paragraphs = "\n".join(lines).split("\n\n")
    for i, text in enumerate(paragraphs):
        if what == "module" and "  ->  " in text:
            flow = "\n".join(f"   {line.strip()}" for line in text.splitlines())
            paragraphs[i] = f".. code-block:: text\n   :class: flow\n\n{flow}"
        else:
            paragraphs[i] = PLURAL.sub(r"\1\\ ", text)
    lines[:] = "\n\n".join(paragraphs).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", expand)
    app.connect("autodoc-process-docstring", translate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
