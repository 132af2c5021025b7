"""Costs of matching: what is computed for them, and what the page says of the records."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.neuron_alignment import (
    alignment_costs,
    cost_pages,
    cost_readings,
    cost_tasks,
    learned_curves,
)
from modeconn_lib.experiments.neuron_alignment.alignment_costs import COSTS
from modeconn_lib.experiments.neuron_alignment.cost_readings import MATCHED, WORDS
from modeconn_lib.experiments.parameters import setting, settings
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

RESULTS = Path(__file__).resolve().parents[3] / "data" / "results"
AVERAGE = {"unaligned": 0.5, "aligned": 0.9, "correlation_pre": 0.8, "l2_post": 0.7, "l2_pre": 0.6}
COST, PRE = 0.4, 0.5


def made_up(
    *,
    curves: bool = True,
    pairs: int = 2,
    same: float = 1.0,
    lost: float = 0.0,
    multiplier: float = 0.0,
    gap: float = 0.0,
    insists: bool = False,
    middle: float = 0.7,
    **average: float,
) -> Study:
    """Pair p adds p hundredths to accuracies; two layers of 4 and 12 units.

    Half-way on the line the unaligned have 0.2, those within the budget `middle`, others 0.7.
    """
    records = {}
    for pair in range(pairs):
        more = pair / 100
        for side in "AB":
            records[f"endpoint/{pair}/{side}"] = of("endpoint", {}, test_accuracy=0.95 + more)
        for name, value in {**AVERAGE, "constrained": 0.7, **average}.items():
            half_way = {"unaligned": 0.2, "constrained": middle}.get(name, 0.7) + more
            line = {"midpoint_accuracy": half_way, "barrier_test": 1 - value}
            records[f"along/{pair}/{name}/line"] = of("along", {}, **line)
            if curves and name != "constrained":
                numbers = {"average_accuracy_arc": value + more, "minimum_accuracy": value - 0.1}
                records[f"along/{pair}/{name}/curve"] = of("along", {}, **numbers)
                records[f"curve/{pair}/{name}"] = of("curve", {}, train_loss=2 - value)
        records[f"costs/{pair}"] = of("costs", judged())
        records[f"constrained/{pair}"] = of("constrained", bounded(multiplier, gap))
        records[f"subsets/{pair}"] = fewer(same, lost)
    config = {**asdict(alignment_costs.PROFILES["smoke"][0]), "insists": insists}
    return Study(alignment_costs.CHAPTER.name, "quick", config, records)


def of(step: str, series: dict, **scalars: float) -> Record:
    return Record(step, 1, {"series": series}, series=series, scalars=scalars)


def judged() -> dict:
    """Every matching leaves half of the first layer's distance and a quarter of the second's."""
    out: dict = {"group": ["one", "two"], "units": [4, 12]}
    for name in WORDS:
        for stage in ("post", "pre"):
            out[f"{name}/correlation/{stage}"] = [0.2, 0.4] if name == "unaligned" else [0.6, 0.8]
            out[f"{name}/l2/{stage}"] = [2.0, 8.0] if name == "unaligned" else [1.0, 2.0]
        if name != "unaligned":
            out[f"{name}/same"] = [1.0, 0.5]
    return out


def bounded(multiplier: float, gap: float) -> dict:
    return {
        "multiplier": [0.0, multiplier],
        "cost": [COST, COST],
        "gap": [0.0, 0.0],
        "pre_cost": [PRE, PRE],
        "budget": [1.0, 2.0],
        "tight_cost": [[COST, COST]] * 2,
        "tight_gap": [[0.0, 0.0], [0.0, gap]],
    }


def fewer(same: float, lost: float) -> Record:
    """Matching all images gains 0.5 in both layers; half of them lose `lost` of that in one."""
    series = {
        "examples": [5, 10],
        "units": [4, 12],
        "unaligned/worth": [0.1, 0.1],
        "5/worth": [0.6, 0.6 - 0.5 * lost],
        "10/worth": [0.6, 0.6],
    }
    return of("subsets", series, **{"same 5": same, "same 10": 1.0})


def verdicts(study: Study) -> dict[str, bool]:
    return {claim.text: claim.holds for claim in alignment_costs.claims(study)}


def only_failing(study: Study) -> str:
    (text,) = [text for text, holds in verdicts(study).items() if not holds]
    return text


@pytest.mark.parametrize("kind", ["alignment", "curve", "along"])
def test_what_is_recorded_already_is_found_again(kind, monkeypatch):
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    wanted = setting(None, alignment_costs.PROFILES, profile="standard")
    assert (wanted.dataset.name, wanted.architecture) == ("cifar10", "tinyten")
    mine = {
        "alignment": [tasks.alignment(wanted, pair) for pair in range(3)],
        "curve": [tasks.curve(wanted, p, aligned=a) for p in range(3) for a in (False, True)],
        "along": [
            tasks.along(wanted, pair, aligned=aligned, learned=learned)
            for pair in range(3)
            for aligned in (False, True)
            for learned in (False, True)
        ],
    }[kind]
    for task in mine:
        record = json.loads((RESULTS / kind / f"{task.key[:16]}.json").read_text())
        assert (record["key"], record["step"]) == (task.key, kind)


def test_networks_and_the_two_usual_kinds_are_shared_with_the_chapter_on_curves(tiny):
    here, there = alignment_costs.plan(tiny), learned_curves.plan(tiny)
    assert here["alignment/0/aligned"].key == there["alignment/0"].key
    for name in ("unaligned", "aligned"):
        for what in (f"curve/0/{name}", f"along/0/{name}/line", f"along/0/{name}/curve"):
            assert here[what].key == there[what].key, what


def test_every_cost_has_its_own_matching_line_and_curve(tiny):
    plan = alignment_costs.plan(tiny)
    for name, (similarity, stage) in COSTS.items():
        matched = plan[f"alignment/0/{name}"]
        assert (matched.config["similarity"], matched.config["stage"]) == (similarity, stage)
        assert plan[f"curve/0/{name}"].inputs[2] == matched
        assert plan[f"along/0/{name}/line"].inputs[2] == matched
        assert plan[f"along/0/{name}/curve"].inputs[2:] == (matched, plan[f"curve/0/{name}"])
    assert plan["along/0/constrained/line"].inputs[2] == plan["constrained/0"]
    assert "curve/0/constrained" not in plan
    found = in_order(plan.values())
    assert len({task.key for task in found}) == len(found) == len({task.label for task in found})


def test_all_matchings_of_a_pair_are_judged_together(tiny):
    plan = alignment_costs.plan(tiny)
    judge = plan["costs/0"]
    assert judge.config["names"] == list(MATCHED)
    assert judge.inputs[2:] == (
        *(plan[f"alignment/0/{name}"] for name in COSTS),
        plan["constrained/0"],
    )


def test_a_profile_without_curves_measures_lines_only(tiny):
    plan = alignment_costs.plan(replace(tiny, numbers=replace(tiny.numbers, curve=None)))
    assert not [name for name in plan if "curve" in name]
    assert len([name for name in plan if name.endswith("/line")]) == len(WORDS)


def test_the_images_of_the_comparison_are_a_quarter_half_and_all():
    wanted = setting(None, alignment_costs.PROFILES, profile="paper", dataset="cifar100")
    assert cost_tasks.subsets(wanted, 0).config["examples"] == [2_500, 5_000, 10_000]


@pytest.mark.parametrize("name", alignment_costs.PROFILES)
def test_every_profile_has_tinyten(name):
    for one in alignment_costs.PROFILES[name]:
        assert one.architecture == "tinyten"


def test_the_paper_s_three_data_sets_are_at_its_protocol():
    names = [p.dataset for p in alignment_costs.PROFILES["paper"]]
    assert names == ["cifar10", "cifar100", "tiny_imagenet"]


def test_the_whole_chapter_runs_and_says_what_it_found(tiny, store, monkeypatch):
    monkeypatch.setattr(cost_tasks, "SHARES", (0.25, 0.75))
    plan = alignment_costs.plan(tiny)
    records = run(plan, store, Options(jobs=1))
    found = Study("12", "tiny", {**asdict(tiny.numbers), "insists": False}, records)
    bound = records["constrained/0"].series
    assert all(0 <= gap <= 1e-9 for gap in bound["gap"])
    for i, budget in enumerate(bound["budget"]):
        assert bound["pre_cost"][i] <= budget
        assert bound["cost"][i] <= bound["identity_cost"][i] + 1e-12 or bound["multiplier"][i] > 0
        # The tighter the budget the dearer, and none undercuts the match without a budget.
        tight = bound["tight_cost"][i]
        assert tight == sorted(tight, reverse=True)
        assert tight[-1] >= bound["cost"][i] - 1e-12
    shares = records["subsets/0"].series
    assert shares["32/same"] == [1.0, 1.0]
    assert all(a <= b + 1e-12 for a, b in zip(shares["8/worth"], shares["32/worth"], strict=True))
    judge = records["costs/0"].series
    assert judge["aligned/same"] == [1.0, 1.0]
    # Of two matchings each is the better one by its own measure, on the images that it saw.
    assert judge["unaligned/l2/post"] > judge["l2_post/l2/post"]
    assert cost_readings.diagnostics(found)["unaligned"]["l2/pre"].mean == pytest.approx(100)
    assert alignment_costs.scorecard({"here": found}, {})[0]["recorded"] == "not run"


def test_where_the_budget_does_not_bind_the_match_is_that_of_l2_post(tiny, store, monkeypatch):
    monkeypatch.setattr(cost_tasks, "SHARES", ())
    plan = alignment_costs.plan(tiny)
    wanted = {name: plan[name] for name in ("alignment/0/l2_post", "constrained/0")}
    records = run(wanted, store, Options(jobs=1))
    free, bound = (store.tensors(record) for record in records.values())
    groups, multipliers = (records["constrained/0"].series[k] for k in ("group", "multiplier"))
    loose = [g for g, m in zip(groups, multipliers, strict=True) if m == 0]
    assert loose
    assert all(torch.equal(free[g], bound[g]) for g in loose)


def test_numbers_are_means_over_pairs():
    s = cost_readings.summaries(made_up())
    assert (s["aligned curve average"].mean, s["aligned curve average"].n) == (90.5, 2)
    assert s["l2_pre line midpoint"].mean == pytest.approx(70.5)
    assert s["l2_post curve train loss"].mean == pytest.approx(1.3)
    assert "constrained curve average" not in s
    assert "aligned curve average" not in cost_readings.summaries(made_up(curves=False))


def test_costs_are_shares_of_the_unaligned_ones_layer_by_layer():
    found = cost_readings.diagnostics(made_up())
    assert found["l2_pre"]["l2/post"].mean == pytest.approx(100 * (1 / 2 + 1 / 4) / 2)
    assert found["l2_pre"]["correlation/pre"].mean == pytest.approx(0.7)
    assert found["l2_pre"]["same"].mean == pytest.approx(75)
    assert "same" not in found["unaligned"]


def test_budgets_are_said_in_shares():
    found = cost_readings.budgets(made_up(gap=0.01))
    assert found["budget used"].mean == pytest.approx(100 * (PRE / 1 + PRE / 2) / 2)
    assert found["widest gap"].mean == pytest.approx(100 * 0.01 / COST)


def test_what_fewer_images_lose_counts_units():
    found = cost_readings.subsets(made_up(same=0.75, lost=0.2))
    assert found[5]["same"].mean == pytest.approx(75)
    assert found[5]["lost"].mean == pytest.approx(100 * 0.2 * 12 / 16)
    assert found[10]["lost"].mean == 0


def test_all_claims_hold_where_the_paper_is_right():
    found = verdicts(made_up())
    assert len(found) == 8
    assert all(found.values())
    assert len(verdicts(made_up(curves=False))) == 5


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"middle": 0.44}, "every cost gains at least half"),
        ({"l2_post": 0.59}, "post-activations do better"),
        ({"correlation_pre": 0.59}, "correlation does better"),
        ({"multiplier": 0.1}, "the budget of equation 31 makes no difference"),
        ({"gap": 0.001}, "within every budget tried"),
        ({"same": 0.99}, "fewer images give the same permutation"),
        ({"lost": 0.1}, "a quarter of the images loses less"),
    ],
    ids=str,
)
def test_each_claim_can_fail_alone(changed, text):
    assert text in only_failing(made_up(**changed))


def test_a_curve_below_the_unaligned_one_is_counted_and_not_insisted_on():
    study = made_up(insists=True, unaligned=0.65, middle=0.1)
    failing = [c for c in alignment_costs.claims(study) if not c.holds]
    assert any("more accurate on average than the unaligned" in c.text for c in failing)
    with pytest.raises(AssertionError, match="every cost gains at least half"):
        check_claims(study, alignment_costs.claims(study))
    others = made_up(insists=True, same=0.2, gap=0.1, l2_pre=0.75)
    assert sum(not c.holds for c in alignment_costs.claims(others)) == 3
    check_claims(others, alignment_costs.claims(others))


def test_a_budget_that_binds_is_an_error_of_the_page():
    study = made_up(insists=True, multiplier=0.1)
    with pytest.raises(AssertionError, match="the budget of equation 31"):
        check_claims(study, alignment_costs.claims(study))


def test_the_scorecard_says_every_cost():
    (row,) = alignment_costs.scorecard({}, {"there": made_up()})
    assert "correlation, post 90.5 ± 0.7" in row["recorded"]
    assert row["verdict"] == "reproduced: 8 of 8 claims hold"
    (row,) = alignment_costs.scorecard({}, {"there": made_up(curves=False)})
    assert "line midpoint" in row["claim"]
    assert "L2, post, within the budget 70.5" in row["recorded"]


def test_the_scorecard_has_this_build_s_numbers_of_the_same_subject_or_of_its_own():
    there = {"there": made_up(aligned=0.5)}
    (row,) = alignment_costs.scorecard({"there": made_up(), "here": made_up()}, there)
    assert row["recorded"].startswith("unaligned 50.5 ± 0.7; correlation, post 50.5 ± 0.7; ")
    assert row["build"].startswith("unaligned 50.5 ± 0.7; correlation, post 90.5 ± 0.7; ")
    (row,) = alignment_costs.scorecard({"here": made_up(pairs=1)}, there)
    assert row["build"].startswith("here: unaligned 50.0; correlation, post 90.0; ")
    assert row["build"].endswith("(n = 1)")
    (row,) = alignment_costs.scorecard({"here": made_up(curves=False)}, there)
    assert row["build"] == "here: not run"


def test_a_layer_without_any_distance_has_nothing_to_gain():
    nothing = of("costs", {"unaligned/l2/post": [0.0, 4.0], "l2_pre/l2/post": [0.0, 1.0]})
    assert cost_readings.left(nothing, "l2_pre", "post") == [1.0, 0.25]


def test_the_figure_is_handed_a_line_for_each_pair():
    found = cost_pages.distances({"here": made_up()})["here"]
    assert list(found) == ["post", "pre"]
    assert list(found["pre"]) == list(COSTS)
    assert found["pre"]["l2_post"] == [[50, 25], [50, 25]]


def test_numbers_are_called_what_the_page_calls_the_costs():
    usual, named = cost_readings.summaries(made_up()), cost_pages.numbers(made_up())
    assert list(usual.values()) == list(named.values())
    assert named["correlation, post: curve average"] == usual["aligned curve average"]
    assert named["endpoint accuracy"] == usual["endpoint accuracy"]
    assert not [name for name in named if "_" in name or name.startswith("aligned")]


def test_tables_have_a_cell_for_every_head():
    shown = {"here": made_up(pairs=1), "there": made_up(gap=1e-7)}
    for one in (cost_pages.diagnostics, cost_pages.subsets, cost_pages.budgets):
        text = one(shown, "tab-x").text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({row.count(" | ") for row in rows}) == 1
        assert text.count(":::{table}") == (1 if one is cost_pages.budgets else 2)
    assert "| correlation, post | 0.700 | 0.700 | 37.5 | 37.5 | 75.0 |" in (
        cost_pages.diagnostics(shown, "tab-x").text
    )
    assert "2.5 × 10⁻⁵" in cost_pages.budgets(shown, "tab-x").text


def test_only_studies_with_curves_show_some():
    both = {"with": made_up(), "without": made_up(curves=False)}
    assert list(cost_readings.with_curves(both)) == ["with"]


def test_the_standard_study_of_cifar_100_learns_no_curves():
    first, second = settings(None, setting(profile="standard").wanted, alignment_costs.PROFILES)
    assert (first.dataset.name, second.dataset.name) == ("cifar10", "cifar100")
    assert first.numbers.curve is not None
    assert first.pairs == second.pairs == 1
    assert second.numbers.curve is None
