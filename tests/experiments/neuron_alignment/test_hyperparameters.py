"""Table 3: what is computed for it, and what the page says of the records."""

from dataclasses import asdict, replace

import pytest

from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.neuron_alignment import (
    hyperparameters,
    learned_curves,
    rate_cells,
    rate_pages,
)
from modeconn_lib.experiments.neuron_alignment.rate_cells import KINDS, Cell
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

CENTRE = Cell(0.1, 128)
UNALIGNED = {Cell(0.01, 64): 55.9, CENTRE: 56.0, Cell(0.5, 256): 55.2}
ALIGNED = {Cell(0.01, 64): 58.4, CENTRE: 58.7, Cell(0.5, 256): 58.9}


def made_up(unaligned=UNALIGNED, aligned=ALIGNED, pairs=1, dataset="cifar100", insists=False):
    """Pair p is p points better in every cell; the worst network is 1 point below the average."""
    records = {}
    for pair in range(pairs):
        records[f"endpoint/{pair}/A"] = of("endpoint", test_accuracy=0.6)
        records[f"alignment/{pair}"] = of("alignment", number=pair)
        for kind, cells in zip(KINDS, (unaligned, aligned), strict=True):
            for cell, accuracy in cells.items():
                average = (accuracy + pair) / 100
                records[f"along/{pair}/{kind}/{cell.name}"] = of(
                    "along", average_accuracy_arc=average, minimum_accuracy=average - 0.01
                )
    config = {**asdict(hyperparameters.PROFILES["standard"][0]), "insists": insists}
    return Study(hyperparameters.CHAPTER.name, "standard", config | {"dataset": dataset}, records)


def of(step: str, **scalars: float) -> Record:
    return Record(step, 1, {"scalars": scalars}, scalars=scalars)


def held(study: Study) -> list[bool]:
    return [claim.holds for claim in hyperparameters.claims(study)]


def numbers_of(name: str):
    return setting(None, hyperparameters.PROFILES, profile=name)


def test_the_standard_cells_are_the_corners_and_the_centre():
    names = [cell.name for cell in hyperparameters.cells(numbers_of("standard"))]
    assert names == ["0.01 x 64", "0.01 x 256", "0.1 x 128", "0.5 x 64", "0.5 x 256"]


def test_the_paper_s_cells_are_its_table():
    assert hyperparameters.cells(numbers_of("paper")) == sorted(rate_cells.paper()["aligned"])


def test_cells_differ_in_nothing_but_how_curves_are_learned(tiny):
    wanted = replace(tiny, numbers=replace(tiny.numbers, rates=(0.5,), batch_sizes=(8, 32)))
    plan, usual = hyperparameters.plan(wanted), learned_curves.plan(tiny)
    assert plan["alignment/0"].key == usual["alignment/0"].key
    for kind in KINDS:
        centre = plan[f"curve/0/{kind}/0.1 x 16"]
        assert centre.key == usual[f"curve/0/{kind}"].key
        assert plan[f"along/0/{kind}/0.1 x 16"].key == usual[f"along/0/{kind}/curve"].key
        other = plan[f"curve/0/{kind}/0.5 x 8"]
        assert other.inputs == centre.inputs
        assert other.config["recipe"]["learning_rate"] == 0.5
        assert other.config["batch_size"] == 8
        same = {"recipe": centre.config["recipe"], "batch_size": 16}
        assert {**other.config, **same} == centre.config
        assert plan[f"along/0/{kind}/0.5 x 8"].inputs[-1] == other
    found = in_order(plan.values())
    assert len({t.key for t in found}) == len({t.label for t in found}) == len(found) == 15


def test_the_whole_chapter_runs(tiny, store):
    wanted = replace(tiny, numbers=replace(tiny.numbers, rates=(0.5,), batch_sizes=(8,)))
    records = run(hyperparameters.plan(wanted), store, Options(jobs=1))
    config = {**asdict(wanted.numbers), "insists": False}
    found = rate_cells.grid(Study("17", "tiny", config, records))
    assert set(found["aligned"]) == {Cell(0.1, 16), Cell(0.5, 8)}
    assert 0 <= found["unaligned"][Cell(0.5, 8)].mean <= 100


def test_table_3_has_nine_cells_of_each_kind():
    said = rate_cells.paper()
    assert {kind: len(cells) for kind, cells in said.items()} == {"unaligned": 9, "aligned": 9}
    assert said["unaligned"][Cell(0.01, 256)] == (54.2, 0.3)
    assert said["aligned"][Cell(0.5, 256)] == (58.9, 0.1)


def test_cells_are_means_over_pairs():
    found = rate_cells.grid(made_up(pairs=3))
    assert found["aligned"][CENTRE].mean == pytest.approx(59.7)
    assert found["aligned"][CENTRE].std == pytest.approx(1.0)
    worst = rate_cells.grid(made_up(), "minimum_accuracy")
    assert worst["unaligned"][CENTRE].mean == pytest.approx(55.0)


