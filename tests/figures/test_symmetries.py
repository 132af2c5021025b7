"""Pictures of symmetries show every network and every search."""

from modeconn_lib.figures.symmetries import orders_by_size, recovered
from modeconn_lib.results.study import Study
from tests.figures.records import record


def coverage():
    rows = {"plain": (1e6, 10.0, 0), "attentive": (2e6, 30.0, 4), "wide": (9e6, 90.0, 0)}
    return Study(
        "43_any_network",
        "smoke",
        {},
        {
            name: record("coverage", name, {}, parameters=p, log10_symmetries=n, nested=k)
            for name, (p, n, k) in rows.items()
        },
    )


def searches():
    series = {"reached": [1.0, 0.25], "units": [1.0, 0.125]}
    records = {f"recovery/{i}": record("recovery", str(i), series) for i in range(3)}
    return Study("27_symmetries_and_speed", "smoke", {}, records)


def test_networks_with_blocks_are_told_from_those_without():
    picture = orders_by_size({"a study": coverage()})
    plain, blocks = picture.panels[0].lines
    assert list(plain.get_xdata()) == [1.0, 9.0]
    assert list(plain.get_ydata()) == [10.0, 90.0]
    assert list(blocks.get_xdata()) == [2.0]
    assert plain.get_color() != blocks.get_color()


def test_every_search_of_every_network_is_a_point():
    (points,) = recovered({"a study": searches()}).panels[0].lines
    assert list(points.get_xdata()) == [100.0, 25.0] * 3
    assert list(points.get_ydata()) == [100.0, 12.5] * 3


def test_a_picture_has_a_panel_for_each_study_and_names_it():
    for picture in (
        orders_by_size({"one": coverage(), "two": coverage()}),
        recovered({"one": searches(), "two": searches()}),
    ):
        assert len(picture.panels) == 2
        assert picture.alt.endswith("one; two")
        assert picture._repr_html_().count("<svg style=") == 2
