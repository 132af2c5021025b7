"""A page says what its records say, and "–" where nothing is recorded."""

import json
import runpy

import pytest

from modeconn_lib.experiments import pages
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.results.summary import Summary
from tests.figures.records import study

BUILD, RECORDED = study(), study(pairs=3, profile="standard", shift=0.05)


def numbers(found):
    return {
        "unaligned line midpoint": Summary(20.0, 1.0, 2),
        "aligned line midpoint": Summary(80.0 if found is BUILD else 70.0, None, 2),
        "aligned curve barrier": Summary(0.01234, 0.001, 2),
        "unaligned curve barrier": Summary(0.5, 0.1, 2),
        "aligned only": Summary(1.0, None, 1),
    }


def claims(found):
    return [Claim("a | b", found is RECORDED, "1 against 2")]


def said(recorded, decimals=None):
    return pages.texts(BUILD, recorded, numbers, claims, decimals)


def test_the_recorded_study_comes_first():
    titles = list(pages.side_by_side(BUILD, RECORDED))
    assert titles == ["recorded · Little (standard)", "this build · Little (smoke)"]


def test_a_build_that_is_the_recorded_study_is_shown_once():
    assert list(pages.side_by_side(BUILD, study())) == ["recorded = this build · Little (smoke)"]
    assert list(pages.side_by_side(BUILD, None)) == ["this build · Little (smoke)"]


def test_numbers_are_said_for_both_studies():
    found = said(RECORDED)
    assert found["build aligned line midpoint"] == "80.0"
    assert found["recorded aligned line midpoint"] == "70.0"
    assert found["build aligned curve barrier"] == "0.012 ± 0.001"
    assert found["build both line midpoint"] == "20.0 ± 1.0 % unaligned and 80.0 % aligned"
    assert found["recorded both curve barrier"].startswith("0.500 ± 0.100 nats unaligned and 0.012")
    assert found["recorded verdict"] == "reproduced: 1 of 1 claims hold"
    assert found["build verdict"] == "0 of 1 claims hold"
    assert found["build where"] == "smoke, TinyTen on Little, 8 images, n = 2 pairs"
    assert found["n"] == "recorded n = 3, this build n = 2"
    assert found["build device"] == "abacus"
    assert found["build minutes"] == f"{len(BUILD.records) / 2:.1f}"


def test_a_number_of_decimals_may_be_asked_for():
    found = said(RECORDED, decimals=2)
    assert found["build both line midpoint"] == "20.00 ± 1.00 unaligned and 80.00 aligned"


def test_without_a_record_every_number_of_it_is_a_dash():
    alone, both = said(None), said(RECORDED)
    assert alone.keys() == both.keys()
    dashes = {name for name, text in alone.items() if text == "–"}
    assert dashes == {name for name in alone if name.startswith("recorded ")}


def test_the_papers_own_protocol_is_said():
    assert said(None)["paper points on a path"] == str(PROFILES["paper"].points)
    assert said(None)["paper training of curves"].startswith("250 epochs of SGD, halved every 20")
    assert said(None)["build training of curves"] == (
        "1 epoch of SGD, one cycle, rate 0.1, weight decay 0"
    )


def test_the_protocol_has_a_column_for_each_way():
    text = pages.protocol(BUILD, RECORDED, "tab-x").text
    assert "| pairs of networks | 3 | 3 | 2 |" in text
    assert "| data set | CIFAR-10 | Little, 8 images | Little, 8 images |" in text
    assert "| computed on | – | abacus | abacus |" in text
    assert "| pairs of networks | 3 | – | 2 |" in pages.protocol(BUILD, None, "tab-x").text


def test_a_table_is_numbered_and_its_cells_cannot_break_it():
    text = pages.table(["", "a"], [["x|y", None]], "Caption", "tab-x")._repr_markdown_()
    assert text.splitlines() == [
        ":::{table} Caption",
        ":name: tab-x",
        "",
        "|  | a |",
        "| --- | --- |",
        "| x\\|y | – |",
        ":::",
    ]


def test_a_listing_has_recorded_numbers_first():
    text = pages.listing(said(RECORDED), ["aligned line midpoint"], "Caption", "tab-x").text
    assert "| aligned line midpoint | 70.0 | 80.0 |" in text


def test_verdicts_say_what_holds_and_what_was_found():
    text = pages.verdicts(BUILD, RECORDED, claims, "Claims", "tab-x").text
    assert "| a \\| b | holds: 1 against 2 | fails: 1 against 2 |" in text
    assert "| a \\| b | – | fails" in pages.verdicts(BUILD, None, claims, "Claims", "tab-x").text


def test_provenance_has_a_row_for_every_record():
    text = pages.provenance(BUILD, RECORDED).text
    for found in (BUILD, RECORDED):
        for name, record in found.records.items():
            assert f"| {name} | {record.key[:16]} |" in text
    assert text.count("{dropdown}") == 2
    assert "versions: python 3.11." in text


def test_the_book_finds_the_values_and_the_rows(root, tmp_path, monkeypatch):
    monkeypatch.setenv(pages.ENVIRONMENT, str(tmp_path))
    row = {"claim": "c", "paper": "p", "recorded": "r", "build": "b", "verdict": "v"}
    path = pages.write_values("13_learned_curves", {"build line-midpoint, %": "80"}, [row])
    assert path == tmp_path / "values" / "13_learned_curves.json"
    content = json.loads(path.read_text("utf8"))
    assert content == {"learned_curves_build_line_midpoint_": "80", "scorecard": [row]}
    table = runpy.run_path(str(root / "book" / "_ext" / "scorecard.py"))["table"](path.parent)
    assert "| c | p | r | b | v |" in table


def test_values_become_names_that_a_page_can_use(tmp_path, monkeypatch):
    monkeypatch.setenv(pages.ENVIRONMENT, str(tmp_path))
    path = pages.write_values("13_learned_curves", said(RECORDED), [])
    assert all(name.isidentifier() for name in json.loads(path.read_text("utf8")))


def test_means_over_layers_count_both_ends_alike_and_spread_over_pairs():
    found = pages.layer_means(BUILD)
    # Layers: 0.1 - 0.05 * (0, 1, 2, 3), on average 0.025; pair 1 has 0.01 more, end 1 has 0.1 more.
    assert found["endpoints before"].mean == pytest.approx(0.025 + 0.005)
    assert found["endpoints after"].mean == pytest.approx(0.525 + 0.005)
    assert found["aligned curve before"].mean == pytest.approx(0.225 + 0.005 + 0.05)
    assert found["aligned curve before"].n == 2
    assert found["aligned curve before"].std == pytest.approx(0.01 / 2**0.5)
    assert list(found)[:4] == [
        "endpoints before",
        "endpoints after",
        "unaligned line before",
        "unaligned line after",
    ]
