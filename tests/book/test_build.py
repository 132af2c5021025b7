"""The command `modeconn book` executes every notebook and builds every page without a warning."""

import json

import pytest

from tests.book.contents import NOTEBOOKS, ROOT, pages


def test_the_book_builds_at_profile_smoke(smoke):
    assert smoke.status == 0, smoke.output[-4000:]
    log = (smoke.folder / "logs" / "book.log").read_text("utf8")
    assert "WARNING" not in log
    assert "build succeeded" in log


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_of_a_notebook_was_executed_in_order(smoke, notebook):
    executed = json.loads((smoke.folder / "notebooks" / notebook.name).read_text("utf8"))
    cells = [cell for cell in executed["cells"] if cell["cell_type"] == "code" and cell["source"]]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert kinds & {"display_data", "execute_result"}, "the notebook shows nothing"


def test_every_notebook_is_a_page():
    assert {f"notebooks/{path.stem}" for path in NOTEBOOKS} == {
        page for page in pages() if page.startswith("notebooks/")
    }


def test_every_text_of_the_book_is_a_page():
    texts = (ROOT / "book").rglob("*.md")
    assert {path.relative_to(ROOT).with_suffix("").as_posix() for path in texts} == {
        page for page in pages() if page.startswith("book/")
    }


def test_every_package_of_the_library_has_a_page():
    packages = {path.parent.name for path in (ROOT / "modeconn_lib").glob("*/__init__.py")}
    assert packages == {page.rpartition("/")[2] for page in pages() if "/api/" in page} - {"index"}


@pytest.mark.parametrize("page", pages())
def test_every_page_was_written(html, page):
    assert (html / f"{page}.html").stat().st_size > 5_000
