"""What the figures of alignment costs show is what the records say."""

import pytest

from modeconn_lib.figures.costs import COSTS, by_cost, frontier, left_by_layer, subsets
from modeconn_lib.figures.style import method
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

T = [0.0, 0.5, 1.0]


def study(pairs: int = 2) -> Study:
    """Cost number k of pair p is k tenths and p hundredths better half-way, on lines and curves."""
    records = {}
    for pair in range(pairs):
        for k, name in enumerate((*COSTS, "constrained")):
            for shape in ("line", "curve"):
                if (name, shape) != ("constrained", "curve"):
                    series = {"t": T, "test_accuracy": [0.9, 0.1 * k + pair / 100, 0.9]}
                    records[f"along/{pair}/{name}/{shape}"] = made("along", series)
        bound = {"cost": [2.0, 1.0, 0.0], "tight_cost": [[3.0, 2.5], [1.1, 1.0], [0.0, 0.0]]}
        records[f"constrained/{pair}"] = made("constrained", bound, shares=[0.25, 0.5])
        same = {"25/same": [0.5, 1.0 - pair], "50/same": [1.0, 1.0], "100/same": [1.0, 1.0]}
        records[f"subsets/{pair}"] = made("subsets", {"examples": [25, 50, 100], **same})
    return Study("12_alignment_costs", "smoke", {}, records)


def made(step: str, series: dict, **config) -> Record:
    return Record(step, 1, {"series": series, **config}, series=series)


def means(axes) -> dict[str, list[float]]:
    """The lines that the legend names."""
    handles, names = axes.get_legend_handles_labels()
    return {n: list(h.get_ydata()) for h, n in zip(handles, names, strict=True)}


@pytest.mark.parametrize("shape", ["line", "curve"])
def test_every_cost_has_its_path(shape):
    (axes,) = by_cost({"here": study()}, "test_accuracy", shape).panels
    found = means(axes)
    assert list(found) == [look.words for look in COSTS.values()]
    assert found["correlation, post"] == pytest.approx([90, 10.5, 90])
    assert found["L2, pre"][1] == pytest.approx(40.5)
    assert len(axes.lines) == len(COSTS) * 3


def test_the_unaligned_and_the_usual_cost_keep_their_colours_and_no_two_costs_share_one():
    assert COSTS["unaligned"].colour == method("unaligned").colour
    assert COSTS["aligned"].colour == method("aligned").colour
    assert len({look.colour for look in COSTS.values()}) == len(COSTS)


def luminance(colour: str) -> float:
    def light(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (light(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_every_cost_can_be_read_on_light_and_dark_pages(page):
    for look in COSTS.values():
        dark, light = sorted((luminance(look.colour), luminance(page)))
        assert (light + 0.05) / (dark + 0.05) >= 3, look


DISTANCES = {
    "post": {"aligned": [[50.0, 40.0], [30.0, 20.0]], "l2_pre": [[20.0, 20.0], [20.0, 20.0]]},
    "pre": {"aligned": [[60.0, 60.0], [60.0, 60.0]]},
}


def test_distances_have_a_panel_for_each_stage():
    after, before = left_by_layer({"here": DISTANCES}).panels
    assert after.get_title(loc="left") == "here\nafter the nonlinearity"
    assert before.get_title(loc="left") == "here\nbefore it"
    assert means(after) == {"correlation, post": [40, 30], "L2, pre": [20, 20]}
    assert means(before) == {"correlation, post": [60, 60]}


def test_tighter_budgets_are_shown_by_what_they_add():
    (axes,) = frontier({"here": study()}).panels
    first, second, third = axes.lines
    assert list(first.get_xdata()) == [0.25, 0.5, 1.0]
    assert list(first.get_ydata()) == pytest.approx([50, 25, 0])
    assert list(second.get_ydata()) == pytest.approx([10, 0, 0])
    assert list(third.get_ydata()) == [0, 0, 0]


def test_fewer_images_are_compared_with_the_most():
    (axes,) = subsets({"here": study()}).panels
    found = means(axes)
    assert list(found) == ["25 images against 100", "50 images against 100"]
    assert found["25 images against 100"] == pytest.approx([50, 50])
    assert found["50 images against 100"] == [100, 100]


@pytest.mark.parametrize("draw", [frontier, subsets])
def test_a_study_without_the_records_is_refused(draw):
    with pytest.raises(KeyError, match=r"study 'x' has no records (constrained|subsets)/"):
        draw({"here": Study("x", "smoke", {}, {})})


def test_pictures_say_what_they_show_and_of_what():
    found = {"one": study(1), "two": study()}
    pictures = [frontier(found), subsets(found), by_cost(found, "test_accuracy", "curve")]
    for picture in (*pictures, left_by_layer(dict.fromkeys(found, DISTANCES))):
        assert picture.alt.endswith(": one; two")
        assert picture._repr_html_().count("<svg style=") == len(picture.panels)


def test_where_no_curves_were_learned_an_empty_panel_says_so():
    picture = by_cost({}, "test_accuracy", "curve")
    assert picture.panels[0].get_title(loc="left") == "no learned curve was measured"
    assert "<svg" in picture._repr_html_()
