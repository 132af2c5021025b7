"""What a figure shows is what the records say."""

import json
import re

import numpy as np
import pytest

from modeconn_lib.figures import signatures
from modeconn_lib.figures.along_path import along_path, methods, paths
from modeconn_lib.figures.interactive import explore
from modeconn_lib.figures.style import method
from modeconn_lib.figures.while_learning import MARKED, while_learning
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary
from tests.figures.records import LAYERS, T, study

STUDY = study(pairs=2)


def means(axes) -> dict[str, list[float]]:
    """The lines that the legend names."""
    handles, names = axes.get_legend_handles_labels()
    return {n: np.round(h.get_ydata(), 9).tolist() for h, n in zip(handles, names, strict=True)}


def test_accuracy_along_a_path_is_the_mean_over_pairs_in_percent():
    (axes,) = along_path({"here": STUDY}, "test_accuracy").panels
    assert means(axes) == {
        "learned curve, unaligned": [70.5, 60.5, 70.5],
        "learned curve, aligned": [90.5, 80.5, 90.5],
    }
    assert axes.lines[0].get_xdata().tolist() == list(T)
    assert len(axes.lines) == 2 * (2 + 1)
    assert axes.get_ylabel() == "test accuracy, %"


def test_a_method_keeps_its_colour_and_dashes_tell_the_shape():
    (axes,) = along_path({"here": STUDY}, "test_loss", shapes=("line", "curve")).panels
    for line in axes.lines:
        unaligned, straight = line.get_color() == method("unaligned").colour, line.is_dashed()
        label = str(line.get_label())
        if not label.startswith("_"):
            assert unaligned == label.endswith("unaligned")
            assert straight == label.startswith("straight")


def test_quantities_go_down_and_studies_side_by_side():
    shown = {"recorded": STUDY, "this build": study(shift=0.05)}
    panels = along_path(shown, "test_accuracy", "test_loss").panels
    found = [(axes.get_title(loc="left"), axes.get_ylabel()) for axes in panels]
    assert found == [
        ("recorded", "test accuracy, %"),
        ("this build", "test accuracy, %"),
        ("recorded", "test loss, nats"),
        ("this build", "test loss, nats"),
    ]


def test_a_path_that_was_not_measured_is_refused():
    with pytest.raises(KeyError, match="has measured no 'arc' of method 'aligned'"):
        paths(STUDY, "aligned", "arc")


def test_methods_are_read_from_the_records():
    assert methods(STUDY) == ["unaligned", "aligned"]


def test_losses_while_learning_are_shown_by_epoch():
    (axes,) = while_learning({"here": STUDY}).panels
    assert means(axes) == {"curve, unaligned": [1.495, 0.995], "curve, aligned": [1.295, 0.795]}
    assert axes.lines[0].get_xdata().tolist() == [1, 2]
    assert axes.get_xlim() == (0.5, 2.5)


def test_many_epochs_are_a_line_without_marks():
    losses = {"train_loss": [1.0] * (MARKED + 1)}
    long = Study("x", "paper", {}, {"curve/0/aligned": Record("curve", 1, {}, series=losses)})
    (axes,) = while_learning({"long": long}).panels
    assert axes.lines[-1].get_marker() == ""


def layers(mean: float, std: float | None) -> list[Summary]:
    return [Summary(mean, std, 1 if std is None else 2)] * LAYERS


def signature(std: float | None = 0.1) -> dict:
    names = ["endpoints"] + [
        f"{a} {b}" for a in ("unaligned", "aligned") for b in ("line", "curve")
    ]
    pairs = {name: (0.1 * i, 0.1 * i + 0.5) for i, name in enumerate(names)}
    return {
        name: {"before": layers(before, std), "after": layers(after, std)}
        for name, (before, after) in pairs.items()
    }


def test_ends_are_compared_before_and_after_alignment():
    (axes,) = signatures.endpoints({"here": signature()}).panels
    assert means(axes) == {"unaligned": [0.0] * LAYERS, "aligned": [0.5] * LAYERS}
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3, 4]


def test_midpoints_of_each_kind_have_a_panel_with_three_lines():
    unaligned, aligned = signatures.midpoints({"here": signature()}).panels
    assert [values[0] for values in means(unaligned).values()] == [0.1, 0.2, 0.7]
    assert [values[0] for values in means(aligned).values()] == [0.3, 0.4, 0.9]
    assert unaligned.get_title(loc="left") == "unaligned\nhere"


def test_a_band_is_one_deviation_wide():
    (axes,) = signatures.endpoints({"here": signature(std=0.2)}).panels
    heights = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.3, 0.7))


def test_one_pair_has_no_band():
    (axes,) = signatures.endpoints({"here": signature(std=None)}).panels
    assert not axes.collections


def test_negative_correlations_are_not_cut_off():
    found = signature() | {"endpoints": {w: layers(-0.4, 0.2) for w in ("before", "after")}}
    (axes,) = signatures.endpoints({"here": found}).panels
    assert axes.get_ylim()[0] < -0.6
    assert axes.get_ylim()[1] == 1.05


def test_the_interactive_figure_has_a_line_for_each_path_and_an_entry_for_each_kind():
    figure = explore(STUDY)
    assert len(figure.data) == 2 * 2 * 2
    entries = [trace.name for trace in figure.data if trace.showlegend]
    assert len(entries) == len(set(entries)) == 4
    assert {t.visible for t in figure.data if "straight" in t.name} == {"legendonly"}
    assert {t.visible for t in figure.data if "learned" in t.name} == {True}
    assert list(figure.data[0].y) == pytest.approx([70, 60, 70])


def test_the_interactive_figure_has_nothing_behind_it():
    layout = json.loads(explore(STUDY).to_json())["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"


@pytest.mark.parametrize(
    "picture",
    [
        along_path({"a study": STUDY}, "test_accuracy"),
        while_learning({"a study": STUDY}),
        signatures.endpoints({"a study": signature()}),
        signatures.midpoints({"a study": signature()}),
    ],
)
def test_a_picture_says_what_it_shows_and_of_what(picture):
    assert re.search(r"unaligned(, | and )aligned\)?: a study$", picture.alt)
    assert picture._repr_html_().count("<svg style=") == len(picture.panels)


def test_a_method_whose_line_nobody_measured_is_drawn_along_its_curve_alone():
    one = study()
    key = "along/{}/aligned/curve"
    more = {f"along/{pair}/pam_aligned/curve": one[key.format(pair)] for pair in range(2)}
    with_pam = Study(one.name, one.profile, one.config, {**one.records, **more})
    assert methods(with_pam) == ["unaligned", "aligned", "pam_aligned"]
    assert methods(with_pam, "line") == ["unaligned", "aligned"]
    lines = along_path({"a": with_pam}, "test_loss", shapes=("line",)).panels[0]
    both = along_path({"a": with_pam}, "test_loss", shapes=("line", "curve")).panels[0]
    words = [axes.get_legend_handles_labels()[1] for axes in (lines, both)]
    assert [sum("PAM" in word for word in of) for of in words] == [0, 1]
    assert len(explore(with_pam).data) == len(explore(one).data) + 2
