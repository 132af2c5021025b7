"""Published cells beside recorded ones: differences, deviations, order."""

import pytest

from modeconn_lib.experiments.against_paper import best_to_worst, deviations, same_order
from modeconn_lib.experiments.neuron_alignment import learned_curves, published_curves
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

CIFAR10 = {"dataset": "cifar10", "architecture": "tinyten"}


def test_the_paper_s_tables_are_read_by_the_names_of_the_summaries():
    said = published_curves.texts(CIFAR10)
    assert said["endpoint accuracy"] == "89.0 ± 0.1"
    assert said["aligned curve minimum"] == "87.8 ± 0.1"
    assert said["pam_unaligned curve train loss"] == "0.413 ± 0.001"
    assert set(said) <= {
        "endpoint accuracy",
        *(
            f"{kind} {what}"
            for kind in learned_curves.KINDS
            for what in published_curves.STATISTICS
        ),
    }


def test_forty_classes_stand_beside_the_two_hundred_of_the_paper():
    some, whole = (
        published_curves.values({**CIFAR10, "dataset": name})
        for name in ("tiny_imagenet_40", "tiny_imagenet")
    )
    assert some == whole != {}


def test_there_is_nothing_to_compare_with_for_other_networks():
    assert published_curves.values({**CIFAR10, "architecture": "mlp"}) == {}


def test_a_cell_says_the_difference_and_how_many_published_deviations_that_is():
    one = Study("13_learned_curves", "standard", CIFAR10, {})
    found = {"unaligned curve average": Summary(86.9, 0.2, 3)}
    rows = published_curves.cells({"TinyTen": one}, {"TinyTen": found})
    by_name = {row[1]: row for row in rows}
    assert len(rows) == 13  # nine cells of Table 1 and four of Table 2
    row = by_name["unaligned curve average"]
    assert row == ["TinyTen", row[1], "87.4 ± 0.1", "86.9 ± 0.2", "-0.5", "-5.0"]
    assert by_name["aligned curve average"][3:] == ["–", "–", "–"]


def test_a_deviation_that_was_rounded_away_gives_no_number_of_deviations():
    assert deviations(93.0, 92.7, 0.0) == "–"
    assert deviations(58.0, 58.5, 0.25) == "-2.0"
    assert deviations(58.499, 58.5, 0.25) == "+0.0"


def test_the_order_of_methods_is_compared_pair_by_pair_without_the_paper_s_ties():
    paper = {"a": 1.0, "b": 2.0, "c": 2.0, "d": 3.0}
    assert same_order(paper, paper) == (5, 5)
    assert same_order(paper, {"a": 5.0, "b": 1.0, "c": 6.0}) == (1, 2)
    assert same_order(paper, {}) == (0, 0)


@pytest.mark.parametrize(("rising", "order"), [(True, "b, a"), (False, "a, b")])
def test_the_best_comes_first(rising, order):
    assert best_to_worst({"a": 1.0, "b": 2.0}, rising=rising) == order


def test_a_ranking_has_a_row_for_each_statistic():
    here = Study("13_learned_curves", "standard", CIFAR10, {})
    found = {
        f"{kind} {what}": Summary(value, None, 1)
        for kind, value in (("unaligned", 1.0), ("aligned", 2.0))
        for what in published_curves.STATISTICS
    }
    rows = published_curves.ranking(
        {"x": here}, {"x": found}, learned_curves.KINDS, learned_curves.WORDS
    )
    assert [row[1] for row in rows] == list(published_curves.STATISTICS)
    assert rows[0][3:] == ["aligned, unaligned", "1 of 1"]
    assert rows[2][3:] == ["unaligned, aligned", "0 of 1"]  # a lower loss is better


def test_levels_of_a_part_of_the_classes_are_not_subtracted():
    config = {**CIFAR10, "dataset": "tiny_imagenet_40"}
    one = Study("13_learned_curves", "standard", config, {})
    found = {"aligned curve average": Summary(60.0, None, 1)}
    rows = {row[1]: row for row in published_curves.cells({"x": one}, {"x": found})}
    assert rows["aligned curve average"][2:] == ["34.4 ± 0.1 (200 classes)", "60.0", "–", "–"]


def test_what_the_paper_has_and_the_records_have_not_is_named():
    assert len(published_curves.unrecorded({})) == 9
    few = {"a": Study("13", "standard", CIFAR10, {})}
    few["b"] = Study("13", "standard", {**CIFAR10, "dataset": "tiny_imagenet_40"}, {})
    left = published_curves.unrecorded(few)
    assert len(left) == 8
    assert left[0] == "TinyTen on CIFAR-100"
    assert "TinyTen on CIFAR-10" not in left
    assert "TinyTen on Tiny ImageNet" in left  # 40 of its classes are another data set


def test_equal_methods_are_not_in_an_order():
    assert best_to_worst({"a": 1.0, "b": 2.0, "c": 2.0}, rising=True) == "b = c, a"
    assert same_order({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}) == (0, 1)
    assert same_order({"b": 2.0, "a": 1.0}, {"a": 1.0, "b": 1.0}) == (0, 1)
