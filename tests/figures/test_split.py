"""The picture of networks that saw different data."""

import re

import numpy as np
import pytest

from modeconn_lib.figures.split import split
from tests.figures import together


def legend(axes):
    handles, names = axes.get_legend_handles_labels()
    return dict(zip(names, handles, strict=True))


def test_lines_ensembles_and_all_data_are_means_over_pairs():
    (axes,) = split({"here": together.split(pairs=2)}, "test_loss").panels
    found = {name: np.round(line.get_ydata(), 9).tolist() for name, line in legend(axes).items()}
    assert found == {
        "naive": [0.5, 1.05, 0.6],
        "weight matching": [0.5, 1.05, 0.6],
        "ensemble of logits": [0.5, 0.55, 0.6],
        "trained on all data": [0.25, 0.25, 0.25],
    }
    assert len(axes.lines) == 4 * (2 + 1)


def test_accuracies_are_percentages():
    (axes,) = split({"here": together.split(pairs=1)}, "test_accuracy").panels
    lines = legend(axes)
    assert lines["weight matching"].get_ydata() == pytest.approx([50, 40, 60])
    assert lines["trained on all data"].get_ydata() == pytest.approx([90, 90, 90])
    assert axes.get_ylabel() == "test accuracy, %"


def test_methods_differ_by_more_than_colour():
    (axes,) = split({"here": together.split()}, "train_loss").panels
    lines = legend(axes)
    assert lines["naive"].get_linestyle() == "--"
    assert lines["trained on all data"].get_linestyle() == ":"
    assert lines["weight matching"].get_linestyle() == "-"


def test_every_study_and_quantity_has_a_panel_and_a_title_that_fits():
    shown = {
        "recorded · A (standard)": together.split(),
        "this build · B (quick)": together.split(),
    }
    picture = split(shown, "test_loss", "train_loss")
    titles = [axes.get_title(loc="left") for axes in picture.panels]
    assert titles == ["recorded\nA (standard)", "this build\nB (quick)"] * 2
    assert re.search(r"A \(standard\); this build · B \(quick\)$", picture.alt)
    assert picture._repr_html_().count("<svg style=") == 4
