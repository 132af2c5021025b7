"""Chapter 25: whom it merges, what it says of its records, and when a statement fails."""

from dataclasses import asdict, replace

import pytest

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.git_rebasin import merging_many
from modeconn_lib.experiments.parameters import parameters, setting, settings, subject_name
from modeconn_lib.experiments.protocols import PROTOCOL
from tests.figures import together


def subjects(profile, **given):
    return settings(None, parameters(profile=profile, **given), merging_many.PROFILES)


def test_few_networks_see_all_images_and_are_those_of_the_pairs():
    few, _ = subjects("smoke")
    plan = merging_many.plan(few)
    assert list(plan) == ["network/0", "network/1", "network/2", "merger/0"]
    wanted = [tasks.endpoint(few, *at).key for at in ((0, 0), (0, 1), (1, 0))]
    assert [plan[f"network/{i}"].key for i in range(3)] == wanted
    assert plan["merger/0"].inputs == tuple(plan[f"network/{i}"] for i in range(3))


def test_many_networks_see_a_random_half_of_their_own_each():
    _, many = subjects("smoke")
    plan = merging_many.plan(many)
    chosen = [plan[f"network/{i}"].config["subset"] for i in range(6)]
    assert {(of["kind"], of["share"]) for of in chosen} == {("random", 0.5)}
    assert len({of["seed"] for of in chosen}) == 6
    assert len({plan[f"network/{i}"].config["seed"] for i in range(6)}) == 6


@pytest.mark.parametrize(
    ("models", "pairs", "wanted"),
    [
        (5, 3, [range(5)]),
        (5, 5, [range(5), range(5, 10)]),
        (32, 16, [range(32)]),
        (5, 2, [range(4)]),
        (5, 1, [range(2)]),
    ],
)
def test_there_are_as_many_groups_as_the_pairs_hold(models, pairs, wanted):
    one = setting(None, merging_many.PROFILES, profile="smoke")
    numbers = replace(one.numbers, models=models, pairs=pairs)
    assert merging_many.groups(replace(one, numbers=numbers)) == wanted


def test_no_network_is_in_two_groups_and_each_group_has_a_seed():
    few, _ = subjects("standard")
    plan = merging_many.plan(few)
    first, second = (plan[f"merger/{group}"] for group in (0, 1))
    assert not {t.key for t in first.inputs} & {t.key for t in second.inputs}
    assert first.config["seed"] != second.config["seed"]


def names(profile, **given) -> list[str]:
    return [subject_name(one) for one in subjects(profile, **given)]


def test_subjects_of_one_network_and_data_set_have_names_of_their_own():
    assert names("standard") == [
        "MLP 3 × 512 on MNIST, 5 together",
        "MLP 3 × 512 on MNIST, 32 on halves",
    ]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [(1, ["2 together", "2 on halves"]), (2, ["4 together", "4 on halves"])],
)
def test_with_few_pairs_as_many_networks_are_named_as_are_merged(pairs, words):
    of = subjects("quick", pairs=pairs)
    assert [subject_name(one).partition(", ")[2] for one in of] == words
    for one in of:
        (group,) = merging_many.groups(one)
        assert len(group) == one.models == 2 * pairs
        assert PROTOCOL["networks merged"](asdict(one.numbers)) == str(2 * pairs)


def test_two_networks_of_the_second_subject_still_see_a_half_each():
    _, many = subjects("quick", pairs=1)
    plan = merging_many.plan(many)
    assert plan["network/1"].config["subset"]["share"] == 0.5
    usual = merging_many.plan(subjects("quick")[1])
    assert plan["network/1"].key == usual["network/1"].key


def test_another_data_set_is_put_into_both_subjects():
    for given in ({"dataset": "mnist"}, {"dataset": "mnist", "architecture": "mlp"}):
        assert names("quick", **given) == [
            "MLP 3 × 512 on MNIST, 5 together",
            "MLP 3 × 512 on MNIST, 6 on halves",
        ]


def test_the_paper_profile_is_the_published_one():
    five, many = merging_many.PROFILES["paper"]
    assert (five.models, many.models) == (5, 32)
    for numbers in (five, many):
        recipe = numbers.endpoint
        assert (recipe.epochs, recipe.optimiser, numbers.batch_size) == (100, "adam", 500)
        assert numbers.measure_examples == 60_000


def test_summaries_have_the_mean_and_the_best_of_the_networks():
    s = merging_many.summaries(together.many(groups=2))
    assert s["networks test loss"].mean == pytest.approx(0.7)
    assert s["best network test loss"].mean == pytest.approx(0.6)
    assert s["best network test accuracy"].mean == pytest.approx(70)
    assert s["merged test loss"].n == 2
    assert s["spread, % of the unaligned"].mean == 75
    assert s["sweeps"].mean == 3


