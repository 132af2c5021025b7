"""Chapter 28: modes beside a control, and what is claimed of each."""

import pytest

from modeconn_lib.experiments.git_rebasin import failure_modes, matching_methods
from modeconn_lib.experiments.git_rebasin.failure_modes import EARLY, NARROW
from modeconn_lib.experiments.parameters import parameters, settings, subject_name
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

SLOPES = {"naive_slope": 0.5, "weights_slope": 0.2, "steepest_slope": -2.0}


def line(name: str, barrier: float, middle: float) -> Record:
    series = {"t": [0.0, 0.5, 1.0], "test_accuracy": [0.9, middle, 0.8], "test_loss": [0.3] * 3}
    scalars = {
        "barrier_test": barrier,
        "barrier_train": barrier,
        "midpoint_accuracy": middle,
    }
    return Record("along", 1, {"name": name}, series=series, scalars=scalars)


def made_up(
    subject: str = "MLP on Little",
    left: float = 0.02,
    steep: float | None = None,
    worst: float = 0.85,
    **descent,
) -> Study:
    end = {"test_accuracy": 0.85, "test_loss": 0.3}
    low = {**end, "test_accuracy": worst}
    records = {
        "endpoint/0/A": Record("endpoint", 1, {"side": "A"}, scalars=low),
        "endpoint/0/B": Record("endpoint", 1, {"side": "B"}, scalars=end),
        "along/0/naive/line": line("naive", 1.0, 0.45),
        "along/0/weights/line": line("weights", left, 0.84),
    }
    if steep is not None:
        losses = descent.pop("losses", [0.1, 0.05, 0.3])
        records["matching/0/steepest"] = Record(
            "steepest", 1, {}, series={"steepest_loss": losses}, scalars=SLOPES | descent
        )
        records["along/0/steepest/line"] = line("steepest", steep, 0.3)
    return Study(failure_modes.CHAPTER.name, "quick", {"subject": subject}, records)


def holding(study: Study) -> list[bool]:
    return [claim.holds for claim in failure_modes.claims(study)]


@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_there_are_a_control_and_the_papers_five_modes(profile):
    subjects = settings(None, parameters(profile=profile), failure_modes.PROFILES)
    names = [subject_name(one) for one in subjects]
    assert len(set(names)) == 6
    assert names[1:] == [
        NARROW,
        EARLY,
        failure_modes.VGG,
        failure_modes.SLOW,
        failure_modes.FAST,
    ]
    assert [one.numbers.claims for one in subjects] == [True] + [False] * 5


@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_the_control_is_that_of_chapter_21(profile):
    mine, others = (
        chapter.plan(settings(None, parameters(profile=profile), chapter.PROFILES)[0])
        for chapter in (failure_modes, matching_methods)
    )
    for name in mine:
        if "steepest" not in name:
            assert mine[name].key == others[name].key


def test_steepest_descent_is_tried_where_nothing_fails_and_where_the_loss_is_steep():
    subjects = settings(None, parameters(profile="quick"), failure_modes.PROFILES)
    tried = [
        subject_name(one)
        for one in subjects
        if any("steepest" in label for label in failure_modes.plan(one))
    ]
    assert tried == [subject_name(subjects[0]), EARLY]


def test_a_descent_is_measured_from_both_ends_and_beside_the_matching():
    first = settings(None, parameters(profile="smoke"), failure_modes.PROFILES)[0]
    plan = failure_modes.plan(first)
    a, b, matched = plan["matching/0/steepest"].inputs
    assert (a, b) == (plan["endpoint/0/A"], plan["endpoint/0/B"])
    assert matched == plan["matching/0/weights"]
    assert plan["along/0/steepest/line"].inputs[2] == plan["matching/0/steepest"]


def test_a_control_must_merge_and_a_mode_must_not():
    assert holding(made_up(left=0.02)) == [True]
    assert holding(made_up(left=0.2)) == [False]
    assert holding(made_up(NARROW, left=0.2)) == [True]
    assert holding(made_up(NARROW, left=0.02)) == [False]


def test_what_is_claimed_of_a_descent_rests_on_slope_fall_and_barrier():
    assert holding(made_up(steep=3.0)) == [True] * 4
    assert holding(made_up(steep=3.0, steepest_slope=0.3)) == [True, False, True, True]
    assert holding(made_up(steep=3.0, losses=[0.1, 0.2])) == [True, True, False, True]
    assert holding(made_up(steep=0.01)) == [True, True, True, False]


def test_what_is_lost_is_counted_from_the_mean_of_both_ends():
    study = made_up()
    assert failure_modes.drop(study, "naive") == pytest.approx(40.0)
    assert failure_modes.drop(study, "weights") == pytest.approx(1.0)


def test_the_table_and_the_words_say_which_modes_fail():
    shown = {"control": made_up(), NARROW: made_up(NARROW, left=0.2), EARLY: made_up(EARLY)}
    rows = failure_modes.table(shown)
    assert [row[-1] for row in rows] == ["does not fail", "fails", "does not fail"]
    assert all(len(row) == len(failure_modes.COLUMNS) for row in rows)
    assert rows[0][1:6] == ["85.0 ± 0.0", "1.000", "0.020", "0.000", "1.0"]
    assert failure_modes.failing(shown) == "1 of 2 modes (too narrow)"
    assert failure_modes.failing({EARLY: made_up(EARLY)}) == "0 of 1 modes (none)"
    assert failure_modes.failing({}) == "–"


def test_the_scorecard_has_a_row_for_each_study():
    shown = {"control": made_up(), NARROW: made_up(NARROW)}
    rows = failure_modes.scorecard(shown, {})
    assert [row["paper"] for row in rows] == ["–", "matching fails"]
    assert [row["verdict"] for row in rows] == [
        "reproduced: 1 of 1 claims hold",
        "0 of 1 claims hold",
    ]
    assert {row["recorded"] for row in rows} == {"not run"}
    assert "weights 0.020" in failure_modes.scorecard({}, shown)[0]["recorded"]


@pytest.mark.parametrize("left", [0.02, 0.5])
@pytest.mark.parametrize("subject", ["MLP on Little", NARROW])
def test_networks_that_did_not_train_bear_nothing_out(subject, left):
    study = made_up(subject, left=left, worst=0.117)
    (claim,) = failure_modes.claims(study)
    assert not claim.holds
    assert "11.7 %" in claim.found
    assert failure_modes.outcome(study) == "did not train"
    assert failure_modes.failing({NARROW: study}) in ("0 of 1 modes (none)", "–")
