"""The picture of the README is drawn by the program that CONTRIBUTING names."""

import runpy

from modeconn_lib.figures.style import method
from tests.figures.records import study


def test_it_shows_both_shapes_and_says_what_was_computed(root):
    figure = runpy.run_path(str(root / "book" / "readme_picture.py"))["picture"](study())
    left, right = figure.axes
    assert left.get_title(loc="left") == "straight line"
    assert right.get_title(loc="left") == "learned curve"
    assert all(line.is_dashed() for line in left.lines)
    (legend,) = figure.legends
    entries = zip(legend.get_texts(), legend.legend_handles, strict=True)
    assert {text.get_text(): line.get_color() for text, line in entries} == {
        name: method(name).colour for name in ("unaligned", "aligned")
    }
    assert figure.get_supxlabel() == "smoke, TinyTen on Little, 8 images, n = 2 pairs"


def test_the_command_is_written_down(root):
    assert "book/readme_picture.py" in (root / "CONTRIBUTING.md").read_text("utf8")
    assert (root / "book" / "_static" / "learned_curves.png").read_bytes()[1:4] == b"PNG"
