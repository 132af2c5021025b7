"""Chapter 31: what is computed of each pair, and what the page says of it."""

from dataclasses import asdict, replace
from statistics import fmean

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.distribution import connection_pages, one_hidden_layer
from modeconn_lib.experiments.distribution.measured_parts import looked_at, stretches
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.figures import connections as draw
from modeconn_lib.paths.polygon import Polygon
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

TEST = {
    "linear": 95.9,
    "arc": 97.0,
    "iaf_flow": 95.8,
    "realnvp_bijection": 97.5,
    "linear_wa": 97.86,
    "arc_wa": 97.87,
    "ot": 97.88,
    "ot_wa": 97.91,
    "garipov_3": 97.98,
    "garipov_5": 97.93,
}


def made_up(architecture="one_hidden_w2000", pairs=2, insists=True, **changed) -> Study:
    numbers = {**TEST, **changed}
    config = asdict(one_hidden_layer.PROFILES["standard"][0])
    config |= {"architecture": architecture, "pairs": pairs, "insists": insists, "ladder": ()}
    records = {}
    for pair in range(pairs):
        for row, value in numbers.items():
            scalars = {"worst_test": (value + 0.02 * pair) / 100, "worst_train": value / 100 + 0.01}
            scalars |= {"ends_test": 0.98, "ends_train": 0.99}
            scalars |= {"exchanges": 0, "exchanges_measured": 0}
            name = f"connection/{pair}/{row}"
            records[name] = Record("connection", 1, {"name": name}, scalars=scalars)
    return Study("31_one_hidden_layer", "standard", config, records)


