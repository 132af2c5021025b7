"""Chapter 33: what is computed of each map, and what the page says of it."""

from dataclasses import asdict
from math import inf, nan

import pytest
import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.distribution import global_connections, global_pages, map_steps
from modeconn_lib.experiments.distribution.connection_tasks import MAPS
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.figures import learned_maps
from modeconn_lib.paths.distribution.normaliser import Normaliser
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

TEST = {
    "linear": 95.9,
    "arc": 97.0,
    "iaf_flow": 95.8,
    "realnvp_flow": 96.0,
    "realnvp_bijection": 97.5,
}


def made_up(pairs=2, converged=True, **changed) -> Study:
    config = asdict(global_connections.PROFILES["standard"][0]) | {"pairs": pairs, "insists": True}
    records = {}
    for row in MAPS:
        scalars = {"likelihood_before": 10.0, "likelihood_after": 12.5, "converged": converged}
        records[f"normaliser/{row}"] = Record("normaliser", 1, {"name": row}, scalars=scalars)
        scalars = {"converged": converged, "kurtosis_before": 0.7, "kurtosis_after": 9.0}
        records[f"map/{row}"] = Record("map", 1, {"name": row}, scalars=scalars)
    for pair in range(pairs):
        for row, value in {**TEST, **changed}.items():
            scalars = {"worst_test": (value + 0.02 * pair) / 100, "worst_train": value / 100}
            scalars |= {"ends_test": 0.98, "ends_train": 0.99, "converged": True}
            if row in MAPS and not converged:
                scalars = {"converged": False}
            name = f"connection/{pair}/{row}"
            records[name] = Record("connection", 1, {"name": name}, scalars=scalars)
    return Study("33_global_connection", "standard", config, records)


def insisted(study: Study) -> None:
    check_claims(study, global_connections.claims(study))


