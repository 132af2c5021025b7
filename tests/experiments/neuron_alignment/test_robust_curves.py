"""Robust curves: what is computed for the page, and what it says of the records."""

from dataclasses import asdict, replace

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.neuron_alignment import robust_curves, robust_numbers, robust_tasks
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

GOOD = {  # clean accuracy, robust accuracy, robust loss; at A, half-way and B
    "unaligned": ([0.60, 0.50, 0.62], [0.40, 0.30, 0.42], [1.0, 1.5, 1.2]),
    "aligned": ([0.60, 0.66, 0.62], [0.40, 0.44, 0.42], [1.0, 1.1, 1.2]),
}
CHECK = {"clean": 0.6, "own": 0.4, "apgd_ce": 0.39, "apgd_dlr": 0.38, "square": 0.37}


def along(accuracy, robust, loss):
    """A path measured so with clean statistics; with attacked ones, all is 0.1 higher."""
    series, scalars = {"t": [0.0, 0.5, 1.0]}, {}
    for kind, more in (("clean", 0.0), ("attacked", 0.1)):
        for name, values in (
            ("accuracy", accuracy),
            ("robust_accuracy", robust),
            ("robust_loss", loss),
        ):
            series[f"{kind} {name}"] = [value + more for value in values]
        scalars[f"{kind} robust_barrier"] = max(loss) - (loss[0] + loss[-1]) / 2
        scalars[f"{kind} barrier"] = 0.25
    return Record("robust_along", 1, {"series": series}, series=series, scalars=scalars)


def values_at(share, points):
    """A share of images at every t; the aligned network half-way has 0.02 more."""
    return [share] * points if points == 3 or not share else [share + 0.02]


def checked(points, **changed):
    shares = {**CHECK, "own alone": 0.0, **changed}
    series = {
        "t": [0.0, 0.5, 1.0] if points == 3 else [0.5],
        **{name: values_at(share, points) for name, share in shares.items()},
    }
    return Record("robust_check", 1, {"series": series, "examples": 500}, series=series)


def study(*pairs, dataset="fashion_mnist_small", **check):
    records = {}
    for pair, kinds in enumerate(pairs or (GOOD,)):
        for kind, values in kinds.items():
            records[f"along/{pair}/{kind}/curve"] = along(*values)
            points = 3 if kind == "unaligned" else 1
            records[f"check/{pair}/{kind}"] = checked(points, **check)
    numbers = replace(
        robust_curves.PROFILES["smoke"][0],
        dataset=dataset,
        pairs=len(pairs) or 1,
        test_examples=10_000,
    )
    config = {**asdict(numbers), "insists": False}
    return Study(robust_curves.CHAPTER.name, "smoke", config, records)


def held(found):
    return [claim.holds for claim in robust_curves.claims(found)]


def test_the_plan_has_both_curves_measured_and_checked():
    wanted = setting(None, robust_curves.PROFILES, profile="smoke", pairs=2)
    plan = robust_curves.plan(wanted)
    assert [name for name in plan if name.startswith(("endpoint", "alignment", "curve"))][:5] == [
        "endpoint/0/A",
        "endpoint/0/B",
        "alignment/0",
        "curve/0/unaligned",
        "curve/0/aligned",
    ]
    assert len(plan) == 2 * 9
    assert len({task.key for task in plan.values()}) == len(in_order(plan.values())) == 18
    ends = (plan["endpoint/1/A"], plan["endpoint/1/B"])
    assert plan["curve/1/unaligned"].inputs == ends
    assert plan["curve/1/aligned"].inputs == (*ends, plan["alignment/1"])
    assert plan["along/1/aligned/curve"].inputs == (
        *ends,
        plan["alignment/1"],
        plan["curve/1/aligned"],
    )
    assert plan["check/1/unaligned"].inputs == (*ends, plan["curve/1/unaligned"])


def test_a_pair_sees_the_same_batches_and_t_on_both_curves_and_no_other_pair_does():
    wanted = setting(None, robust_curves.PROFILES, profile="smoke", pairs=2)
    plan = robust_curves.plan(wanted)
    seeds = {name: t.config["seed"] for name, t in plan.items() if name.startswith("curve")}
    assert seeds["curve/0/unaligned"] == seeds["curve/0/aligned"] != seeds["curve/1/aligned"]


