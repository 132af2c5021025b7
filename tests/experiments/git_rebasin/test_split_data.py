"""Chapter 24: what it plans, what it says of its records, and when a statement fails."""

import pytest

from modeconn_lib.experiments.compared import compared
from modeconn_lib.experiments.git_rebasin import split_data
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from tests.figures import together

TEXTS = [claim.text for claim in split_data.statements(together.split())]


def held(**losses) -> list[bool]:
    return [claim.holds for claim in split_data.statements(together.split(**losses))]


def test_a_pair_has_two_networks_on_halves_and_one_on_all_data():
    plan = split_data.plan(setting(None, split_data.PROFILES, profile="smoke"))
    assert list(plan)[:10] == [
        "endpoint/0/A",
        "endpoint/0/B",
        "full/0",
        "along/0/naive/line",
        "matching/0/weights",
        "along/0/weights/line",
        "ensemble/0",
        "calibration/0",
        "endpoint/1/A",
        "endpoint/1/B",
    ]
    sides = [plan[f"endpoint/{pair}/{n}"].config["subset"] for pair in (0, 1) for n in "AB"]
    assert sides == [{"kind": "split", "side": side} for side in (0, 1)] * 2
    assert "subset" not in plan["full/0"].config
    wanted = ("endpoint/0/A", "endpoint/0/B", "matching/0/weights", "full/0")
    assert plan["calibration/0"].inputs == tuple(plan[name] for name in wanted)


def test_all_networks_are_trained_from_seeds_of_their_own_by_one_recipe():
    plan = split_data.plan(setting(None, split_data.PROFILES, profile="quick"))
    trained = [task for task in in_order(plan.values()) if task.step == "endpoint"]
    assert len({task.config["seed"] for task in trained}) == len(trained) == 6
    assert len({str(task.config["recipe"]) for task in trained}) == 1


def test_the_paper_profile_is_the_published_one():
    (numbers,) = split_data.PROFILES["paper"]
    assert (numbers.dataset, numbers.architecture) == ("cifar100", "resnet20_layernorm_x32")
    recipe = numbers.endpoint
    assert (recipe.epochs, recipe.schedule, recipe.weight_decay) == (250, "warmup_5", 1e-4)
    assert (recipe.learning_rate, numbers.batch_size, numbers.points) == (0.1, 100, 25)


def test_summaries_are_means_over_pairs_in_nats_and_percent():
    s = split_data.summaries(together.split(pairs=2))
    assert s["merged test loss"].mean == pytest.approx(0.45)
    assert s["A train accuracy"].mean == pytest.approx(100 * (0.75 + 0.7) / 2)
    assert s["full data test calibration error"].mean == pytest.approx(4)
    assert s["weights test barrier"].mean == pytest.approx(0.5)
    assert s["merged test loss"].n == 2


def test_every_statement_holds_where_it_is_so():
    assert held() == [True] * 6


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({"naive": 0.39}, [0]),
        ({"A": 0.39}, [1]),
        ({"B": 0.39}, [1]),
        ({"ensemble": 0.41}, [2]),
        ({"full data": 0.41}, [3]),
        ({"merged": 0.4, "A": 0.4}, [1]),
        ({"merged": 1.0}, [0, 1]),
    ],
    ids=str,
)
def test_a_statement_fails_where_a_loss_says_otherwise(changed, failing):
    assert [i for i, holds in enumerate(held(**changed)) if not holds] == failing


@pytest.mark.parametrize("input_network", ["A", "B"])
@pytest.mark.parametrize(("kind", "failing"), [("classwise ", 4), ("", 5)])
def test_both_calibration_errors_are_compared_with_both_inputs(
    monkeypatch, input_network, kind, failing
):
    errors = together.CLASSWISE if kind else together.ERROR
    monkeypatch.setitem(errors, input_network, errors["merged"] * 0.95)
    assert held() == [i != failing for i in range(6)]


def test_the_papers_calibration_is_that_of_every_class():
    claim = split_data.statements(together.split())[4]
    assert "Fig. 10" in claim.text
    assert claim.found == "merged 0.200 %, A 0.500 %, B 0.600 %"


def test_the_page_insists_on_the_naive_comparison_alone():
    (claim,) = split_data.claims(together.split())
    assert claim.text == TEXTS[0]
    assert claim.found == "merged 0.450, naive 0.950"


def test_the_scorecard_has_a_row_for_each_recorded_subject():
    built = {"this": together.split()}
    (row,) = split_data.scorecard(built, {})
    assert row["recorded"] == "not run"
    (row,) = split_data.scorecard(built, {"that": together.split(pairs=1, B=0.1)})
    assert "that" in row["claim"]
    assert "merged 0.400; ensemble 0.300; full data 0.200; classwise" in row["recorded"]
    assert row["recorded"].endswith("in percent: A 0.500, B 0.600, merged 0.200 (n = 1)")
    assert row["verdict"] == "5 of 6 claims hold"


def test_the_losses_of_every_subject_are_said():
    said = split_data.mergers({"one": together.split(pairs=1), "two": together.split(1, B=0.1)})
    assert (
        said == "one: 0.400 merged, 0.500 and 0.600 alone; two: 0.400 merged, 0.500 and 0.100 alone"
    )
    assert split_data.mergers({}) == "–"


def test_small_errors_have_digits_enough():
    whats = ("test calibration error", "test classwise calibration error")
    shown = {"one": together.split(pairs=1)}
    table = compared(shown, split_data.summaries, ["merged"], *whats, caption="c", name="tab-x")
    assert "| merged | 2.00 / 0.200 |" in table.text


def test_networks_are_rows_and_studies_columns():
    shown = {"one": together.split(pairs=1), "two": together.split()}
    names = ("merged", "stranger")
    table = compared(
        shown, split_data.summaries, names, "test loss", "test accuracy", caption="c", name="tab-x"
    )
    assert "| merged | 0.400 / 80.0 | 0.450 ± 0.071 / 77.5 ± 3.5 |" in table.text
    assert "| stranger | – / – | – / – |" in table.text
    assert table.text.startswith(":::{table} c\n:name: tab-x")
