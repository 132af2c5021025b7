"""A table of what was spent has the rows that play a part, and says them in words."""

from dataclasses import asdict, replace

import pytest

from modeconn_lib.experiments import subject_pages
from modeconn_lib.experiments.claims import Claim
from modeconn_lib.experiments.git_rebasin import merging_many, merging_profiles, onset
from modeconn_lib.experiments.pages import protocol
from modeconn_lib.experiments.profiles import PROFILES, SMOKE
from modeconn_lib.experiments.protocols import NOTHING, PROTOCOL, plays_a_part
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from tests.figures.records import study


def of(numbers, *steps) -> Study:
    """A study of one record of each of these steps."""
    config = {**asdict(numbers), "dataset_title": "Little, 8 images", "insists": False}
    records = {f"{step}/0": Record(step, 1, {"step": step}) for step in steps}
    return Study("some", "smoke", config, records)


def rows(found: Study) -> set[str]:
    lines = subject_pages.protocols({"one": found}, "tab-x").text.splitlines()
    return {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")}


@pytest.mark.parametrize(
    ("steps", "there", "not_there"),
    [
        (
            ("endpoint", "weights", "along"),
            {
                "random orders of weight matching",
                "points on a path",
                "images for the training loss",
            },
            {"images to match units on", "training of the estimator", "epochs kept"},
        ),
        (
            ("endpoint", "alignment", "estimator"),
            {
                "images to match units on",
                "training of the estimator",
                "batch size of the estimator",
            },
            {"points on a path", "rounds of merging at most", "networks merged"},
        ),
        (("snapshots", "onset"), {"epochs kept", "points on a path"}, {"images to match units on"}),
        (
            ("endpoint", "merger"),
            {"networks merged", "rounds of merging at most", "of these, seen by each network"},
            {"points on a path", "random orders of weight matching"},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_row_is_there_if_a_record_depends_on_it(steps, there, not_there):
    many = merging_many.PROFILES["smoke"][1]
    found = rows(of(replace(many, epochs=(0, 1), estimator=SMOKE.endpoint), *steps))
    assert there <= found
    assert not not_there & found
    assert {"training images", "test images", "computed on"} <= found


def test_only_networks_with_batch_norm_have_a_row_on_its_statistics():
    what = "images for batch-norm statistics"
    assert what in rows(of(SMOKE, "along"))
    assert what not in rows(of(merging_profiles.TINY_MLP, "along"))


def test_of_two_studies_the_one_without_a_part_in_a_row_has_a_dash():
    shown = {"one": of(SMOKE, "alignment"), "two": of(SMOKE, "weights")}
    text = subject_pages.protocols(shown, "tab-x").text
    assert "| images to match units on | 128 | – |" in text
    assert "| random orders of weight matching | – | 1 |" in text


def test_the_protocol_of_a_single_subject_has_the_same_rows():
    text = protocol(study(), None, "tab-x").text
    assert "| images to match units on | 10,000 | – | 128 |" in text
    assert "| penalty of curves | 0.0005 | – | 0.0005 |" in text
    assert "random orders" not in text


def test_a_recipe_says_the_optimiser_and_the_weight_decay():
    read = PROTOCOL["training of networks"]
    mnist, cifar = (asdict(numbers) for numbers in onset.PROFILES["paper"])
    assert read(mnist) == "25 epochs of Adam, constant, rate 0.001, weight decay 0"
    assert read(cifar) == (
        "100 epochs of SGD, cosine after 1 epoch of warm-up, rate 0.1, weight decay 0.0005"
    )


@pytest.mark.parametrize(
    ("epochs", "words"),
    [((0, 1), "0, 1"), ((0, 1, 2, 3), "all from 0 to 3"), ((0, 2, 5), "0, 2, 5"), ((), NOTHING)],
)
def test_epochs_kept_are_listed_or_said_to_be_all(epochs, words):
    assert PROTOCOL["epochs kept"]({"epochs": epochs}) == words


@pytest.mark.parametrize("name", PROTOCOL)
def test_every_row_is_said_of_every_profile(name):
    for numbers in (*PROFILES.values(), *merging_many.PROFILES["paper"], *onset.PROFILES["paper"]):
        assert PROTOCOL[name](asdict(numbers))


def test_a_row_that_every_step_depends_on_is_always_there():
    assert plays_a_part("batch size", of(SMOKE, "onset"))


def test_every_subjects_verdict_is_said():
    claims = {"smoke": [Claim("a", True, "1")], "quick": [Claim("a", False, "1")]}
    both = {name: replace(of(SMOKE, "along"), profile=name) for name in claims}
    said = subject_pages.verdicts_of(both, lambda found: claims[found.profile])
    assert said == "smoke: reproduced: 1 of 1 claims hold; quick: 0 of 1 claims hold"
    assert subject_pages.verdicts_of({}, lambda found: []) == NOTHING
