"""The barrier by epoch: what is computed for it, and what the page says of the records."""

from dataclasses import asdict, replace

import pytest

from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.git_rebasin import onset
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

EPOCHS = (0, 1, 5, 9)
FALLS = {"naive": [0.02, 1.5, 1.6, 1.4], "weights": [0.02, 1.0, 0.5, 0.1]}


def onsets(barriers: dict[str, list[float]]) -> Record:
    """A pair with these test barriers; its lines have ends of loss 0.4 and 0.6 and one middle.

    On training images every barrier is higher by 1.1 nats. Of the test images A classifies a
    tenth more each epoch kept, B as many less a fifth.
    """
    series: dict = {"epochs": list(EPOCHS)}
    for method, test in barriers.items():
        series |= {
            f"{method}_test_barrier": test,
            f"{method}_train_barrier": [b + 1.1 for b in test],
            f"{method}_test_loss": [[0.4, 0.5 + b, 0.6] for b in test],
            f"{method}_test_accuracy": [[0.1 * (i + 1), 0.0, 0.1 * (i - 1)] for i in range(4)],
        }
    return Record("onset", 1, {"series": series}, series=series)


def study(pairs: list[dict[str, list[float]]], dataset: str = "little") -> Study:
    config = {**asdict(onset.PROFILES["smoke"][0]), "dataset": dataset, "insists": False}
    records = {f"onset/{pair}": onsets(barriers) for pair, barriers in enumerate(pairs)}
    return Study(onset.CHAPTER.name, "smoke", config, records)


def held(found: Study) -> list[bool]:
    return [claim.holds for claim in onset.claims(found)]


def test_both_networks_are_kept_and_then_followed():
    wanted = setting(None, onset.PROFILES, profile="smoke", pairs=2)
    plan = onset.plan(wanted)
    names = [f"{kind}/{pair}" for pair in (0, 1) for kind in ("snapshots", "onset")]
    assert list(plan) == [
        n for name in names for n in ([f"{name}/A", f"{name}/B"] if "snap" in name else [name])
    ]
    followed = plan["onset/1"]
    assert followed.inputs == (plan["snapshots/1/A"], plan["snapshots/1/B"])
    assert len({task.key for task in plan.values()}) == len(in_order(plan.values())) == 6


def test_the_number_of_points_does_not_change_the_networks():
    wanted = setting(None, onset.PROFILES, profile="smoke")
    finer = replace(wanted, numbers=replace(wanted.numbers, points=7))
    before, after = onset.plan(wanted), onset.plan(finer)
    changed = {name for name, task in before.items() if task.key != after[name].key}
    assert changed == {name for name in before if name.startswith("onset/")}


@pytest.mark.parametrize("name", onset.PROFILES)
def test_every_profile_looks_before_training_and_after_the_last_epoch_it_keeps(name):
    for numbers in onset.PROFILES[name]:
        assert numbers.epochs[0] == 0
        assert list(numbers.epochs) == sorted(set(numbers.epochs))
        assert numbers.epochs[-1] <= numbers.endpoint.epochs
        assert len(numbers.epochs) > 1


def test_only_a_constant_rate_is_stopped_at_the_last_epoch_of_the_paper():
    for numbers in onset.PROFILES["paper"]:
        stopped = numbers.endpoint.epochs == numbers.epochs[-1]
        assert stopped == (numbers.endpoint.schedule == "constant")


def test_numbers_are_those_of_three_moments_over_pairs():
    found = onset.summaries(study([FALLS, {k: [b + 0.2 for b in v] for k, v in FALLS.items()}]))
    barrier = found["weights test barrier after the first epoch"]
    assert (barrier.mean, barrier.n) == (pytest.approx(1.1), 2)
    assert found["naive test barrier after the last epoch kept"].mean == pytest.approx(1.5)
    assert found["naive train barrier before training"].mean == pytest.approx(0.02 + 0.1 + 1.1)
    assert found["endpoint accuracy after the last epoch kept"].mean == pytest.approx(30.0)


def test_the_excess_is_measured_from_the_chord():
    found = onset.summaries(study([FALLS]))
    assert found["weights test excess loss after the first epoch"].mean == pytest.approx(1.0)


def test_every_epoch_has_its_barrier():
    assert {e: s.mean for e, s in onset.by_epoch(study([FALLS]), "weights").items()} == dict(
        zip(EPOCHS, FALLS["weights"], strict=True)
    )


def test_claims_hold_where_training_brings_the_networks_together():
    assert held(study([FALLS])) == [True] * 5


@pytest.mark.parametrize(
    ("which", "changed"),
    [
        (0, {"naive": [0.2, 1.5, 1.6, 1.4]}),
        (0, {"weights": [0.2, 1.0, 0.5, 0.1]}),
        (1, {"weights": [0.02, 1.0, 1.7, 0.1]}),
        (2, {"weights": [0.02, 0.1, 0.5, 0.3]}),
        (3, {"weights": [0.02, 1.0, 0.9, 0.8]}),
        (4, {"weights": [0.02, 1.0, 0.05, 0.1]}),
    ],
)
def test_each_claim_can_fail_alone(which, changed):
    # A barrier that is higher at the end than after the first epoch is not lowest at the end.
    failing = {which, 4} if which == 2 else {which}
    assert held(study([FALLS | changed])) == [i not in failing for i in range(5)]


RISES = FALLS | {"weights": [0.01, 1.0, 0.05, 0.1]}


def test_a_barrier_that_rises_at_the_end_is_counted_and_not_insisted_on():
    found = study([RISES])
    *_, last = onset.claims(found)
    assert (last.holds, last.insisted) == (False, False)
    assert last.found == "0.050 nats after epoch 5, 0.100 nats after epoch 9"
    assert all(claim.insisted for claim in onset.claims(found)[:-1])
    insists = replace(found, config={**found.config, "insists": True})
    check_claims(insists, onset.claims(insists))
    (row,) = onset.scorecard({}, {"there": found})
    assert row["verdict"] == "4 of 5 claims hold"
    assert "lowest 0.050 after epoch 5 (n = 1)" in row["recorded"]


def test_the_mean_over_pairs_decides_where_a_barrier_is_lowest():
    assert onset.lowest(study([RISES])) == (5, 9)
    assert onset.lowest(study([RISES, FALLS])) == (9, 9)


def test_the_course_of_every_subject_is_said():
    said = onset.courses({"falling": study([FALLS]), "rising": study([RISES])})
    assert said == (
        "falling: lowest after epoch 9, 0.100 nats, the last kept; "
        "rising: lowest after epoch 5, 0.050 nats, and 0.100 nats after epoch 9, the last kept"
    )
    assert onset.courses({}) == "–"


def test_the_scorecard_says_barriers_and_pairs_of_what_is_recorded():
    (row,) = onset.scorecard({"here": study([FALLS])}, {"there": study([FALLS] * 2, "mnist")})
    assert "there" in row["claim"]
    assert row["recorded"] == (
        "naive 1.500 ± 0.000 to 1.400 ± 0.000; weights 1.000 ± 0.000 to 0.100 ± 0.000 (n = 2)"
    )
    assert row["paper"] == onset.PAPER["mnist"]
    assert row["verdict"] == "reproduced: 5 of 5 claims hold"


def test_nothing_recorded_is_said_to_be_so():
    (row,) = onset.scorecard({"here": study([FALLS])}, {})
    assert row["recorded"] == "not run"
    assert row["paper"] == onset.SAID