def test_alignment_looks_at_clean_images_with_the_step_of_all_chapters():
    wanted = setting(None, robust_curves.PROFILES, profile="smoke")
    task = robust_tasks.robust_alignment(wanted, 0)
    assert task.step == "alignment"
    assert "attack" not in task.config
    assert [needed.step for needed in task.inputs] == ["robust_endpoint"] * 2


@pytest.mark.parametrize("name", robust_curves.PROFILES)
def test_every_profile_attacks_raw_pixels_and_can_cross_its_ball(name):
    for numbers in robust_curves.PROFILES[name]:
        assert numbers.augmentation.endswith("_raw")
        assert numbers.attack.random_start
        assert numbers.attack.steps * numbers.attack.step >= numbers.attack.epsilon
        assert numbers.points % 2 == 1  # the middle of the curve is among them
        assert numbers.curve.weight_decay == 0
        architecture(numbers.architecture)


def test_the_paper_profile_is_the_published_protocol():
    for numbers in robust_curves.PROFILES["paper"]:
        tiny = numbers.dataset == "tiny_imagenet"
        attack = numbers.attack
        assert attack.steps == 5
        assert (255 * attack.epsilon, 255 * attack.step) == ((4, 1) if tiny else (8, 2))
        assert (numbers.endpoint.epochs, numbers.endpoint.schedule) == (200, "garipov")
        stopped = numbers.architecture == "googlenet"
        assert numbers.curve.epochs == (20 if stopped else 200)
        assert numbers.curve.learning_rate == numbers.endpoint.learning_rate == 0.1


def test_normalised_pixels_are_refused():
    wanted = setting(None, robust_curves.PROFILES, profile="smoke")
    wrong = replace(wanted, numbers=replace(wanted.numbers, augmentation="shift_flip"))
    with pytest.raises(Refusal, match=r"'shift_flip' normalises them; use one .* _raw"):
        robust_curves.plan(wrong)


def test_numbers_are_means_over_pairs_in_percent_and_nats():
    worse = {k: ([a - 0.1 for a in c], r, x) for k, (c, r, x) in GOOD.items()}
    found = robust_numbers.summaries(study(GOOD, worse))
    assert found["endpoint accuracy, clean statistics"].mean == pytest.approx(56)
    assert found["unaligned midpoint accuracy, clean statistics"].mean == pytest.approx(45)
    assert found["unaligned midpoint accuracy, attacked statistics"].mean == pytest.approx(55)
    assert found["aligned midpoint robust gain, clean statistics"].mean == pytest.approx(3)
    assert found["unaligned midpoint gain, clean statistics"].mean == pytest.approx(-11)
    assert found["unaligned minimum robust accuracy, clean statistics"].mean == pytest.approx(30)
    barrier = found["unaligned robust barrier, attacked statistics"]
    assert (barrier.mean, barrier.n) == (pytest.approx(0.4), 2)
    assert found["aligned barrier, clean statistics"].mean == 0.25


def test_every_sentence_holds_where_alignment_helps():
    assert held(study()) == [True] * 14


def changed(kind, which, values):
    series = list(GOOD[kind])
    series[which] = values
    return {**GOOD, kind: tuple(series)}


@pytest.mark.parametrize(
    ("failing", "pair"),
    [
        ({0}, changed("aligned", 2, [1.0, 1.6, 1.2])),
        ({1, 3, 4}, changed("aligned", 0, [0.60, 0.45, 0.62])),
        ({2, 3, 4}, changed("aligned", 1, [0.40, 0.25, 0.42])),
        ({3, 4}, changed("aligned", 1, [0.40, 0.42, 0.42])),
        ({5}, changed("unaligned", 1, [0.40, 0.43, 0.42])),
        ({5}, changed("unaligned", 0, [0.60, 0.63, 0.62])),
    ],
)
def test_each_sentence_of_the_paper_can_fail_and_is_counted(failing, pair):
    found = study(pair)
    both = failing | {i + 6 for i in failing}
    assert held(found) == [i not in both for i in range(14)]
    assert not any(claim.insisted for claim in robust_curves.claims(found)[:-1])
    insists = replace(found, config={**found.config, "insists": True})
    check_claims(insists, robust_curves.claims(insists))


