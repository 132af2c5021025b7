"""What the figures of connections show is what they were given."""

import pytest

from modeconn_lib.figures.connections import along_rows, by_part, by_row
from modeconn_lib.results.summary import Summary

FOUND = {"linear": Summary(95.0, 0.5, 3), "arc": Summary(97.0, None, 1)}
SAID = {"linear": Summary(95.9, 0.4, 0), "flow": Summary(95.8, 0.4, 0)}


def marks(axes) -> dict[str, tuple[list[float], list[float], str]]:
    handles, names = axes.get_legend_handles_labels()
    return {
        n: (list(h.get_xdata()), list(h.get_ydata()), h.get_markerfacecolor())
        for h, n in zip(handles, names, strict=True)
    }


def test_every_row_has_its_dot_and_published_ones_are_hollow_and_aside():
    (axes,) = by_row({"here": FOUND}, {"here": SAID}).panels
    assert [t.get_text() for t in axes.get_yticklabels()] == ["linear", "flow", "arc"]
    found = marks(axes)
    assert found["found"][:2] == ([95.0, 97.0], [0.0, 2.0])
    assert found["paper"][0] == [95.9, 95.8]
    assert [round(y) for y in found["paper"][1]] == [0, 1]
    assert found["paper"][2] == "none"
    bars = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"]
    assert bars[0] == [94.5, 95.5]
    assert len(bars) == 3


def test_where_the_paper_says_nothing_only_what_was_found_is_drawn():
    (axes,) = by_row({"little": FOUND}, {"here": SAID}).panels
    assert list(marks(axes)) == ["found"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["linear", "arc"]


def test_along_a_path_the_mean_of_the_pairs_is_thick_and_named():
    rows = {"linear": ([0.0, 0.5, 1.0], [[90.0, 50.0, 90.0], [92.0, 60.0, 94.0]])}
    (axes,) = along_rows({"here": rows}).panels
    (handle,), (name,) = axes.get_legend_handles_labels()
    assert name == "linear"
    assert list(handle.get_ydata()) == pytest.approx([91, 55, 92])
    assert len(axes.lines) == 3


def test_errors_are_drawn_part_by_part():
    lines = {"train": ([0.0, 1.0, 1.0, 2.0], [[1.0, 2.0, 2.0, 1.0]])}
    lines |= {"test": ([0.0, 1.0, 1.0, 2.0], [[5.0, 6.0, 6.0, 5.0]])}
    (axes,) = by_part({"few": lines}).panels
    assert list(axes.get_xticks()) == [0, 1, 2]
    found = {h.get_label(): list(h.get_ydata()) for h in axes.lines}
    assert found == {"train": [1, 2, 2, 1], "test": [5, 6, 6, 5]}


def test_of_many_parts_every_other_one_is_numbered():
    (axes,) = by_part({"deep": {"train": ([0.0, 22.0], [[1.0, 2.0]])}}).panels
    assert list(axes.get_xticks()) == list(range(0, 23, 2))


def test_the_pictures_say_what_they_show():
    picture = by_row({"one": FOUND, "two": FOUND}, {})
    assert picture.alt.endswith("by the way of connecting: one; two")
    assert picture._repr_html_().count("<svg style=") == 2
    assert along_rows({"one": {}}).alt.endswith("from A to B: one")
