"""What the figure of widths shows is what it is given."""

from modeconn_lib.figures.style import method
from modeconn_lib.figures.width import by_width

BARRIERS = {
    "naive": {16: [2.0, 3.0], 64: [1.0, 2.0]},
    "weights": {16: [1.0, 4.0], 64: [0.0, 0.5]},
}


def test_lines_join_the_means_and_dots_are_pairs():
    (axes,) = by_width({"here": BARRIERS}).panels
    handles, names = axes.get_legend_handles_labels()
    assert names == ["naive", "weight matching"]
    assert [list(h.get_ydata()) for h in handles] == [[2.5, 1.5], [2.5, 0.25]]
    dots = [line for line in axes.lines if line not in handles]
    assert [list(line.get_ydata()) for line in dots[:2]] == [[2.0, 3.0], [1.0, 2.0]]
    assert [list(line.get_xdata()) for line in dots[:2]] == [[16, 16], [64, 64]]


def test_methods_keep_their_colours():
    (axes,) = by_width({"here": BARRIERS}).panels
    colours = dict.fromkeys(line.get_color() for line in axes.lines)
    assert list(colours) == [method("naive").colour, method("weights").colour]


def test_every_doubling_takes_as_much_room_and_every_width_is_named():
    (axes,) = by_width({"here": BARRIERS}).panels
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "64"]


def test_nothing_is_cut_off():
    (axes,) = by_width({"here": BARRIERS}).panels
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 4
    assert axes.get_xlim()[0] < 16
    assert axes.get_xlim()[1] > 64


def test_a_single_width_is_a_dot():
    (axes,) = by_width({"here": {"naive": {16: [1.0]}, "weights": {16: [0.5]}}}).panels
    assert axes.get_xlim()[0] < 16 < axes.get_xlim()[1]


def test_the_picture_says_what_it_shows_and_of_what():
    picture = by_width({"one": BARRIERS, "two": BARRIERS})
    assert picture.alt.endswith("naive and matched by weights: one; two")
    assert picture._repr_html_().count("<svg style=") == 2