@pytest.fixture(scope="module")
def tiny_study(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    wanted = setting(None, global_connections.PROFILES, profile="smoke")
    (study,) = global_connections.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    return study


def test_learning_is_judged_by_a_network_that_it_does_not_see():
    before = {"likelihood": 1.0, "middle": 2.0}
    likelier, lower = {"likelihood": 1.1, "middle": 3.0}, {"likelihood": 0.5, "middle": 1.9}
    assert map_steps.converged("likelihood", before, likelier, 1e-5)
    assert not map_steps.converged("likelihood", before, lower, 1e-5)
    assert map_steps.converged("middle", before, lower, 1e-5)
    assert not map_steps.converged("middle", before, likelier, 1e-5)
    assert not map_steps.converged("middle", before, {"likelihood": 2.0, "middle": nan}, 1e-5)
    for objective, after in (("likelihood", likelier), ("middle", lower)):
        assert not map_steps.converged(objective, before, after, map_steps.INVERTED)
        assert not map_steps.converged(objective, before, after, inf)


def test_a_map_that_does_not_come_back_is_recorded_and_connects_nothing(store, monkeypatch):
    monkeypatch.setattr(Normaliser, "inversion_error", lambda *_: inf)
    wanted = setting(None, global_connections.PROFILES, profile="smoke")
    plan = global_connections.plan(wanted)
    row = "realnvp_bijection"
    names = (f"normaliser/{row}", f"connection/0/{row}")
    found = run({n: plan[n] for n in names}, store, Options(jobs=1, profile="smoke"))
    learned = found[names[0]].scalars
    assert (learned["converged"], learned["inversion_error"]) == (False, None)
    assert learned["middle_after"] > 0
    assert found[names[1]].scalars == {"converged": False}


def test_a_pair_that_a_map_does_not_bring_back_has_no_path(store, monkeypatch):
    wanted = setting(None, global_connections.PROFILES, profile="smoke")
    plan = global_connections.plan(wanted)
    row = "realnvp_flow"
    monkeypatch.setattr(map_steps, "converged", lambda *_: True)  # whatever one epoch made of it
    learned = run({"map": plan[f"normaliser/{row}"]}, store, Options(jobs=1, profile="smoke"))[
        "map"
    ]
    assert learned.scalars["converged"]
    monkeypatch.setattr(Normaliser, "inversion_error", lambda *_: map_steps.INVERTED)
    name = f"connection/0/{row}"
    found = run({name: plan[name]}, store, Options(jobs=1, profile="smoke"))[name].scalars
    assert found == {"converged": False, "inversion_error": map_steps.INVERTED}


def test_the_whole_chapter_runs(tiny_study):
    assert any(tiny_study[f"connection/0/{row}"].scalars["converged"] for row in MAPS)
    assert {name.split("/")[2] for name in tiny_study.select("connection/")} == set(TEST)
    for row in MAPS:
        record = tiny_study[f"connection/0/{row}"]
        if not record.scalars["converged"]:
            continue
        ends = [tiny_study[f"endpoint/0/{side}"].number("test_accuracy") for side in "AB"]
        series = record.series["test_accuracy"]
        assert [series[0], series[-1]] == pytest.approx(ends)
    assert len(global_connections.TABLE.table(tiny_study)) == 12


def test_what_is_drawn_begins_in_a_and_ends_in_b_by_either_way(tiny_study):
    shown = {"tiny": tiny_study}
    found = global_pages.ways(shown)
    assert found
    for by_arc, by_map in found.values():
        assert len(by_arc) == len(by_map) == 4
        for one, other in zip(by_arc, by_map, strict=True):
            for end in (0, -1):
                place, same = (torch.tensor([x[end], y[end]]) for x, y in (one, other))
                torch.testing.assert_close(place, same, rtol=0, atol=1e-4)
    before, after = next(iter(global_pages.clouds(shown).values()))
    assert len(before[0]) == len(after[1]) == 20
    assert "circle" not in learned_maps.clouds(global_pages.clouds(shown)).alt
    assert len(learned_maps.ways(found).panels) == len(found)
    table = str(global_pages.maps(shown, "tab"))
    assert "as many normal samples" in table
    for row in (row for row in MAPS if tiny_study[f"map/{row}"].scalars["converged"]):
        learned = tiny_study[f"normaliser/{row}"]
        middle = [f"{learned.number(f'middle_{when}'):.3f}" for when in ("before", "after")]
        assert " | ".join(middle) in table


def test_it_insists_that_a_learned_connection_beats_the_arc_on_unseen_pairs():
    insisted(made_up())
    with pytest.raises(AssertionError, match="RealNVP bijection is better than arc"):
        insisted(made_up(realnvp_bijection=97.0))
    with pytest.raises(AssertionError, match="RealNVP bijection is better than arc"):
        insisted(made_up(converged=False))


def test_the_papers_flow_is_no_better_than_its_arc_and_the_table_has_its_numbers():
    claims = {claim.text: claim.holds for claim in global_connections.claims(made_up())}
    assert claims["between networks that no map has seen, arc is better than IAF flow"]
    rows = {row[0]: row for row in global_connections.TABLE.table(made_up())}
    assert rows["RealNVP bijection, test"][1] == "97.53 ± 0.11"
    assert rows["RealNVP flow, test"][1] == "–"
    (card,) = global_connections.scorecard({}, {"one": made_up()})
    assert "RealNVP bijection 97.53" in card["paper"]


def test_maps_that_did_not_converge_are_said_to_have_not():
    shown = {"one": made_up(converged=False)}
    assert "did not converge" in str(global_pages.maps(shown, "tab"))
    assert not global_pages.clouds(shown)


def test_other_networks_are_refused_before_any_work():
    wanted = setting(None, global_connections.PROFILES, profile="smoke", architecture="tinyten")
    with pytest.raises(Refusal, match="chapter 33_global_connection is about networks with one"):
        global_connections.CHAPTER.plan(wanted)
