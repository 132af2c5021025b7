"""A notebook is a chapter: prose, one cell of parameters, short cells, nothing defined."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf8"))["cells"]


def code(path: Path) -> list[str]:
    return ["".join(c["source"]) for c in cells(path) if c["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@each_notebook
def test_a_notebook_begins_with_a_title_and_ends_with_prose(path):
    first, last = cells(path)[0], cells(path)[-1]
    assert first["cell_type"] == last["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")


@each_notebook
def test_one_cell_holds_the_parameters_as_annotated_literals(path):
    marked = [c for c in cells(path) if "parameters" in c["metadata"].get("tags", [])]
    assert len(marked) == 1
    for statement in ast.parse("".join(marked[0]["source"])).body:
        assert isinstance(statement, ast.AnnAssign), ast.unparse(statement)
        assert statement.value is not None, ast.unparse(statement)
        value = ast.literal_eval(statement.value)
        assert type(value).__name__ == ast.unparse(statement.annotation)


@each_notebook
def test_cells_are_few_and_short(path):
    assert len(code(path)) <= 15
    assert max(len(text.splitlines()) for text in code(path)) <= 15


@each_notebook
def test_a_notebook_defines_nothing(path):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for text in code(path):
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        found = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, kinds)]
        assert not found, text


@each_notebook
def test_prose_outweighs_code(path):
    words = sum(
        len("".join(c["source"]).split()) for c in cells(path) if c["cell_type"] == "markdown"
    )
    lines = sum(len(text.splitlines()) for text in code(path))
    assert words >= 5 * lines


@each_notebook
def test_a_stored_notebook_has_no_outputs_and_nothing_of_the_last_run(path):
    extra = "metadata.papermill cell.metadata.papermill metadata.language_info.version"
    command = [sys.executable, "-m", "nbstripout", "--verify", "--extra-keys", extra, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"run nbstripout on {path.name}"


@each_notebook
def test_papermill_finds_the_language(path):
    kernel = json.loads(path.read_text("utf8"))["metadata"]["kernelspec"]
    assert (kernel["name"], kernel["language"]) == ("python3", "python")
