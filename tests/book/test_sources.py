"""The drawings and the bibliography agree with the code they come from."""

import re
import runpy

import numpy as np
import pytest

from modeconn_lib.models.registry import ARCHITECTURES
from tests.book.contents import ROOT

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
DRAWINGS = sorted((ROOT / "book" / "_static").glob("*_*.svg"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawings")
    runpy.run_path(str(ROOT / "book" / "drawings.py"))["main"](folder)
    return folder


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_is_what_its_program_draws(drawn, path):
    """Up to the last digit of a coordinate, which may differ between processors."""
    old, new = path.read_text("utf8"), (drawn / path.name).read_text("utf8")
    assert NUMBER.sub("n", old) == NUMBER.sub("n", new)
    numbers = [np.array([float(x) for x in NUMBER.findall(text)]) for text in (old, new)]
    np.testing.assert_allclose(*numbers, atol=1e-3)


def test_every_drawing_is_there_in_light_and_in_dark(drawn):
    assert {path.name for path in drawn.iterdir()} == {path.name for path in DRAWINGS}
    assert len(DRAWINGS) == 4


def test_every_architecture_cites_a_source_of_the_bibliography():
    text = (ROOT / "book" / "references.bib").read_text("utf8")
    keys = set(re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE))
    cited = {known.source for known in ARCHITECTURES.values() if known.source}
    assert cited
    assert cited <= keys
