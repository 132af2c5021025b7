"""Chapter 32: deep networks layer by layer, and what the page says of them."""

from dataclasses import asdict

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.distribution import connection_pages, deep_networks
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

TEST = {  # the paper's, of FC3
    "linear": 27.19,
    "arc": 40.17,
    "linear_butterfly": 38.38,
    "arc_butterfly": 49.63,
    "linear_wa": 51.87,
    "arc_wa": 58.86,
    "ot_butterfly": 59.11,
    "ot_wa": 61.67,
    "garipov_3": 61.38,
}


def made_up(architecture="fc3", **changed) -> Study:
    config = asdict(deep_networks.PROFILES["paper"][0])
    config |= {"architecture": architecture, "pairs": 1, "insists": True}
    records = {}
    for row, value in (TEST | changed).items():
        scalars = {"worst_test": value / 100, "worst_train": value / 100}
        scalars |= {"ends_test": 0.6325, "ends_train": 0.9513, "exchanges": 0}
        records[f"connection/0/{row}"] = Record("connection", 1, {"row": row}, scalars=scalars)
    return Study("32_deep_networks", "paper", config, records)


@pytest.fixture(scope="module", params=["mlp_small", "conv2fc1"])
def tiny_study(request, tmp_path_factory):
    given = {"profile": "smoke", "architecture": request.param}
    wanted = setting(None, deep_networks.PROFILES, **given)
    store = Store(tmp_path_factory.mktemp("store"))
    (study,) = deep_networks.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    return study


def test_the_whole_chapter_runs_and_every_path_has_the_networks_at_its_ends(tiny_study):
    ends = [tiny_study[f"endpoint/0/{side}"].number("test_accuracy") for side in "AB"]
    for row in TEST:
        record = tiny_study[f"connection/0/{row}"]
        series = record.series["test_accuracy"]
        assert series[0] == pytest.approx(ends[0]), row
        # Where units were matched, the last network measured is B in another order.
        assert series[-1] == pytest.approx(ends[1], abs=0.006), row
    assert tiny_study["connection/0/ot_wa"].scalars["exchanges"] > 0


def test_the_exchanges_of_every_group_are_measured_and_count_for_the_worst(tiny_study):
    record = tiny_study["connection/0/ot_butterfly"]
    names = [n for n in record.series if n.startswith("exchange/") and n.endswith("test_accuracy")]
    assert len(names) == 2
    assert {len(record.series[name]) for name in names} == {record.config["exchanges"]}
    every = [value for name in names for value in record.series[name]]
    assert record.number("worst_test") == min([*every, *record.series["test_accuracy"]])


def test_a_path_has_a_part_for_every_layer_that_changes(tiny_study):
    layers = 3
    adjusted = tiny_study["connection/0/arc_wa"].series
    assert set(adjusted["part"]) == set(range(layers))
    assert len(adjusted["residuals"]) == layers - 1
    assert set(tiny_study["connection/0/arc_butterfly"].series["part"]) == set(range(layers - 1))
    assert set(tiny_study["connection/0/arc"].series["part"]) == {0}


def test_the_left_panel_is_of_as_many_images_as_the_narrowest_layer_has_units(tiny_study):
    config = tiny_study["few/0"].config
    assert config["adjust_examples"] == config["measure_examples"] == 32
    drawn = connection_pages.errors({"here": tiny_study})
    assert list(drawn) == ["here: 32 images", "here: 128 images"]
    t, errors = drawn["here: 32 images"]["train error"]
    assert (t[0], t[-1]) == (0.0, 3.0)
    assert len(errors[0]) == len(t)
    assert "fc" in connection_pages.kept({"here": tiny_study}, "tab-x").text
    assert "transport + butterfly" in connection_pages.exchanges({"here": tiny_study}, "tab-y").text
    assert list(connection_pages.rows({"here": tiny_study})["here"]) == list(
        deep_networks.WORDS.values()
    )


def test_the_papers_numbers_bear_out_the_claims():
    assert all(claim.holds for claim in deep_networks.claims(made_up()))
    assert len(deep_networks.claims(made_up())) == 6
    assert len(deep_networks.claims(made_up("fc5"))) == 5


@pytest.mark.parametrize(
    ("changed", "fails"),
    [
        ({"ot_wa": 40.0}, "layer by layer, matched and adjusted"),
        ({"linear_wa": 38.0}, "linear + adjustment is better than linear + butterfly"),
        ({"arc_wa": 49.0}, "arc + adjustment is better than arc + butterfly"),
        ({"ot_wa": 59.0}, "transport + adjustment is better than transport + butterfly"),
        ({"arc_wa": 62.0}, "of all direct prescriptions"),
        ({"garipov_3": 70.0}, "every row is within 0.5 points"),
    ],
)
def test_a_claim_fails_where_its_numbers_do(changed, fails):
    failing = [c.text for c in deep_networks.claims(made_up(**changed)) if not c.holds]
    assert any(text.startswith(fails) for text in failing)


def test_only_the_first_claim_stops_the_page():
    check_claims(made_up(), deep_networks.claims(made_up(linear_wa=1.0, garipov_3=1.0)))
    with pytest.raises(AssertionError, match="layer by layer, matched and adjusted"):
        check_claims(made_up(), deep_networks.claims(made_up(ot_wa=30.0)))


def test_the_scorecard_has_the_papers_row():
    (row,) = deep_networks.scorecard({}, {"FC3": made_up()})
    assert row["claim"].startswith("Table 2, FC3: worst test accuracy")
    assert row["paper"].startswith("linear 27.19; arc 40.17")
    assert row["recorded"].endswith("(n = 1)")


@pytest.mark.parametrize("name", ["tinyten", "resnet20", "vgg16_layernorm_w8"])
def test_networks_that_are_no_chain_are_refused(name):
    with pytest.raises(Refusal, match=f"architecture '{name}' is none; known: mlp, .*conv2fc1"):
        deep_networks.refuse_others(name, "32_deep_networks")


@pytest.mark.parametrize(
    ("name", "units"), [("fc3", 2000), ("conv2fc1", 32), ("vgg16", 64), ("one_hidden_w20", 20)]
)
def test_the_narrowest_layer_is_found_without_building_the_network(name, units):
    assert deep_networks.narrowest(name) == units