def test_a_better_network_has_to_be_better_in_every_pair():
    found = study(GOOD, changed("aligned", 1, [0.40, 0.42, 0.42]))
    claim = robust_curves.claims(found)[3]
    assert not claim.holds
    assert claim.found == "by +0.00 points of percent, the sampling error is 0.49; n = 2"


def test_a_better_network_has_to_be_so_by_more_than_the_images_sampling_error():
    pair = changed("aligned", 1, [0.40, 0.4245, 0.42])  # the error: sqrt(0.61 * 0.39 / 10,000)
    assert not robust_curves.claims(study(pair))[3].holds
    assert robust_curves.claims(study(changed("aligned", 1, [0.40, 0.4255, 0.42])))[3].holds


def test_a_better_network_elsewhere_is_none_half_way():
    values = ([0.6, 0.7, 0.6, 0.5, 0.6], [0.4, 0.5, 0.4, 0.4, 0.4], [1.0] * 5)
    found = robust_curves.claims(study({**GOOD, "aligned": values}))
    assert [claim.holds for claim in found[3:5]] == [True, False]


def test_one_network_must_be_better_at_both_tasks():
    """Here one is more accurate, and another more robust."""
    values = ([0.6, 0.7, 0.5, 0.6], [0.4, 0.3, 0.5, 0.4], [1.0] * 4)
    (found,) = robust_numbers.margins(study({**GOOD, "aligned": values}), "aligned", "clean")
    assert found == pytest.approx([-0.1, -0.1])


def test_a_page_is_not_built_where_ours_is_the_stronger_attack():
    found = study(square=0.41)
    assert held(found) == [True] * 13 + [False]
    insists = replace(found, config={**found.config, "insists": True})
    with pytest.raises(AssertionError, match="leave no more images correctly classified"):
        check_claims(insists, robust_curves.claims(insists))


def test_the_check_is_shown_for_both_ends_and_both_middles():
    rows = robust_numbers.checks(study())
    assert [row[0] for row in rows] == ["A", "half-way, unaligned", "half-way, aligned", "B"]
    assert rows[0] == ["A", "60.0", "40.0", "39.0", "38.0", "37.0", "0.0"]
    assert rows[2][5] == "39.0"
    assert all(len(row) == len(robust_numbers.CHECK_COLUMNS) for row in rows)


def test_what_is_gained_half_way_is_judged_by_the_others_attacks_too():
    found = study()
    found.records["check/0/aligned"].series["square"][0] = CHECK["square"] - 0.01
    claim = robust_curves.claims(found)[12]
    assert (claim.holds, claim.insisted) == (False, False)
    assert claim.found == "37.0 % against 36.0 % of 500 images"
    assert held(found).count(False) == 1
    name = "midpoint accuracy, all attacks of others"
    said = robust_numbers.summaries(found)
    assert said[f"unaligned {name}"].mean == pytest.approx(37)
    assert said[f"aligned {name}"].mean == pytest.approx(36)


def test_the_attack_is_said_of_the_paper_the_record_and_this_build():
    said = robust_curves.attacks({"here": study()}, {})
    assert said["paper attack"] == "radius 8/255, 5 steps of 2/255, random start"
    assert said["recorded attack"] == "–"
    assert said["build attack"] == "radius 16/255, 1 step of 16/255, random start"
    assert robust_curves.attacks({}, {"here": study()})["recorded attack"] == said["build attack"]


def test_the_scorecard_says_barriers_and_gains():
    (row,) = robust_curves.scorecard({"here": study()}, {"here": study(GOOD, GOOD)})
    assert row["recorded"] == (
        "unaligned 0.400 ± 0.000, -11.0 clean, -11.0 robust; "
        "aligned 0.100 ± 0.000, +5.0 clean, +3.0 robust (n = 2)"
    )
    assert row["build"].endswith("(n = 1)")
    assert row["verdict"] == "reproduced: 14 of 14 claims hold"
    (row,) = robust_curves.scorecard({"here": study(dataset="cifar100")}, {})
    assert row["recorded"] == "not run"
    assert "+5.3 clean and +1.3 robust" in row["paper"]
