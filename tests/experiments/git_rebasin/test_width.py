"""The barrier by width: families of networks, and what the page says of them."""

from dataclasses import replace

import pytest
import torch

from modeconn_lib.core.params import params_of
from modeconn_lib.experiments import subject_pages
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.git_rebasin import merging_profiles, width
from modeconn_lib.experiments.git_rebasin.lines import plan as lines_plan
from modeconn_lib.experiments.parameters import parameters, setting, settings
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

BARRIERS = {16: (2.0, 1.2), 32: (2.1, 0.9), 512: (1.9, 0.1)}  # width: naive, matched
NAMES = {16: "mlp_w16", 32: "mlp_w32", 512: "mlp"}


def record(step: str, name: str, series: dict | None = None, **scalars: float) -> Record:
    return Record(step, 1, {"name": name, **scalars}, series=series or {}, scalars=scalars)


def of_width(
    w: int, barriers: tuple[float, float], pairs: int = 2, profile: str = "quick", **config
) -> Study:
    """Pair p has barriers higher by p tenths; every line sags by 0.1 where it is matched."""
    records = {}
    for pair in range(pairs):
        for side in "AB":
            records[f"endpoint/{pair}/{side}"] = record(
                "endpoint", f"{w} {pair} {side}", test_accuracy=0.8, test_loss=0.5
            )
        for method, barrier in zip(width.METHODS, barriers, strict=True):
            dip = 0.1 if method == "weights" else -barrier
            records[f"along/{pair}/{method}/line"] = record(
                "along",
                f"{w} {pair} {method}",
                {"t": [0, 0.5, 1], "test_loss": [0.5, 0.5 - dip, 0.5]},
                barrier_test=barrier + 0.1 * pair,
                barrier_train=barrier,
                midpoint_accuracy=0.5,
            )
    given = {"architecture": NAMES[w], "dataset_title": "Little, 8 images", "insists": True}
    return Study(width.CHAPTER.name, profile, {**given, "pairs": pairs, **config}, records)


def family(barriers: dict[int, tuple[float, float]] = BARRIERS) -> Study:
    (found,) = width.families(of_width(w, b) for w, b in barriers.items()).values()
    return found


def held(barriers: dict[int, tuple[float, float]]) -> list[bool]:
    return [claim.holds for claim in width.claims(family(barriers))]


def test_naive_and_matched_lines_are_planned_for_every_pair():
    wanted = setting(None, width.PROFILES, profile="smoke", pairs=1)
    assert list(width.plan(wanted)) == [
        "endpoint/0/A",
        "endpoint/0/B",
        "along/0/naive/line",
        "matching/0/weights",
        "along/0/weights/line",
    ]


def test_the_widest_perceptrons_are_those_of_the_chapter_on_methods():
    profiles = {"quick": (merging_profiles.SMALL_MLP,)}
    other = lines_plan(setting(None, profiles, profile="quick"), width.METHODS)
    widest = settings(None, parameters(profile="quick"), width.PROFILES)[-1]
    mine = width.plan(widest)
    assert {name: task.key for name, task in mine.items()} == {
        name: task.key for name, task in other.items()
    }


@pytest.mark.parametrize("name", ["mlp_w16", "mlp", "vgg16_layernorm_w8", "resnet20_layernorm_x2"])
def test_width_is_the_number_of_units_of_the_first_layer(name):
    state = torch.random.get_rng_state()
    found = width.width.__wrapped__(name)
    assert torch.equal(torch.random.get_rng_state(), state)
    network = params_of(architecture(name).build((3, 32, 32), 10))
    assert found == len(next(iter(network.values())))


@pytest.mark.parametrize("name", width.PROFILES)
def test_families_get_wider_and_differ_in_nothing_else(name):
    found: dict = {}
    for numbers in width.PROFILES[name]:
        stem = numbers.architecture.partition("_")[0]
        found.setdefault(stem, []).append(numbers)
    for members in found.values():
        wide = [width.width(numbers.architecture) for numbers in members]
        assert wide == sorted(set(wide))
        assert len({replace(numbers, architecture="") for numbers in members}) == 1


def test_a_family_has_its_widths_in_rising_order():
    found = family({512: BARRIERS[512], 16: BARRIERS[16]})
    assert found.config["subject"] == "MLP on Little"
    assert found.config["widths"] == {16: "MLP 3 × 16", 512: "MLP 3 × 512"}
    assert width.widths(found) == [16, 512]
    assert found["512/along/0/weights/line"].number("barrier_test") == 0.1
    assert set(width.at(found, 16).records) == set(of_width(16, (0, 0)).records)


