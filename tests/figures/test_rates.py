"""What the figure of learning rates and batch sizes shows is what it was given."""

import pytest

from modeconn_lib.figures.rates import by_cell
from modeconn_lib.figures.style import method
from modeconn_lib.results.summary import Summary

FOUND = {
    "unaligned": {"0.5 × 64": Summary(55.0, 0.5, 3), "0.01 × 256": Summary(54.0, None, 3)},
    "aligned": {"0.5 × 64": Summary(58.0, 0.25, 3), "0.01 × 256": Summary(57.0, None, 3)},
}
SAID = {
    "unaligned": {"0.01 × 64": Summary(55.9, 0.2, 3), "0.5 × 64": Summary(55.5, 0.3, 3)},
    "aligned": {"0.01 × 64": Summary(58.4, 0.2, 3), "0.5 × 64": Summary(58.6, 0.2, 3)},
}


def marks(axes) -> dict[str, tuple[list[float], list[float], str]]:
    handles, names = axes.get_legend_handles_labels()
    return {
        n: (list(h.get_xdata()), list(h.get_ydata()), h.get_markerfacecolor())
        for h, n in zip(handles, names, strict=True)
    }


def test_cells_come_by_rising_rate_and_then_batch_size():
    (axes,) = by_cell({"here": FOUND}, {"here": SAID}).panels
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.01\n64", "0.01\n256", "0.5\n64"]


def test_found_cells_are_filled_and_published_ones_hollow():
    (axes,) = by_cell({"here": FOUND}, {"here": SAID}).panels
    found = marks(axes)
    assert list(found) == ["unaligned", "unaligned, paper", "aligned", "aligned, paper"]
    x, y, face = found["aligned"]
    assert (y, face) == ([57.0, 58.0], method("aligned").colour)
    assert [round(place) for place in x] == [1, 2]
    x, y, face = found["aligned, paper"]
    assert (y, face) == ([58.4, 58.6], "none")
    assert [round(place) for place in x] == [0, 2]


def test_a_deviation_is_a_bar_and_a_single_value_has_none():
    (axes,) = by_cell({"here": FOUND}, {}).panels
    bars = [list(line.get_ydata()) for line in axes.lines if line.get_marker() == "None"]
    assert bars == [[54.5, 55.5], [57.75, 58.25]]


def test_only_panels_that_the_paper_is_about_have_its_cells():
    one, other = by_cell({"cifar": FOUND, "little": FOUND}, {"cifar": SAID}).panels
    assert len(marks(one)) == 4
    assert len(marks(other)) == 2


def test_the_picture_says_what_it_shows():
    picture = by_cell({"one": FOUND, "two": FOUND}, {})
    assert picture.alt.endswith("unaligned and aligned: one; two")
    assert picture._repr_html_().count("<svg style=") == 2


def test_a_kind_without_a_colour_is_refused():
    with pytest.raises(KeyError, match="no colour for method 'sideways'"):
        by_cell({"here": {"sideways": FOUND["aligned"]}}, {})