def test_numbers_are_those_over_cells():
    s = hyperparameters.summaries(made_up())
    assert s["unaligned average over cells"].mean == pytest.approx((55.9 + 56.0 + 55.2) / 3)
    assert s["aligned spread"].mean == pytest.approx(0.5)
    assert s["aligned minimum over cells"].mean == pytest.approx((58.4 + 58.7 + 58.9) / 3 - 1)
    assert s["gain of alignment"].mean == pytest.approx((2.5 + 2.7 + 3.7) / 3)


def test_a_recorded_cell_stands_beside_the_published_one():
    off = {**ALIGNED, CENTRE: 58.3}
    rows = {
        (row[0], row[1]): row[2:]
        for row in rate_pages.table_of_cells(made_up(dataset="little"), made_up(aligned=off))
    }
    assert rows["0.1 × 128", "aligned"] == ["58.7 ± 0.2", "58.3", "-2.0", "58.7"]
    assert rows["0.1 × 128", "unaligned"] == ["56.0 ± 0.2", "56.0", "+0.0", "56.0"]
    assert rows["0.1 × 64", "aligned"] == ["59.0 ± 0.1", "–", "–", "–"]
    assert len(rows) == 18


def test_other_networks_are_not_measured_by_the_table():
    other = made_up(dataset="cifar10")
    assert {row[4] for row in rate_pages.table_of_cells(other, other)} == {"–"}
    dashes = {"all": "–", "unaligned": "–", "aligned": "–"}
    assert rate_pages.order_words(other) == rate_pages.order_words(None) == dashes


def test_the_order_of_cells_is_compared_with_the_paper_s():
    assert rate_pages.in_order(made_up()) == {
        "all": (15, 15),
        "unaligned": (3, 3),
        "aligned": (3, 3),
    }
    swapped = {**ALIGNED, CENTRE: 58.3}
    assert rate_pages.in_order(made_up(aligned=swapped))["aligned"] == (2, 3)
    said = rate_pages.order_words(made_up(aligned=swapped))
    assert said == {"all": "14 of 15", "unaligned": "3 of 3", "aligned": "2 of 3"}
    text = rate_pages.orders(made_up(), made_up(aligned=swapped), "tab-x").text
    assert "| all cells of both kinds | 14 of 15 | 15 of 15 |" in text
    assert "| aligned cells | 2 of 3 | 3 of 3 |" in text


def test_the_figure_is_handed_cells_as_pages_call_them():
    shown = {"here": made_up()}
    assert list(rate_pages.dots(shown)["here"]["aligned"]) == [
        *("0.01 × 64", "0.1 × 128", "0.5 × 256")
    ]
    assert len(rate_pages.published_dots(shown)["here"]["aligned"]) == 9
    assert rate_pages.published_dots({"here": made_up(dataset="little")}) == {}


def test_the_paper_s_table_spreads_less_aligned():
    said = rate_cells.paper()
    claim = hyperparameters.claims(
        made_up(*({c: mean for c, (mean, _) in said[kind].items()} for kind in KINDS))
    )[-1]
    assert claim.holds
    assert claim.found == "1.60 points against 1.80"


def test_what_is_missing_of_the_paper_s_grid_is_said():
    assert rate_cells.missing(made_up()) == [
        *("0.01 × 128", "0.01 × 256", "0.1 × 64", "0.1 × 256", "0.5 × 64", "0.5 × 128")
    ]
    assert rate_cells.missing_words(made_up()).startswith("6 of 9 cells (0.01 × 128, ")
    assert rate_cells.missing_words(None).startswith("9 of 9 cells")
    every = dict.fromkeys(rate_cells.paper()["aligned"], 50.0)
    assert rate_cells.missing_words(made_up(every, every)) == "0 of 9 cells"


def test_claims_hold_for_the_paper_s_numbers():
    assert held(made_up()) == [True] * 4


@pytest.mark.parametrize(
    ("unaligned", "aligned", "holds"),
    [
        (UNALIGNED, {**ALIGNED, CENTRE: 55.8}, [True, False, False, False]),
        ({**UNALIGNED, CENTRE: 58.5}, ALIGNED, [True, True, False, True]),
        (ALIGNED, UNALIGNED, [False, False, False, False]),
    ],
)
def test_claims_can_fail(unaligned, aligned, holds):
    assert held(made_up(unaligned, aligned)) == holds


def test_a_single_cell_that_fails_is_counted_and_not_insisted_on():
    study = made_up(UNALIGNED, {**ALIGNED, CENTRE: 55.8}, insists=True)
    check_claims(study, hyperparameters.claims(study))
    assert "in 2 of 3; least at 0.1 × 128: -0.20 points" in hyperparameters.claims(study)[1].found
    study = made_up(ALIGNED, UNALIGNED, insists=True)
    with pytest.raises(AssertionError, match="averaged over the cells"):
        check_claims(study, hyperparameters.claims(study))


def test_the_scorecard_says_the_range_of_cells():
    first, second = hyperparameters.scorecard(made_up(), made_up())
    assert first["paper"] == "54.2 to 56.0 over 9 cells"
    assert second["recorded"] == "58.4 to 58.9 over 3 cells, n = 1"
    assert second["verdict"] == "reproduced: 4 of 4 claims hold"
    assert hyperparameters.scorecard(made_up(), None)[0]["recorded"] == "not run"