def test_a_width_does_not_get_the_records_of_another_that_begins_like_it():
    found = Study("x", "quick", {}, {"16/a": record("a", "1"), "165/a": record("a", "2")})
    assert list(width.at(found, 16).records) == ["a"]


def test_widths_of_different_profiles_are_not_mixed():
    paper, standard = of_width(16, (1, 1), profile="paper"), of_width(16, (2, 2))
    wider = of_width(32, (2, 2))
    (found,) = width.families([paper, standard]).values()
    assert (found.profile, width.widths(found)) == ("paper", [16])
    (found,) = width.families([paper, standard, wider]).values()
    assert (found.profile, width.widths(found)) == ("quick", [16, 32])


def test_a_family_is_insisted_on_if_every_width_is():
    sure, unsure = of_width(16, (2, 1)), of_width(32, (2, 1), insists=False)
    (found,) = width.families([sure, unsure]).values()
    assert found.config["insists"] is False
    assert family().config["insists"] is True


def test_numbers_are_those_of_the_narrowest_and_the_widest():
    found = width.summaries(family())
    assert found["weights test barrier narrow"].mean == pytest.approx(1.25)
    assert found["weights test barrier wide"].mean == pytest.approx(0.15)
    assert found["naive test barrier wide"].n == 2


def test_barriers_are_read_pair_by_pair():
    found = width.barriers(family())
    assert list(found["weights"]) == [16, 32, 512]
    assert found["naive"][32] == pytest.approx([2.1, 2.2])


def test_the_extremes_of_a_single_width_are_shown_once():
    assert list(width.extremes({"here": family()})) == ["here\nMLP 3 × 16", "here\nMLP 3 × 512"]
    alone = width.extremes({"here": family({16: (2, 1)})})
    assert list(alone) == ["here\nMLP 3 × 16"]


def test_claims_hold_where_the_barrier_falls_with_width():
    assert held(BARRIERS) == [True, True]


def test_claims_fail_where_it_does_not():
    assert held(BARRIERS | {32: (0.9, 2.1)}) == [False, True]
    assert held(BARRIERS | {512: (1.9, 1.3)}) == [True, False]


def test_of_a_single_width_no_trend_is_claimed():
    assert held({16: (2.0, 1.2)}) == [True]


def test_a_table_has_a_row_for_each_width():
    shown = subject_pages.panels({"MLP on Little": family()}, {})
    rows = width.rows(shown)
    assert [row[1] for row in rows] == ["MLP 3 × 16", "MLP 3 × 32", "MLP 3 × 512"]
    assert {len(row) for row in rows} == {len(width.COLUMNS)}
    assert rows[2][2:] == [
        "1.950 ± 0.071",
        "0.150 ± 0.071",
        "0.000 ± 0.000",
        "2 of 2",
        "80.0 ± 0.0",
    ]


def test_the_reach_says_what_the_paper_has_and_what_was_run():
    vgg, resnet, here = width.reach({"MLP on Little": family()}, {})
    assert vgg == ["VGG16 (layer norm) on CIFAR-10", "8, 16, 32, 64, 128, 256", "–", "–"]
    assert resnet[1] == "16, 32, 64, 128, 256, 512"
    assert here == ["MLP on Little", "–", "–", "16, 32, 512"]


def test_words_are_dashes_where_nothing_is_recorded():
    assert set(width.words("recorded", None).values()) == {"–"}
    said = width.words("build", family())
    assert said["build widths"] == "16, 32, 512"
    assert (said["build smallest width"], said["build largest width"]) == ("16", "512")
    assert said["build family"] == "MLP on Little"


def test_the_scorecard_says_barriers_by_width_and_whether_the_paper_has_the_family():
    recorded = {"MLP on Little": family(), "VGG16 (layer norm) on CIFAR-10": family()}
    mine, paper = width.scorecard({}, recorded)
    assert mine["recorded"] == "16: 1.250; 32: 0.950; 512: 0.150 (n = 2)"
    assert mine["paper"] == "not in the paper"
    assert paper["paper"] == "falls with width, to zero for wide networks"
    assert mine["verdict"] == "reproduced: 2 of 2 claims hold"
    (built,) = width.scorecard({"MLP on Little": family()}, {})
    assert built["recorded"] == "not run"


def test_a_single_recorded_width_is_no_recorded_family(monkeypatch, store):
    wanted = setting(None, width.PROFILES, profile="smoke")
    for widths, families in (([16], []), ([16, 512], ["MLP on Little"])):
        studies = {str(w): of_width(w, BARRIERS[w]) for w in widths}
        monkeypatch.setattr(Chapter, "recorded", lambda *_, found=studies: found)
        assert list(width.recorded(wanted, store)) == families
