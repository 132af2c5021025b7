"""The pictures of chapter 28 show what the records say."""

import pytest

from modeconn_lib.figures.failure_modes import first_steps, half_way
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study


def line(name: str, middle: float) -> Record:
    return Record("along", 1, {"name": name}, series={"test_accuracy": [0.9, middle, 0.8]})


def study(*, steep: bool) -> Study:
    records = {
        "along/0/naive/line": line("naive", 0.45),
        "along/0/weights/line": line("weights", 0.86),
    }
    if steep:
        near = {"near": [0.0, 0.001, 0.1]}
        losses = {f"{m}_loss": [0.5, 0.6, 0.9] for m in ("naive", "weights")}
        series = near | losses | {"steepest_loss": [0.5, 0.4, 0.7]}
        records["matching/0/steepest"] = Record("steepest", 1, {}, series=series)
    return Study("28", "smoke", {}, records)


SHOWN = {"control": study(steep=True), "a mode": study(steep=False)}


def test_a_dot_is_what_is_lost_from_the_mean_of_the_ends():
    (axes,) = half_way(SHOWN).panels
    dots = [line.get_xdata() for line in axes.lines[1:]]  # the first is the line at nothing lost
    assert [d[0] for d in dots] == pytest.approx([40, 40, -1, -1])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["control", "a mode"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first study stands on top


def test_first_steps_are_shown_where_they_were_taken_relative_to_the_loss_of_a():
    (axes,) = first_steps(SHOWN).panels
    assert axes.get_title(loc="left") == "control"
    handles, labels = axes.get_legend_handles_labels()
    found = {label: line.get_ydata() for label, line in zip(labels, handles, strict=True)}
    assert found["steepest descent, first steps"] == pytest.approx([-0.2, 0.4])
    assert handles[0].get_xdata() == pytest.approx([0.001, 0.1])


def test_a_picture_names_its_studies():
    for picture in (half_way(SHOWN), first_steps(SHOWN)):
        assert picture.alt.endswith("control; a mode")
        assert "<svg style=" in picture._repr_html_()
