"""Chapter 18 plans what it says, reads its records rightly, and its claims can fail."""

from dataclasses import replace

import pytest
import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.git_rebasin import merging_profiles
from modeconn_lib.experiments.git_rebasin.lines import plan as lines_plan
from modeconn_lib.experiments.neuron_alignment import theory, theory_claims, theory_readings
from modeconn_lib.experiments.neuron_alignment.descent_steps import two_units
from modeconn_lib.experiments.neuron_alignment.theory_steps import matchings
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options
from modeconn_lib.models.mlp import mlp
from modeconn_lib.permutation.trace import trace
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The chapter at its smallest, computed once: nothing of it is recorded."""
    store = Store(tmp_path_factory.mktemp("store"))
    wanted = setting(None, theory.PROFILES, profile="smoke", pairs=1)
    (found,) = theory.run(wanted, store, Options(jobs=1)).values()
    return found


def changed(study: Study, name: str, series=None, **scalars) -> Study:
    """The study with some numbers of one record replaced."""
    record = study[name]
    other = replace(
        record,
        series={**record.series, **(series or {})},
        scalars={**record.scalars, **scalars},
    )
    return Study(study.name, study.profile, study.config, {**study.records, name: other})


def failing(study: Study) -> list[str]:
    return [claim.text for claim in theory_claims.claims(study) if not claim.holds]


def test_networks_matchings_bounds_and_a_descent_are_planned():
    wanted = setting(None, theory.PROFILES, profile="smoke", pairs=1)
    assert list(theory.plan(wanted)) == [
        "endpoint/0/A",
        "endpoint/0/B",
        "matching/0/weights",
        "bounds/0",
        "endpoint/small/A",
        "endpoint/small/B",
        "descent",
        "written",
    ]


def test_networks_and_weight_matchings_are_those_of_the_chapter_on_methods():
    for name, profile in (
        ("quick", merging_profiles.SMALL_MLP),
        ("smoke", merging_profiles.TINY_MLP),
    ):
        other = lines_plan(setting(None, {name: (profile,)}, profile=name), ("weights",))
        mine = theory.plan(setting(None, theory.PROFILES, profile=name))
        first = [n for n in other if n.split("/")[1] == "0"]  # of all pairs this one is here, too
        shared = [n for n in first if not n.startswith("along")]
        assert "matching/0/weights" in shared
        assert {n: mine[n].key for n in shared} == {n: other[n].key for n in shared}


def test_the_small_networks_are_trained_like_the_others():
    mine = theory.plan(setting(None, theory.PROFILES, profile="quick"))
    small, other = mine["endpoint/small/A"].config, mine["endpoint/0/A"].config
    assert small["architecture"] == "mlp_small"
    assert {**small, "architecture": ""} == {**other, "architecture": ""}


@pytest.mark.parametrize("name", ["tinyten", "resnet20", "residual_mlp", "vgg16_layernorm_w8"])
def test_what_is_no_chain_is_refused_before_any_work(name, tmp_path):
    state = torch.get_rng_state()
    wanted = setting(None, theory.PROFILES, profile="smoke", architecture=name)
    with pytest.raises(Refusal, match=rf"{name}.* is none: .*; known: mlp, mlp_small, mlp_w16"):
        theory.run(wanted, Store(tmp_path))
    assert torch.equal(torch.get_rng_state(), state)
    assert not list(tmp_path.iterdir())


def test_every_claim_that_is_a_theorem_holds_even_for_hardly_trained_networks(study):
    insisted = [c for c in theory_claims.claims(study) if c.insisted]
    assert len(insisted) == 13
    assert [claim.text for claim in insisted if not claim.holds] == []


def test_the_widest_corners_stop_the_descent_at_once(study):
    assert study["descent"].series["accepted 0"] == [True, False]


def test_claims_on_bounds_can_fail(study):
    line = "correlation train cross_entropy"
    values = list(study["bounds/0"].series[line])
    values[1] = 1e9
    (text,) = failing(changed(study, "bounds/0", {line: values}))
    assert text.startswith("on every line")

    ends = list(study["bounds/0"].series["unaligned train ends"])
    ends[1] = 2 * ends[1]
    found = failing(changed(study, "bounds/0", {"l2_pre train ends": ends}))
    assert [text[:12] for text in found] == ["matched by d"]

    high = [2 * v for v in study["bounds/0"].series["unaligned train cross_entropy bound"]]
    found = failing(changed(study, "bounds/0", {"l2_pre train cross_entropy bound": high}))
    assert [text[:12] for text in found] == ["at every t, "]

    line = "l2_pre train cross_entropy bound"
    low = [2.3 if i == 2 else v for i, v in enumerate(study["bounds/0"].series[line])]
    found = failing(changed(study, "bounds/0", {line: low}))
    assert [text[:10] for text in found] == ["half-way, "]

    found = failing(changed(study, "bounds/0", {"constrained train ends": ends}))
    assert [text[:12] for text in found] == ["the constrai"]


def test_what_the_paper_says_beyond_its_proof_is_counted_and_not_insisted_on(study):
    far = [[9.0 for _ in row] for row in study["bounds/0"].series["l2_pre train to_b"]]
    found = changed(study, "bounds/0", {"l2_pre train to_b": far})
    assert any("equation 25" in text for text in failing(found))
    insisting = Study(found.name, found.profile, {**found.config, "insists": True}, found.records)
    check_claims(insisting, theory_claims.claims(insisting))


def test_claims_on_networks_written_down_can_fail(study):
    written = study["written"].series
    for series, scalars, begins in (
        ({}, {"one hidden layer gap": 1e-6}, "there are networks"),
        ({}, {"one sign, not parallel gap": 0.0}, "the conditions of C.2"),
        ({"two layers in one order ends": [9.0, 9.0, 0.0]}, {}, "one order for two"),
        ({"drawn bound": [1.1, *written["drawn bound"][1:]]}, {}, "aligning random"),
        ({"drawn true": [0.9]}, {}, "aligning random"),
        ({"printed accepted": [True, False]}, {}, "with the stopping rule"),
        ({"mended accepted": [True, True]}, {}, "with the stopping rule"),
    ):
        (text,) = failing(changed(study, "written", series, **scalars))
        assert text.startswith(begins)


def test_claims_on_the_descent_can_fail(study):
    descent = study["descent"].series
    last = len(descent["deltas"]) - 1
    assert descent[f"accepted {last}"][1]
    up = [1.0, 2.0]
    same = {f"accepted {last}": [True, True], f"by_phi {last}": [0, 0], f"by_p {last}": [0, 0]}
    found = failing(changed(study, "descent", {**same, f"sharp {last}": up, f"smooth {last}": up}))
    assert [text[:15] for text in found] == ["along accepted ", "the smooth obje"]
    found = failing(changed(study, "descent", **{f"rounding {last}": 0.5 * 1e-12}))
    assert [text[:15] for text in found] == ["both objectives"]


def test_the_rule_as_printed_lets_the_objective_rise_and_twice_of_it_does_not():
    printed, mended = (two_units(1e-3, factor) for factor in (1.0, 2.0))
    start, after = printed.accepted
    assert after.sharp > 1.3 * start.sharp
    # All that equation 46 and theorem E.1 ask for.
    assert after.by_phi + after.by_p >= printed.rounding
    assert after.smooth + after.by_phi + after.by_p <= start.smooth
    assert len(mended.accepted) == 1


def test_one_order_for_all_layers_is_there_where_all_are_of_one_size():
    x = [torch.rand(30, 1, 3, 3, generator=torch.Generator().manual_seed(0))]
    for widths, there in (((5, 5), True), ((5, 4), False)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            one, other = (mlp((1, 3, 3), 2, widths).state_dict() for _ in range(2))
        traced = trace(mlp((1, 3, 3), 2, widths).eval(), torch.zeros(2, 1, 3, 3))
        found = matchings(traced, one, other, x)
        assert ("shared" in found) == there
        if there:
            assert torch.equal(*found["shared"].values())


def test_tables_have_a_row_for_everything_and_a_cell_for_every_head(study):
    for rows, heads, count in (
        (theory_readings.by_order(study), theory_readings.BY_ORDER, 6),
        (theory_readings.by_layer(study), theory_readings.BY_LAYER, 4),
        (theory_readings.of_examples(study), theory_readings.OF_EXAMPLES, 6),
        (theory_readings.of_descent(study), theory_readings.OF_DESCENT, 4),
    ):
        assert len(rows) == count
        assert {len(row) for row in rows} == {len(heads)}
    first = theory_readings.by_order(study)[0]
    assert (first[0], first[1], first[-1]) == ("unaligned", "1.00, 1.00", "1.00")
    assert [row[2] for row in theory_readings.by_layer(study)] == ["unaligned", "aligned"] * 2
    assert [row[0] for row in theory_readings.of_descent(study)] == ["0.01", "10⁻⁴", "10⁻⁶", "10⁻⁸"]


def test_numbers_are_those_half_way(study):
    record, found = study["bounds/0"], theory_readings.summaries(study)
    assert found["aligned midpoint loss"].mean == record.series["l2_pre train cross_entropy"][2]
    assert found["aligned looseness"].mean > 1
    share = record.number("l2_pre train bound") / record.number("unaligned train bound")
    assert found["share of bound"].mean == pytest.approx(100 * share)
    assert found["times by biases"].mean > 1


def test_words_are_dashes_where_nothing_is_recorded(study):
    nothing, said = theory_readings.words(None, "x"), theory_readings.words(study, "x")
    assert set(nothing.values()) == {"–"}
    assert nothing.keys() == said.keys()
    assert (said["x first width"], said["x first accepted"]) == ("0.01", "0")
    assert (said["x last width"], said["x last accepted"]) == ("10⁻⁸", "1")


def test_the_scorecard_says_what_was_run(study):
    (row,) = theory_claims.scorecard({"here": study}, {})
    assert row["recorded"] == "not run"
    (row,) = theory_claims.scorecard({}, {"here": study})
    assert "% of the unaligned one" in row["recorded"]
    assert row["verdict"].endswith("claims hold")


def test_the_scorecard_has_this_build_s_numbers_of_the_same_subject_or_of_its_own(study):
    (row,) = theory_claims.scorecard({"here": study}, {"here": study})
    assert row["build"] == row["recorded"]
    (row,) = theory_claims.scorecard({"here": study}, {"there": study})
    assert row["build"] == f"here: {row['recorded']}"


def test_a_descent_that_ends_sooner_with_narrower_corners_is_counted(study):
    (claim,) = [c for c in theory_claims.claims(study) if c.text.startswith("the narrower")]
    assert claim.holds
    last = len(study["descent"].series["deltas"]) - 1
    stopped = {f"accepted {last}": [True, False]}
    found = changed(study, "descent", stopped)
    (claim,) = [c for c in theory_claims.claims(found) if c.text.startswith("the narrower")]
    assert not claim.holds
    assert not claim.insisted
    assert claim.found == "0, 1, 1, 0, the widest first"
