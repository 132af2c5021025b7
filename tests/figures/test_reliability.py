"""Reliability diagrams show the bins of the records."""

import pytest

from modeconn_lib.figures.reliability import diagram, reliability
from tests.figures import together
from tests.figures.records import record


def bins(counts, confidence, right):
    return {"A test counts": counts, "A test confidence": confidence, "A test right": right}


def test_empty_bins_are_left_out_and_records_are_pooled_by_their_counts():
    one = record("calibration", "one", bins([1, 0, 2], [0.1, 0.0, 0.8], [1.0, 0.0, 0.5]))
    two = record("calibration", "two", bins([3, 0, 0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]))
    assert diagram([one], "A test ") == ([0.1, 0.8], [1.0, 0.5])
    said, came = diagram([one, two], "A test ")
    assert said == pytest.approx([0.175, 0.8])
    assert came == pytest.approx([0.25, 0.5])


def test_two_networks_and_what_is_made_of_them_each_have_a_line():
    test, train = reliability({"here": together.split()}).panels
    assert (test.get_ylabel(), train.get_ylabel()) == (
        "share that came true, test",
        "share that came true, training",
    )
    _, names = test.get_legend_handles_labels()
    assert names == [
        "network A",
        "network B",
        "naive",
        "merged",
        "ensemble of logits",
        "trained on all data",
    ]
    assert test.lines[1].get_xdata().tolist() == [0.25, 0.75]
    assert test.lines[1].get_ydata().tolist() == [0.5, 1.0]


def test_many_networks_are_thin_and_named_once():
    test, _ = reliability({"here": together.many(groups=2, members=4)}, "classwise ").panels
    _, names = test.get_legend_handles_labels()
    assert names == ["the networks, one by one", "naive", "merged", "ensemble of logits"]
    thin = [line for line in test.lines if line.get_linewidth() == 0.9]
    assert len(thin) == 4


def test_perfect_calibration_is_the_diagonal():
    test, _ = reliability({"here": together.split()}).panels
    assert list(test.lines[0].get_xdata()) == list(test.lines[0].get_ydata()) == [0, 1]


@pytest.mark.parametrize(
    ("kind", "words"), [("", "the most probable class"), ("classwise ", "any")]
)
def test_a_picture_says_what_it_shows_and_of_what(kind, words):
    picture = reliability({"a · study": together.split()}, kind)
    assert words in picture.alt
    assert picture.alt.endswith("a · study")
    assert picture.panels[0].get_title(loc="left") == "a\nstudy"
    assert picture._repr_html_().count("<svg style=") == 2
