"""The book's own Sphinx extensions, each on a book of two or three lines."""

import io
import json
import sys
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
PLOTLY = "application/vnd.plotly.v1+json"


class Book:
    """A tiny book in a folder of its own."""

    def __init__(self, folder: Path, *extensions: str) -> None:
        self.folder, self.extensions = folder, extensions

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")

    def notebook(self, name: str, source: str, *outputs: dict, extra: str = "") -> None:
        cells = [nbformat.v4.new_markdown_cell("# Title\n\nIt is {{ answer }}.", id="0")]
        if extra:
            tags = {"tags": ["injected-parameters"]}
            cells.append(nbformat.v4.new_code_cell(extra, id="extra", metadata=tags))
        cells.append(nbformat.v4.new_code_cell(source, id="1", outputs=list(outputs)))
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        self.write(name, nbformat.writes(notebook))

    def build(self) -> tuple[str, str]:
        """HTML of the first page, and all warnings."""
        warnings = io.StringIO()
        values = {
            "extensions": ["myst_nb", *self.extensions],
            "nb_execution_mode": "off",
            "myst_enable_extensions": ["substitution"],
            "exclude_patterns": ["_build"],
            "html_theme": "basic",
            "mathjax_path": "mathjax.js",
        }
        out = self.folder / "_build" / "html"
        folders = (self.folder, None, out, self.folder / "_build" / "doctrees", "html")
        with docutils_namespace():
            app = Sphinx(*folders, confoverrides=values, status=None, warning=warnings)
            app.build()
        return (out / "index.html").read_text("utf8"), warnings.getvalue()


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.delenv("MODECONN_BUILD", raising=False)
    monkeypatch.setattr(sys, "path", [str(EXTENSIONS), *sys.path])
    return lambda *extensions: Book(tmp_path, *extensions)


def text_output(text: str) -> dict:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_the_executed_copy_takes_the_place_of_the_clean_notebook(book):
    book = book("executed_notebooks")
    book.notebook("index.ipynb", "seed = 0")
    book.notebook("_build/index.ipynb", "seed = 0", text_output("forty-two"), extra="seed = 7")
    book.write("_build/values/index.json", json.dumps({"answer": 42, "scorecard": []}))
    html, warnings = book.build()
    assert "forty-two" in html
    assert "It is 42." in html
    assert not warnings


def test_a_notebook_that_was_not_executed_is_a_warning_in_every_build(book):
    book = book("executed_notebooks")
    book.notebook("index.ipynb", "seed = 0")
    book.write("_build/values/index.json", '{"answer": 42}')
    assert "no executed copy of index" in book.build()[1]
    assert "no executed copy of index" in book.build()[1]
    book.notebook("_build/index.ipynb", "seed = 0", text_output("here it is"))
    html, warnings = book.build()
    assert "here it is" in html
    assert not warnings


def test_a_copy_of_another_version_is_a_warning(book):
    book = book("executed_notebooks")
    book.notebook("index.ipynb", "seed = 0")
    book.notebook("_build/index.ipynb", "seed = 1")
    book.write("_build/values/index.json", '{"answer": 42}')
    assert "copy of another version of index" in book.build()[1]


def test_two_notebooks_that_give_one_value_are_a_warning(book):
    book = book("executed_notebooks")
    book.write("index.md", "# Title\n\n{{ answer }}")
    book.write("_build/values/a.json", '{"answer": 1}')
    book.write("_build/values/b.json", '{"answer": 2}')
    assert "gives a second value for 'answer'" in book.build()[1]


def test_a_value_that_is_missing_is_a_warning(book):
    book = book("executed_notebooks")
    book.write("index.md", "# Title\n\n{{ nowhere }}")
    assert "nowhere" in book.build()[1]


def test_a_plotly_figure_is_drawn_by_a_script_that_lies_beside_the_page(book):
    book = book("executed_notebooks", "plotly_figures")
    figure = go.Figure(go.Scatter(y=[1, 3, 2], name="</script><b>"))
    content = json.loads(figure.to_json())
    output = nbformat.v4.new_output("display_data", data={PLOTLY: content, "text/plain": "Figure"})
    book.notebook("index.ipynb", "figure")
    book.notebook("_build/index.ipynb", "figure", output)
    book.write("_build/values/index.json", '{"answer": 42}')
    html, warnings = book.build()
    assert html.count('class="plotly-figure"') == 1
    assert '<script src="_static/plotly.min.js' in html
    assert "</script><b>" not in html
    assert (book.folder / "_build/html/_static/plotly.min.js").stat().st_size > 1_000_000
    assert not warnings


def test_a_page_without_a_figure_does_not_load_plotly(book):
    book = book("plotly_figures")
    book.write("index.md", "# Title")
    assert "plotly" not in book.build()[0]


def test_mathjax_lies_beside_the_pages(book):
    book = book("offline")
    book.write("index.md", "# Title\n\n```{math}\nx^2\n```")
    html, _ = book.build()
    assert 'src="_static/mathjax.js' in html
    assert (book.folder / "_build/html/_static/mathjax.js").stat().st_size > 1_000_000


def test_the_modules_of_a_package_are_listed_from_their_docstrings(book, monkeypatch):
    book = book("sphinx.ext.autodoc", "api_pages")
    monkeypatch.syspath_prepend(book.folder / "_build")
    flow = "One value in.\n\nbytes  ->  `read`  ->  numbers\n\nTwo `Label`s go."
    book.write("_build/pebbles/__init__.py", '"""Small stones."""')
    book.write("_build/pebbles/smooth.py", f'"""{flow}"""\ndef polish():\n    """Make it shine."""')
    book.write("index.md", "# Title\n\n% modules of pebbles\n")
    html, warnings = book.build()
    assert "Small stones." in html
    assert "bytes  -&gt;  `read`  -&gt;  numbers" in html
    assert "Label</code>" in html or "Label</cite>" in html
    assert "Make it shine." in html
    assert not warnings
    book.write("_build/pebbles/rough.py", '"""A new module."""')
    assert "A new module." in book.build()[0]


def test_a_package_that_does_not_exist_is_a_warning(book):
    book = book("sphinx.ext.autodoc", "api_pages")
    book.write("index.md", "# Title\n\n% modules of pebbles_that_are_not\n")
    assert "no package pebbles_that_are_not" in book.build()[1]


def test_the_scorecard_has_a_row_for_every_claim(book):
    book = book("scorecard")
    book.write("index.md", "# Title\n\n```{scorecard}\n```\n\n```{toctree}\nnotebooks/13_x\n```")
    book.write("notebooks/13_x.md", "# Curves")
    assert "No chapter of this build" in book.build()[0]
    row = {"claim": "it helps | a lot", "paper": 1, "recorded": 2, "build": 3, "verdict": "seen"}
    book.write("_build/values/13_x.json", json.dumps({"scorecard": [row], "answer": 1}))
    html, warnings = book.build()
    assert "it helps | a lot" in html
    assert html.count("<tr") == 2
    assert "Curves</span></a>" in html
    assert not warnings
