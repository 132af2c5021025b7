"""Chapter 44: paths through skip connections, and what the page says of them."""

from dataclasses import asdict

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.beyond import residual_connections, residual_pages
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.distribution.connection_tasks import METHODS
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options
from modeconn_lib.figures import connections as draw
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study


def made_up(aligned=70.0, **changed) -> Study:
    config = asdict(residual_connections.PROFILES["standard"][0]) | {"insists": True}
    lowest = {"minimum_accuracy": aligned / 100}
    records = {"along/0/aligned": Record("along", 1, {}, scalars=lowest)}
    for i, row in enumerate(METHODS):
        value = changed.get(row, 40.0 + 5 * i) / 100
        scalars = {"worst_test": value, "worst_train": value, "ends_test": 0.9, "ends_train": 0.95}
        records[f"connection/0/{row}"] = Record("connection", 1, {"row": row}, scalars=scalars)
    return Study("44_residual_connections", "standard", config, records)


@pytest.fixture(scope="module")
def tiny_study(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    wanted = setting(None, residual_connections.PROFILES, profile="smoke")
    (study,) = residual_connections.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    return study


def test_every_path_has_the_same_networks_at_its_ends_whose_statistics_are_taken_anew(tiny_study):
    first = tiny_study["connection/0/linear"].series["test_accuracy"]
    for row in METHODS:
        series = tiny_study[f"connection/0/{row}"].series["test_accuracy"]
        assert [series[0], series[-1]] == pytest.approx([first[0], first[-1]], abs=0.011), row
    along = tiny_study["along/0/aligned"].series["test_accuracy"]
    assert along[0] == pytest.approx(first[0])


def test_all_readers_of_a_stream_are_adjusted_and_recorded(tiny_study):
    series = tiny_study["connection/0/arc_wa"].series
    pairs = list(zip(series["changed"], series["adjusted"], strict=True))
    assert ("conv1", "layer1.0.conv1") in pairs
    assert ("conv1", "layer2.0.shortcut.conv") in pairs
    assert ("layer3.0.conv2", "fc") in pairs
    scalars = tiny_study["connection/0/ot_wa"].scalars
    assert scalars["exchanges_measured"] == 6  # one a group
    assert scalars["exchanges"] == 200


def test_it_insists_that_adjusting_beats_going_at_once():
    study = made_up()
    check_claims(study, residual_connections.claims(study))
    worse = made_up(linear_wa=10.0, arc_wa=10.0, ot_wa=10.0)
    with pytest.raises(AssertionError, match="with all that reads it adjusted"):
        check_claims(worse, residual_connections.claims(worse))


def test_the_aligned_straight_line_is_compared_with():
    claims = {c.text: c for c in residual_connections.claims(made_up(aligned=80.0))}
    against = claims["it is better than the straight line to the aligned network, too"]
    assert not against.holds
    assert against.found.endswith("against 80.00 %")
    found = residual_connections.summaries(made_up(aligned=80.0))
    assert found[residual_connections.ALIGNED].mean == pytest.approx(80.0)
    (card,) = residual_connections.scorecard({}, {"one": made_up()})
    assert card["paper"] == "–"


@pytest.mark.parametrize("architecture", ["tinyten", "resnet20_layernorm", "fc3_small"])
def test_networks_that_cannot_be_connected_so_are_refused(architecture):
    wanted = setting(
        None, residual_connections.PROFILES, profile="smoke", architecture=architecture
    )
    with pytest.raises(Refusal, match="chapter 44_residual_connections is about networks with"):
        residual_connections.CHAPTER.plan(wanted)


def test_the_page_has_every_row_and_what_to_compare_it_with(tiny_study):
    shown = {"tiny": tiny_study}
    rows = residual_pages.rows(shown)["tiny"]
    ends = [residual_connections.ALIGNED, "endpoints"]
    assert list(rows)[-2:] == ends
    assert [row[0] for row in residual_pages.table(tiny_study)][-2:] == ends
    assert len(rows) == len(METHODS) + 2
    errors = residual_pages.errors(shown)
    (axes,) = draw.by_part(errors).panels
    assert len(axes.get_lines()) == 3
    assert "layer3.0" in residual_pages.lost(shown, "tab").text
