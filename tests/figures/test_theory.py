"""The figures of the theory show what the records say."""

import pytest

from modeconn_lib.figures.style import method
from modeconn_lib.figures.theory import along_line, descents, met
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

T = [0.0, 0.5, 1.0]


def record(step: str, name: str, series: dict) -> Record:
    return Record(step, 1, {"name": name}, series=series)


def line(pair: int) -> Record:
    series: dict = {"t": T}
    for order, level in (("unaligned", 1.0), ("l2_pre", 0.5)):
        for kind, times in (("", 1.0), (" half", 10.0), (" bound", 100.0)):
            high = times * (level + pair)
            series[f"{order} train cross_entropy{kind}"] = [0.1, high, 0.1]
    return record("bounds", str(pair), series)


@pytest.fixture
def study():
    written = {"t": T, "examples": ["met", "two layers as they are"]}
    written |= {"met loss": [1.0, 2.0, 1.0], "met bound": [1.0, 3.0, 1.0]}
    descent: dict = {"deltas": [0.1, 1e-6]}
    descent |= {"sharp 0": [2.0, 1.5], "accepted 0": [True, False]}
    descent |= {"sharp 1": [2.0, 1.5, 1.0], "accepted 1": [True, True, True]}
    records = {
        "bounds/0": line(0),
        "bounds/1": line(1),
        "written": record("tightness", "", written),
        "descent": record("monotone", "", descent),
    }
    return Study("18_theory", "quick", {}, records)


def test_losses_and_bounds_are_means_over_pairs_in_the_methods_colours(study):
    (axes,) = along_line({"here": study}).panels
    handles, names = axes.get_legend_handles_labels()
    found = dict(zip(names, handles, strict=True))
    assert list(found) == [
        f"{what}, {who}"
        for what in ("bound", "bound by true distances", "loss")
        for who in ("unaligned", "aligned")
    ]
    assert list(found["bound, unaligned"].get_ydata()) == pytest.approx([0.1, 150, 0.1])
    assert list(found["loss, aligned"].get_ydata()) == pytest.approx([0.1, 1.0, 0.1])
    assert found["loss, aligned"].get_color() == method("aligned").colour
    assert axes.get_yscale() == "log"


def test_examples_on_bounds_show_bound_and_loss_and_leave_the_joint_order_out(study):
    (axes,) = met(study).panels
    bound, loss = axes.lines
    assert list(bound.get_ydata()) == [1, 3, 1]
    assert list(loss.get_ydata()) == [1, 2, 1]
    assert axes.get_title(loc="left") == "met"


def test_a_descent_is_drawn_up_to_what_was_accepted_and_the_refused_one_is_a_cross(study):
    picture = descents({"one": study, "two": study})
    axes, _ = picture.panels
    wide, cross, narrow = axes.lines
    assert list(wide.get_ydata()) == [2.0]
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([1], [1.5])
    assert cross.get_marker() == "x"
    assert list(narrow.get_ydata()) == [2.0, 1.5, 1.0]
    assert [line.get_label() for line in (wide, narrow)] == ["δ = 0.1", "δ = 10⁻⁶"]
    assert all(tick == int(tick) for tick in axes.get_xticks())
    assert picture.alt.endswith("one; two")
    assert "<svg" in picture._repr_html_()