def held(**changed) -> list[bool]:
    return [claim.holds for claim in merging_many.statements(together.many(**changed))]


def test_every_statement_holds_where_it_is_so():
    assert held() == held(groups=2) == [True] * 5


@pytest.mark.parametrize(
    ("changed", "failing"),
    [({"merged": 0.15}, [0, 1, 2]), ({"naive": 0.04}, [3]), ({"network_3": 0.04}, [0, 1, 2])],
    ids=str,
)
def test_a_statement_fails_where_one_network_says_otherwise(changed, failing):
    assert [i for i, holds in enumerate(held(**changed)) if not holds] == failing


@pytest.mark.parametrize(("kind", "failing"), [("classwise ", 1), ("", 2)])
def test_each_calibration_error_is_judged_by_itself(kind, failing):
    study = together.many()
    record = study["merger/0"]
    scalars = {**record.scalars, f"merged test {kind}calibration error": 0.9}
    broken = replace(study, records={"merger/0": replace(record, scalars=scalars)})
    found = [claim.holds for claim in merging_many.statements(broken)]
    assert found == [i != failing for i in range(5)]


def test_the_papers_calibration_is_that_of_every_class():
    claim = merging_many.statements(together.many())[1]
    assert "Fig. 12" in claim.text
    assert claim.found == "merged 0.0500 %, best network 0.100 %"


def test_the_page_says_whether_a_search_came_to_an_end():
    study = together.many(groups=2)
    stopped = _with(study["merger/1"], [4.0, 3.0, 2.5, 2.4])
    broken = replace(study, records={**study.records, "merger/1": stopped})
    assert merging_many.settled(study["merger/1"])
    assert not merging_many.settled(stopped)
    said = merging_many.sweeps({"few": broken, "one": study})
    assert said == (
        "few: 3 (settled) and 3 (stopped) of at most 10; "
        "one: 3 (settled) and 3 (settled) of at most 10"
    )
    assert merging_many.sweeps({}) == "–"


@pytest.mark.parametrize("distances", [[4.0, 5.0, 3.0], [4.0]])
def test_the_spread_has_to_fall_at_every_round(distances):
    study = together.many()
    record = study["merger/0"]
    broken = replace(study, records={"merger/0": _with(record, distances)})
    assert [claim.holds for claim in merging_many.claims(broken)] == [True, False]


def _with(record, distances):
    return type(record)(
        record.step,
        record.version,
        record.config,
        series={**record.series, "distances": distances},
        scalars=record.scalars,
    )


def test_table_2_has_the_papers_numbers_beside_those_of_five_networks():
    rows = merging_many.table(together.many(members=5), None, "test")
    assert rows[0] == ["seed 1", "0.1153 / 0.9856", "–", "0.1000 / 0.9500"]
    assert rows[5] == ["their mean", "0.1293 / 0.9860", "–", "0.3000 / 0.8500"]
    assert rows[6] == ["MergeMany", "0.0727 / 0.9831", "–", "0.0500 / 0.9750"]
    assert rows[8] == ["ensemble of logits", "–", "–", "0.0400 / 0.9800"]


def test_other_numbers_of_networks_are_not_put_beside_the_papers_five():
    rows = merging_many.table(together.many(members=3), together.many(members=32), "train")
    assert {cell for row in rows for cell in row[2:]} == {"–"}


def test_the_papers_decrease_depends_on_what_it_is_from():
    found = merging_many.decreases(together.many(), None)
    assert found["paper decrease from mean"] == "43.8"
    assert found["paper decrease from best"] == "34.4"
    assert found["build decrease from mean"] == "75.0"
    assert found["build decrease from best"] == "50.0"
    assert found["recorded decrease from best"] == "–"


def test_the_scorecard_has_a_row_for_each_recorded_subject():
    few, many = together.many(), together.many(members=32, merged=0.2)
    rows = merging_many.scorecard({"few": few}, {"few": few, "many": many})
    assert [row["claim"] for row in rows] == [
        "Table 2, few: test loss, nats",
        "Fig. 12, many: classwise calibration error, %",
    ]
    assert rows[0]["paper"] == "merged 0.0727, mean 0.1293, best 0.1108"
    assert "networks 0.2000; best network 0.1000; merged 0.0500" in rows[0]["recorded"]
    assert [row["verdict"] for row in rows] == [
        "reproduced: 5 of 5 claims hold",
        "2 of 5 claims hold",
    ]
    assert merging_many.scorecard({"few": few}, {})[0]["recorded"] == "not run"
