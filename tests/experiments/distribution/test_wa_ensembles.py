"""Chapter 34: ensembles with a shared backbone, and what they cost."""

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments import subject_pages
from modeconn_lib.experiments.distribution import deep_networks, ensemble_pages, wa_ensembles
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options
from modeconn_lib.figures import ensembles as draw
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study


@pytest.fixture(scope="module")
def tiny_study(tmp_path_factory):
    wanted = setting(None, wa_ensembles.PROFILES, profile="smoke")
    store = Store(tmp_path_factory.mktemp("store"))
    (study,) = wa_ensembles.run(wanted, store, Options(jobs=1, profile="smoke")).values()
    return study


def test_every_layer_but_the_first_can_be_where_members_part(tiny_study):
    assert list(tiny_study.select("shared/")) == ["shared/fc2", "shared/fc"]
    assert wa_ensembles.from_the_end(tiny_study) == {"fc2": 2, "fc": 1}
    assert len(wa_ensembles.splits("vgg16")) == 15


def test_its_first_networks_are_the_pairs_of_chapter_32_where_both_train_alike():
    given = {"profile": "standard", "dataset": "cifar10", "architecture": "conv2fc1"}
    ensemble, pairs = (
        chapter.plan(setting(None, chapter.PROFILES, **given))
        for chapter in (wa_ensembles, deep_networks)
    )
    for side, i in (("A", 0), ("B", 1)):
        assert pairs[f"endpoint/0/{side}"].key == ensemble[f"member/{i}"].key


def test_of_one_member_all_ensembles_are_the_first_network(tiny_study):
    first = tiny_study["member/0"].number("test_accuracy")
    for name in ("independent", "shared/fc2", "shared/fc"):
        assert tiny_study[name].series["accuracy"][0] == pytest.approx(first)
        assert tiny_study[name].series["members"] == [1, 2]
    assert tiny_study["shared/fc"].series["averaged_accuracy"][0] == pytest.approx(first)
    alone = tiny_study["independent"].series["alone_accuracy"]
    expected = [tiny_study[f"member/{i}"].number("test_accuracy") for i in range(2)]
    assert alone == pytest.approx(expected)


def test_a_backbone_is_paid_once_and_the_rest_by_every_member(tiny_study):
    one = tiny_study["independent"].scalars
    hidden, last = (28 * 28 * 64, 64 * 32), 32 * 10
    assert one["multiply_adds"] == sum(hidden) + last
    series = tiny_study["shared/fc2"].series
    assert series["multiply_adds"] == [hidden[0] + n * (hidden[1] + last) for n in (1, 2)]
    series = tiny_study["shared/fc"].series
    assert series["multiply_adds"] == [sum(hidden) + n * last for n in (1, 2)]
    assert series["parameters"][0] == one["parameters"]
    assert series["parameters"][1] - series["parameters"][0] == last + 10


def test_the_table_counts_in_single_networks(tiny_study):
    rows = {row[0]: row[1:] for row in wa_ensembles.table(tiny_study)}
    assert rows["single network"][2:] == ["1", "1"]
    assert rows["independent"][2:] == ["2", "2"]
    assert rows["WA(1): shared up to fc"][2:] == ["1.01", "1.01"]
    assert rows["WA(1), averaged to one network"][2:] == ["1.00", "1.00"]


def test_claims_and_scorecard_have_the_studys_numbers(tiny_study):
    found = wa_ensembles.claims(tiny_study)
    assert len(found) == 5
    summaries = wa_ensembles.summaries(tiny_study)
    assert found[0].holds == (
        summaries["independent ensemble"].mean
        >= max(summaries["WA(1)"].mean, summaries["WA(2)"].mean)
    )
    (row,) = wa_ensembles.scorecard({}, {"here": tiny_study})
    assert row["recorded"].endswith("(2 networks)")


def test_other_networks_are_refused():
    wanted = setting(None, wa_ensembles.PROFILES, profile="smoke", architecture="tinyten")
    with pytest.raises(Refusal, match="chapter 34_wa_ensembles is about chains"):
        wa_ensembles.plan(wanted)


def test_the_page_counts_networks_and_no_pairs(tiny_study):
    table = subject_pages.protocols({"here": tiny_study}, "tab").text
    assert "networks asked together" in table
    assert "images to adjust layers on" in table
    assert "pairs of networks" not in table
    assert "networks to learn a connection on" not in table


def test_figures_have_the_records_numbers(tiny_study):
    shown = {"here": tiny_study}
    found, cost = ensemble_pages.by_members(shown)["here"], ensemble_pages.by_cost(shown)["here"]
    assert list(found) == ["independent networks", "WA(2)", "WA(1)"]
    expected = [100 * v for v in tiny_study["shared/fc2"].series["accuracy"]]
    assert found["WA(2)"] == ([1, 2], expected)
    assert cost["independent networks"][0] == [1, 2]
    assert cost["WA(1)"][0] == pytest.approx([1, 1.01], abs=0.01)
    assert cost["WA(1)"][1] == found["WA(1)"][1]
    alone = ensemble_pages.single(shown)
    for picture in (
        draw.by_members({"here": found}, alone),
        draw.by_cost({"here": cost}, alone),
    ):
        (axes,) = picture.panels
        assert len(axes.get_lines()) == 4
    whole = draw.by_members({"here": found}, alone).panels[0].get_xticks()
    assert all(tick == round(tick) for tick in whole)  # there is no half of a network
    assert "WA(1), fc" in ensemble_pages.residuals(shown, "tab").text


def test_of_many_splits_the_first_the_last_and_some_between_are_drawn():
    series = {"members": [1, 2], "accuracy": [0.5, 0.6], "multiply_adds": [1, 2]}
    records = {"independent": Record("ask_together", 1, {}, scalars={}, series=series)}
    layers = [f"shared/conv{i}" for i in range(15)]
    records |= {name: Record("share_backbone", 1, {}, scalars={}, series=series) for name in layers}
    found = ensemble_pages.by_members({"": Study("34", "paper", {}, records)})[""]
    assert list(found) == [
        "independent networks",
        *(f"WA({n})" for n in (15, 11, 8, 5, 1)),
    ]
