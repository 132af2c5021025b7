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
        judged = {}
        for k, name in enumerate(COSTS):
            for stage, level in (("post", 1.0), ("pre", 2.0)):
                judged[f"{name}/l2/{stage}"] = [level / (1 + k), 3 * level / (1 + k), 0.0]
        records[f"costs/{pair}"] = made("costs", judged)
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


def test_distances_are_shares_of_the_unaligned_ones():
    after, before = left_by_layer({"here": study(1)}).panels
    assert after.get_title(loc="left") == "here\nafter the nonlinearity"
    assert before.get_title(loc="left") == "here\nbefore it"
    for axes in (after, before):
        assert "unaligned" not in means(axes)
        # Nothing is left of nothing: a layer without any distance shows no gain.
        assert means(axes)["correlation, post"] == pytest.approx([50, 50, 100])
        assert means(axes)["L2, pre"] == pytest.approx([20, 20, 100])


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


@pytest.mark.parametrize("draw", [left_by_layer, frontier, subsets])
def test_a_study_without_the_records_is_refused(draw):
    with pytest.raises(KeyError, match=r"study 'x' has no records (costs|constrained|subsets)/"):
        draw({"here": Study("x", "smoke", {}, {})})


def test_pictures_say_what_they_show_and_of_what():
    found = {"one": study(1), "two": study()}
    pictures = [draw(found) for draw in (left_by_layer, frontier, subsets)]
    for picture in (*pictures, by_cost(found, "test_accuracy", "curve")):
        assert picture.alt.endswith(": one; two")
        assert picture._repr_html_().count("<svg style=") == len(picture.panels)


def test_where_no_curves_were_learned_an_empty_panel_says_so():
    picture = by_cost({}, "test_accuracy", "curve")
    assert picture.panels[0].get_title(loc="left") == "no learned curve was measured"
    assert "<svg" in picture._repr_html_()
