"""Chapter 27: what is counted, what is recovered, and what the benchmark says."""

import json

import pytest

from modeconn_lib.experiments.git_rebasin import symmetries
from modeconn_lib.experiments.parameters import parameters, setting, settings
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

PUBLISHED = {"mlp_3x512": 3498, "vgg16": 35160, "resnet50": 55109}


def made_up(exact=(True, True), sweeps=(3, 4), counts=PUBLISHED) -> Study:
    records = {
        f"count/{row}": Record(
            "symmetries",
            1,
            {"row": row},
            scalars={"published": n, "exponent": n + 1.5, "groups": 3, "layers": 4},
        )
        for row, n in counts.items()
    }
    records["count/own"] = Record("symmetries", 1, {}, scalars={"exponent": 12.0})
    for i, (found, passes) in enumerate(zip(exact, sweeps, strict=True)):
        records[f"recovery/{i}"] = Record(
            "recovery",
            1,
            {"i": i},
            scalars={"exact": found, "sweeps": passes, "exact_of_all": True},
            series={"exact": [found, True], "units": [1.0, 1.0], "reached": [1.0, 1.0]},
        )
    return Study(symmetries.CHAPTER.name, "smoke", {"subject": "x"}, records)


def test_fresh_networks_need_no_images_and_trained_ones_their_training():
    fresh, trained, *_ = settings(None, parameters(profile="quick"), symmetries.PROFILES)
    assert {task.data for task in symmetries.plan(fresh).values()} == {""}
    plan = symmetries.plan(trained)
    assert plan["recovery/1"].inputs == (plan["endpoint/1"],)
    assert plan["endpoint/0"].config["dataset"] == "fashion_mnist_small"


def test_every_subject_counts_the_rows_of_table_1_and_itself():
    wanted = setting(profile="smoke", profiles=symmetries.PROFILES)
    plan = symmetries.plan(wanted)
    assert list(plan)[:4] == [*(f"count/{row}" for row in PUBLISHED), "count/own"]
    assert plan["count/own"].config["architecture"] == "mlp_small"
    assert plan["count/resnet50"].config["shape"] == [3, 64, 64]


def test_the_reader_chooses_networks_and_how_many():
    wanted = setting(profile="smoke", architecture="tinyten", pairs=3, profiles=symmetries.PROFILES)
    plan = symmetries.plan(wanted)
    assert [name for name in plan if name.startswith("recovery")] == [
        f"recovery/{i}" for i in range(3)
    ]
    assert plan["recovery/0"].config["architecture"] == "tinyten"
    assert len({plan[f"recovery/{i}"].config["seed"] for i in range(3)}) == 3


def test_claims_hold_of_records_that_bear_them_out():
    assert all(claim.holds for claim in symmetries.claims(made_up()))


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        ({"counts": PUBLISHED | {"vgg16": 35168}}, [0]),
        ({"exact": (True, False)}, [1]),
        ({"sweeps": (3, 5)}, [2]),
        ({"exact": (False, False)}, [1, 2]),
    ],
)
def test_a_claim_fails_with_the_record_it_rests_on(wrong, broken):
    found = symmetries.claims(made_up(**wrong))
    assert [i for i, claim in enumerate(found) if not claim.holds] == broken


def test_a_search_that_failed_does_not_count_its_passes():
    study = made_up(exact=(False, True), sweeps=(50, 2))
    (row,) = symmetries.recoveries({"here": study})
    assert row == ["here", "12.0", "1 of 2", "2 to 2", "2 of 2 (of 2 searches)"]


def test_summaries_are_in_percent_of_networks():
    said = symmetries.summaries(made_up(exact=(False, True)))
    assert (said["found at once"].mean, said["found in all searches"].mean) == (50, 100)
    assert said["passes"].mean == 3.5


def test_times_are_read_from_the_benchmark_beside_the_papers(tmp_path):
    rows = [{"name": "full", "milliseconds": 400.0}, {"name": "ours", "milliseconds": 210.0}]
    for network in ("mlp", "tinyten", "torchvision:resnet50"):
        found = {
            "what": {"network": network},
            "rows": rows,
            "provenance": {"device": "abacus"},
        }
        path = tmp_path / f"weight_matching-{network.replace(':', '-')}-cpu-1.json"
        path.write_text(json.dumps(found))
    assert symmetries.times(tmp_path) == [
        ["mlp", "0.21", "0.40", "abacus", "3"],
        ["tinyten", "0.21", "0.40", "abacus", "–"],
        ["torchvision:resnet50", "0.21", "0.40", "abacus", "33"],
    ]
    assert symmetries.times_text(symmetries.times(tmp_path)).endswith("on: abacus.")


def test_the_papers_times_are_said_in_words():
    assert symmetries.published_times() == (
        "3 seconds for the MLP, 33 seconds for ResNet50, 194 seconds for ResNet20 × 32"
    )


def test_without_a_benchmark_the_page_says_so(tmp_path):
    assert symmetries.times(tmp_path) == []
    assert symmetries.times_text([]).startswith("No times are recorded yet")


def test_the_scorecard_has_the_table_and_every_subject():
    rows = symmetries.scorecard({"x": made_up()}, {"x": made_up(exact=(True, False))})
    assert rows[0]["recorded"] == "3498, 35160, 55109"
    assert rows[1]["recorded"] == "1 of 2, in 3 to 3 passes"
    assert rows[1]["verdict"] == "1 of 2 claims hold"
