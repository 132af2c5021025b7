"""Maps of planes show what the records say: heights, places, paths, and lengths as they are."""

import math
from dataclasses import replace

import numpy as np
import pytest

from modeconn_lib.figures.planes import planes
from modeconn_lib.figures.style import method
from modeconn_lib.results.study import Study
from tests.figures.planes_of import LOSSES, study


def contours(axes):
    (found,) = [c for c in axes.collections if hasattr(c, "levels")]
    return found


def labels(axes):
    handles, names = axes.get_legend_handles_labels()
    return dict(zip(names, handles, strict=True))


def test_quantities_go_down_and_planes_side_by_side():
    panels = planes(
        {"here": study()}, "test_loss", "test_accuracy", through=("unaligned", "aligned")
    )
    titles = [axes.get_title(loc="left") for axes in panels.panels]
    assert titles == ["here\nplane of the unaligned curve", "here\nplane of the aligned curve"] * 2


def test_lengths_are_true():
    (axes,) = planes({"here": study()}, "test_loss").panels
    assert axes.get_xlim() == pytest.approx((-0.5, 10.5))
    assert axes.get_ylim() == pytest.approx((-0.8, 12))
    assert axes.get_aspect() == 1


def test_a_flat_plane_is_stretched_and_says_so():
    one = study()
    record = one["plane/0/networks"]
    flat = replace(record, scalars={**record.scalars, "height": 0.1})
    found = Study(one.name, one.profile, one.config, {"plane/0/networks": flat})
    (axes,) = planes({"here": found}, "test_loss").panels
    assert axes.get_aspect() == 18  # 0.16 is the height of the grid, 11 its width
    assert axes.get_ylabel() == "at right angles,\ndrawn 18 × as long"


def test_the_three_networks_are_marked_and_named():
    (axes,) = planes({"here": study()}, "test_loss").panels
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    where = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks]
    assert where == [(0, 0), (10, 0), (4, 8)]
    assert [text.get_text() for text in axes.texts] == ["A", "B", "πB"]
    assert [text.xy for text in axes.texts] == where


def test_paths_keep_the_colours_and_dashes_of_the_book():
    networks, curve = (
        planes({"here": study()}, "test_loss", through=("networks", "aligned")).panels[i]
        for i in (0, 1)
    )
    assert list(labels(networks)) == ["straight line, unaligned", "straight line, aligned"]
    found = labels(curve)
    assert list(found) == ["straight line, aligned", "learned curve, aligned"]
    assert {line.get_color() for line in found.values()} == {method("aligned").colour}
    assert [line.is_dashed() for line in found.values()] == [True, False]
    assert list(found["learned curve, aligned"].get_ydata()) == [0, 8, 0]
    assert list(found["learned curve, aligned"].get_xdata()) == [0, 5, 10]


def test_losses_are_logarithmic_and_end_where_a_network_knows_nothing():
    (axes,) = planes({"here": study()}, "test_loss").panels
    found = contours(axes)
    assert (found.levels[0], found.levels[-1]) == pytest.approx((0.4, math.log(10)))
    assert np.diff(np.log(found.levels)) == pytest.approx(np.log(math.log(10) / 0.4) / 16)
    assert found.extend == "max"
    assert found.norm(math.log(10)) == 1


def test_the_same_value_has_the_same_colour_in_both_planes_of_a_study():
    wide = study(**{"aligned grid": [[0.05] * 3] * 3})
    for quantity in ("test_loss", "test_accuracy"):
        pair = planes({"here": wide}, quantity, through=("unaligned", "aligned")).panels
        first, second = map(contours, pair)
        assert list(first.levels) == list(second.levels)
        assert first.norm(0.5) == second.norm(0.5)


def test_a_loss_that_ends_below_that_is_not_clipped():
    found = study(test_loss=[[0.4, 0.5, 0.6]] * 3)
    (axes,) = planes({"here": found}, "test_loss").panels
    assert contours(axes).extend == "neither"
    assert contours(axes).levels[-1] == pytest.approx(0.6)


def test_networks_that_know_nothing_at_all_are_drawn():
    (axes,) = planes({"here": study(test_loss=[[2.4, 2.5, 2.6]] * 3)}, "test_loss").panels
    assert (contours(axes).levels[0], contours(axes).levels[-1]) == pytest.approx((2.4, 2.6))


def test_losses_of_nothing_are_drawn_as_a_thousandth():
    found = study(test_loss=[[0.0, 0.5, 5.0]] * 3)
    (axes,) = planes({"here": found}, "test_loss").panels
    assert contours(axes).levels[0] == pytest.approx(1e-3)


@pytest.mark.parametrize("quantity", ["test_loss", "test_accuracy"])
def test_a_plane_without_any_relief_is_drawn(quantity):
    (axes,) = planes({"here": study(**{quantity: [[0.7] * 3] * 3})}, quantity).panels
    assert len(contours(axes).levels) >= 2
    assert "svg" in planes({"here": study(**{quantity: [[0.7] * 3] * 3})}, quantity)._repr_html_()


@pytest.mark.parametrize(("quantity", "good"), [("test_loss", 0.4), ("test_accuracy", 80.0)])
def test_bright_is_good(quantity, good):
    (axes,) = planes({"here": study()}, quantity).panels
    found = contours(axes)
    bright, dark = (sum(found.cmap(found.norm(value))[:3]) for value in (good, 2.0))
    assert bright > dark


def test_accuracies_are_percentages_with_round_levels():
    (axes,) = planes({"here": study()}, "test_accuracy").panels
    levels = contours(axes).levels
    assert levels[0] <= 10
    assert levels[-1] >= 80
    assert levels == pytest.approx(np.round(levels))


def test_the_bar_says_what_is_drawn_within_its_colours():
    (axes,) = planes({"here": study()}, "test_loss").panels
    (bar,) = axes.child_axes
    assert bar.get_ylabel() == "test loss, nats"
    ticks = [float(label.get_text()) for label in bar.get_yticklabels()]
    assert len(ticks) >= 3
    assert min(LOSSES[0]) <= min(ticks)
    assert max(ticks) <= math.log(10)


def test_the_bars_of_all_panels_say_the_same():
    found = planes({"here": study()}, "test_loss", through=("unaligned", "aligned")).panels
    said = [[t.get_text() for t in axes.child_axes[0].get_yticklabels()] for axes in found]
    assert said[0] == said[1]
    assert "2" in said[0]


def test_the_picture_says_what_it_shows_and_of_what():
    picture = planes({"one": study(), "two": study()}, "test_loss", through=("aligned",))
    assert picture.alt.startswith("test loss, nats on the plane of the aligned curve")
    assert picture.alt.endswith("one; two")
    html = picture._repr_html_()
    assert (
        html
        == planes({"one": study(), "two": study()}, "test_loss", through=("aligned",))._repr_html_()
    )
    assert html.count("<svg style=") == 2
    assert ">πB</text>" in html


def test_a_plane_that_was_not_measured_is_refused():
    empty = Study("x", "quick", {}, {})
    with pytest.raises(KeyError, match="no record 'plane/0/networks'"):
        planes({"here": empty}, "test_loss")