@pytest.fixture(scope="module")
def tiny_study(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    wanted = setting(None, one_hidden_layer.PROFILES, profile="smoke")
    (study,) = one_hidden_layer.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    return study, store, wanted


def test_the_whole_chapter_runs_and_says_what_it_found(tiny_study):
    study, _, _ = tiny_study
    assert {name.split("/")[2] for name in study.select("connection/")} == set(TEST)
    for row in ("linear", "arc", "linear_wa", "ot", "ot_wa", "garipov_3"):
        record = study[f"connection/0/{row}"]
        ends = [study[f"endpoint/0/{side}"].number("test_accuracy") for side in "AB"]
        series = record.series["test_accuracy"]
        assert [series[0], series[-1]] == pytest.approx(ends), row
        assert record.number("worst_test") <= min(series)
        assert len(one_hidden_layer.TABLE.table(study)) == 22
    found = study["connection/0/ot"]
    half_way = found.series["exchange/fc1/test_accuracy"]
    assert found.scalars["exchanges"] > found.scalars["exchanges_measured"] == len(half_way)
    assert len(half_way) == found.config["exchanges"]
    assert found.number("mean_exchange_test") == pytest.approx(fmean(half_way))
    every = [*found.series["test_accuracy"], *found.series["exchange/fc1/test_accuracy"]]
    assert found.number("worst_test") == min(every)


def test_paths_are_measured_at_every_corner_and_every_middle(tiny_study):
    study, _, _ = tiny_study
    t = study["connection/0/linear_wa"].series["t"]  # solved for at 3 values of t; then to B
    assert t == pytest.approx([*(k / 6 for k in range(7)), 1, 1.5, 2])
    chain = study["connection/0/garipov_5"].series["t"]
    assert set(chain) >= {0.125 * i for i in range(9)}


def test_a_second_run_computes_nothing(tiny_study, monkeypatch):
    study, store, wanted = tiny_study
    monkeypatch.setattr("modeconn_lib.experiments.runner.STEPS", {})
    (again,) = one_hidden_layer.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    assert {n: r.key for n, r in again.records.items()} == {
        n: r.key for n, r in study.records.items()
    }


def test_global_connections_are_learned_on_other_networks_than_they_connect():
    wanted = setting(None, one_hidden_layer.PROFILES, profile="quick")
    plan = one_hidden_layer.plan(wanted)
    ends = {plan[f"endpoint/{p}/{side}"].key for p in range(wanted.pairs) for side in "AB"}
    for row in one_hidden_layer.GLOBAL:
        inputs = [task.key for task in plan[f"normaliser/{row}"].inputs]
        assert len(set(inputs)) == wanted.numbers.models + 1
        assert not ends & set(inputs)
        needed = {task.key for task in in_order([plan[f"connection/0/{row}"]])}
        assert set(inputs) <= needed


def test_the_claims_are_the_papers_ladder():
    found = {claim.text: claim.holds for claim in one_hidden_layer.claims(made_up())}
    assert all(found.values())
    assert len(found) == 7


def test_a_claim_says_in_how_many_pairs_it_is_so():
    study = made_up()
    scalars = {**study["connection/1/arc"].scalars, "worst_test": 0.95}
    study.records["connection/1/arc"] = Record("connection", 1, {}, scalars=scalars)
    claim = one_hidden_layer.claims(study)[0]
    assert (claim.holds, claim.found) == (True, "96.00 % against 95.91 %; in 1 of 2 pairs")


@pytest.mark.parametrize(
    ("changed", "fails"),
    [
        ({"arc": 95.0}, "arc is better than linear"),
        ({"ot": 96.9, "ot_wa": 96.95}, "transport is better than arc"),
        ({"ot_wa": 97.8}, "transport + adjustment is better than transport"),
        ({"linear_wa": 95.9}, "linear + adjustment is better than linear"),
        ({"arc_wa": 96.0}, "arc + adjustment is better than arc"),
        ({"realnvp_bijection": 96.9}, "RealNVP bijection is better than arc"),
        ({"garipov_3": 97.4}, "every row is within 0.5 points of the paper's"),
    ],
)
def test_a_claim_fails_where_its_numbers_do(changed, fails):
    failing = [c.text for c in one_hidden_layer.claims(made_up(**changed)) if not c.holds]
    assert any(text.startswith(fails) for text in failing)


def test_only_what_the_page_insists_on_stops_it():
    for changed in ({"ot_wa": 97.5}, {"realnvp_bijection": 90.0}, {"garipov_5": 90.0}):
        study = made_up(**changed)
        check_claims(study, one_hidden_layer.claims(study))
    study = made_up(arc=90.0)
    with pytest.raises(AssertionError, match="not borne out by the records: arc is better"):
        check_claims(study, one_hidden_layer.claims(study))


def test_what_did_not_converge_has_no_number_and_fails_its_claim():
    study = made_up()
    for pair in range(2):
        name = f"connection/{pair}/realnvp_bijection"
        study.records[name] = Record("through", 1, {}, scalars={"converged": False})
    assert "realnvp_bijection test" not in one_hidden_layer.summaries(study)
    rows = {row[0]: row for row in one_hidden_layer.TABLE.table(study)}
    assert rows["RealNVP bijection, test"][1:] == ["97.53 ± 0.11", "did not converge", "–", "–"]
    (claim,) = [c for c in one_hidden_layer.claims(study) if "bijection" in c.text]
    assert (claim.holds, claim.found) == (False, "no convergence")
    near = one_hidden_layer.claims(study)[-1]
    assert (near.holds, near.found) == (False, "not for every pair RealNVP bijection")


def test_a_map_that_fails_for_one_pair_is_not_better():
    study = made_up()
    study.records["connection/1/realnvp_bijection"] = Record(
        "through", 1, {}, scalars={"converged": False}
    )
    (claim,) = [c for c in one_hidden_layer.claims(study) if "bijection" in c.text]
    assert (claim.holds, claim.found) == (False, "no convergence")
    assert one_hidden_layer.summaries(study)["realnvp_bijection test"].n == 1
    rows = {row[0]: row for row in one_hidden_layer.TABLE.table(study)}
    assert rows["RealNVP bijection, test"][2] == "97.50 (1 of 2 pairs)"
    assert rows["arc, test"][2] == "97.01 ± 0.01"
    assert not one_hidden_layer.claims(study)[-1].holds  # nor is it near the paper's row


def test_the_table_has_the_papers_cells_and_how_far_off_ours_are():
    rows = {row[0]: row for row in one_hidden_layer.TABLE.table(made_up(pairs=1))}
    assert rows["arc, test"] == ["arc, test", "97.03 ± 0.14", "97.00", "-0.03", "-0.2"]
    assert rows["endpoints, train"][1:3] == ["99.14 ± 0.01", "99.00"]
    near = one_hidden_layer.TABLE.table(made_up(pairs=1, arc=97.029))
    assert {row[0]: row for row in near}["arc, test"][3] == "+0.00"
    others = {row[0]: row for row in one_hidden_layer.TABLE.table(made_up("one_hidden_w500"))}
    assert others["arc, test"][1] == "–"
    assert "within 0.5" not in str(one_hidden_layer.claims(made_up("one_hidden_w500")))


def test_the_scorecard_has_a_row_for_each_recorded_study():
    (row,) = one_hidden_layer.scorecard({}, {"MNIST": made_up()})
    assert row["recorded"].startswith("linear 95.91 ± 0.01; arc 97.01 ± 0.01")
    assert row["recorded"].endswith("(n = 2)")
    assert row["paper"].startswith("linear 95.87; arc 97.03")
    assert row["build"] == "–"
    (row,) = one_hidden_layer.scorecard({"x": made_up("one_hidden_w20")}, {})
    assert (row["paper"], row["recorded"]) == ("–", "not run")


@pytest.mark.parametrize("name", ["tinyten", "mlp", "conv2fc1"])
def test_other_networks_are_refused(name):
    wanted = setting(None, one_hidden_layer.PROFILES, profile="smoke", architecture=name)
    with pytest.raises(
        Refusal, match=f"one hidden layer, architecture '{name}' is none; known: on"
    ):
        one_hidden_layer.plan(wanted)


def test_the_page_draws_what_the_records_say(tiny_study):
    study, _, _ = tiny_study
    shown = {"here": study}
    assert connection_pages.published_rows(shown) == {}
    drawn = connection_pages.along(shown)["here"]
    t, accuracies = drawn["linear + adjustment"]
    assert (t[0], t[-1], len(accuracies)) == (0.0, 1.0, 1)
    said = connection_pages.exchanges(shown, "tab-x").text
    assert "transport + adjustment" in said
    assert f"{study['connection/0/ot'].scalars['exchanges']}" in said
    assert "IAF flow" in connection_pages.learned(shown, "tab-y").text
    paper = connection_pages.published_rows({"mnist": made_up()})["mnist"]
    assert paper["arc"].mean == 97.03


def test_a_smooth_path_is_looked_at_evenly_and_a_polygon_at_corners_and_middles():
    assert looked_at(Polygon(lambda i: {}, 1), 5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert looked_at(Polygon(lambda i: {}, 2), 5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert len(looked_at(Polygon(lambda i: {}, 7), 5)) == 15


def test_long_series_are_kept_by_the_worst_of_each_stretch():
    values = [float(i % 7) for i in range(1999)]
    kept = stretches(values, worst=min, kept=100)
    assert len(kept) == 100
    assert min(kept) == min(values)
    assert stretches(values[:50], worst=min, kept=100) == values[:50]


def test_learning_that_blows_up_is_recorded_and_stops_nothing(store):
    numbers = one_hidden_layer.PROFILES["smoke"][0]
    wanted = setting(None, one_hidden_layer.PROFILES, profile="smoke")
    wild = replace(numbers, flow=replace(numbers.flow, learning_rate=1e6, epochs=3))
    plan = one_hidden_layer.plan(replace(wanted, numbers=wild))
    names = ("normaliser/iaf_flow", "connection/0/iaf_flow")
    found = run({n: plan[n] for n in names}, store, Options(jobs=1, profile="smoke"))
    assert found[names[0]].scalars["converged"] is False
    assert found[names[1]].scalars == {"converged": False}


def test_other_widths_are_connected_the_same_ways_and_drawn_by_their_units(tiny_study):
    study, _, _ = tiny_study
    rows = {name.split("/")[3] for name in study.select("ladder/0/one_hidden_w100/")}
    assert rows == {"A", "B", *one_hidden_layer.CONNECTIONS}
    found = connection_pages.by_size({"tiny": study})["tiny"]
    assert list(found) == [one_hidden_layer.WORDS[row] for row in one_hidden_layer.CONNECTIONS]
    record = study["ladder/0/one_hidden_w100/arc"]
    lost = 100 * (record.number("ends_test") - record.number("worst_test"))
    sizes, drops = found["arc"]
    assert sizes == [20, 100]
    assert drops[1] == pytest.approx(lost)
    (axes,) = draw.by_size({"tiny": found}, "hidden units").panels
    assert len(axes.get_lines()) == len(found)


def test_a_study_of_one_size_has_no_sizes_to_compare():
    assert connection_pages.by_size({"made up": made_up()}) == {}
