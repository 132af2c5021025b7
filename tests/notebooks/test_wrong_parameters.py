"""Every chapter refuses wrong parameters in one clear line, before anything is computed."""

import json
from pathlib import Path

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.images import MissingData

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WRONG = {
    "an unknown parameter": ("colour", "red", "unknown parameter 'colour'; known: "),
    "an unknown profile": ("profile", "enormous", "unknown profile 'enormous'; known: smoke"),
    "an unknown network": ("architecture", "nonsense", "unknown architecture 'nonsense'; known: "),
    "an unknown data set": ("dataset", "nonsense", "unknown data set 'nonsense'; known: "),
    "a data set that is not here": ("dataset", "tiny_imagenet", "tiny_imagenet"),
    "a negative number of pairs": ("pairs", -1, "parameter 'pairs' is -1: "),
    "pairs in words": ("pairs", "three", "parameter 'pairs' is 'three': "),
    "a negative seed": ("seed", -1, "parameter 'seed' is -1: "),
}

NO_IMAGES = {"27_symmetries_and_speed"}  # takes shape and classes of a data set, and no image


def code_cells(path: Path) -> list[str]:
    """Return the sources of a notebook's code cells."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def wrong_of(path: Path) -> list[str]:
    """Return the entries of `WRONG` whose parameter the chapter has; any has no ``colour``."""
    namespace: dict[str, object] = {}
    exec(code_cells(path)[0], namespace)
    names = {**namespace, "colour": ""}
    needless = {"a data set that is not here"} if path.stem in NO_IMAGES else set()
    return [wrong for wrong, (name, *_) in WRONG.items() if name in names and wrong not in needless]


CASES = [(path, wrong) for path in NOTEBOOKS for wrong in wrong_of(path)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_has_at_least_three_parameters_to_get_wrong(path):
    assert len(wrong_of(path)) >= 3


@pytest.mark.parametrize(("path", "wrong"), CASES, ids=[f"{p.stem}, {w}" for p, w in CASES])
def test_a_chapter_refuses(path, wrong, tmp_path, monkeypatch):
    for name in ("DATA", "STORE", "BUILD"):
        monkeypatch.setenv(f"MODECONN_{name}", str(tmp_path / name))
    (tmp_path / "DATA").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    name, value, said = WRONG[wrong]
    first, *others = code_cells(path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(first, namespace)  # the parameters, as papermill finds them
    namespace[name] = value
    with pytest.raises((Refusal, MissingData)) as refusal:
        exec("\n".join(others), namespace)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "STORE").rglob("*.json"))
