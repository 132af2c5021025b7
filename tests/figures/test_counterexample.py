"""The pictures of chapter 26 show what its record says."""

import re

import pytest

from modeconn_lib.figures.counterexample import LOOKS, accuracies, data, functions
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

SERIES = {
    "t": [0.0, 0.5, 1.0],
    "shown": [0.0, 0.5],
    "sample": [[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5]],
}
for order in LOOKS:
    SERIES[f"{order} accuracy"] = [1.0, 0.75, 1.0]
    SERIES[f"{order} leaky"] = [0.99, 0.75, 0.99]
    SERIES[f"{order} values"] = [[[-1.0, 0.0], [-2.0, -1.0]], [[-1.0, -1.0], [-1.0, -1.0]]]
    SERIES[f"{order} regions"] = [[[[-1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]], []]
STUDY = Study("26", "smoke", {}, {"lines": Record("counterexample", 1, {}, series=SERIES)})


def test_each_order_has_a_line_in_percent():
    left, right = accuracies(STUDY, ("accuracy", "leaky")).panels
    assert len(left.lines) == len(LOOKS) == 4
    assert [line.get_ydata().tolist() for line in left.lines] == [[100, 75, 100]] * 4
    assert right.lines[0].get_ydata()[0] == 99
    assert "leaky" in right.get_title(loc="left")


def test_lines_that_coincide_are_told_apart():
    (axes,) = accuracies(STUDY).panels
    looks = [(line.get_color(), line.get_linestyle(), line.get_linewidth()) for line in axes.lines]
    assert len(set(looks)) == 4


def test_points_are_coloured_by_their_label():
    (axes,) = data(STUDY).panels
    found = {line.get_label(): len(line.get_xdata()) for line in axes.lines}
    assert found == {"yes": 1, "no": 2}


def test_there_is_a_panel_for_each_order_and_lambda_with_its_regions():
    panels = functions(STUDY).panels
    assert len(panels) == 4 * 2
    # The dashed quarter is drawn everywhere, a region only where the network says yes.
    assert [len(axes.patches) for axes in panels] == [2, 1] * 4
    assert panels[1].get_title(loc="left").endswith("λ = 0.5")
    assert {axes.images[0].get_clim() for axes in panels} == {(-2.0, 0.0)}


def test_every_order_has_a_row_of_its_own_on_a_page_of_any_width():
    html = functions(STUDY)._repr_html_()
    assert "grid-template-columns:repeat(2,minmax(0,1fr))" in html  # two values of lambda
    assert "repeat(auto-fit," in data(STUDY)._repr_html_()


@pytest.mark.parametrize("picture", [data(STUDY), accuracies(STUDY), functions(STUDY)])
def test_a_picture_says_what_it_shows(picture):
    assert len(picture.alt.split()) > 8
    assert len(re.findall("<svg style=", picture._repr_html_())) == len(picture.panels)
