"""Chapters 11 and 13: their plans, what they claim of records, and what they set side by side."""

from dataclasses import replace
from statistics import fmean

import pytest

from modeconn_lib.experiments.neuron_alignment import correlation_signature, learned_curves
from modeconn_lib.experiments.parameters import parameters, settings
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from tests.figures.records import record, study

HERE = {"dataset": "cifar10", "architecture": "tinyten", "subject": "TinyTen on CIFAR-10"}


def of(subject: dict = HERE, **options) -> Study:
    """The study of the figures' tests, on some network and data set, with endpoints."""
    one = study(**options)
    ends = {
        f"endpoint/{pair}/{name}": record("endpoint", name, {}, test_accuracy=0.9)
        for pair in range(one.config["pairs"])
        for name in "AB"
    }
    records = {
        name: measured(found) if name.startswith("along/") else found
        for name, found in one.records.items()
    }
    return Study(one.name, one.profile, {**one.config, **subject}, {**records, **ends})


def measured(path: Record) -> Record:
    """A path with the numbers that the step makes of its series."""
    accuracy, loss = path.series["test_accuracy"], path.series["test_loss"]
    scalars = {
        "average_accuracy_arc": fmean(accuracy),
        "average_accuracy_uniform": fmean(accuracy),
        "minimum_accuracy": min(accuracy),
        "midpoint_accuracy": accuracy[1],
        "barrier_test": max(loss) - (loss[0] + loss[-1]) / 2,
    }
    return replace(path, scalars=scalars)


def swapped(one: Study) -> Study:
    """The same records with the aligned and the unaligned ones in each other's place."""
    other = {"aligned": "unaligned", "unaligned": "aligned"}
    records = {
        "/".join(other.get(part, part) for part in name.split("/")): found
        for name, found in one.records.items()
    }
    return Study(one.name, one.profile, one.config, records)


@pytest.mark.parametrize("chapter", [learned_curves, correlation_signature])
def test_a_profile_without_a_recipe_for_permutations_has_no_pam(tiny, chapter):
    without = replace(tiny, numbers=replace(tiny.numbers, permutation=None))
    some, more = chapter.plan(without), chapter.plan(tiny)
    assert some == {name: task for name, task in more.items() if "pam_" not in name}
    assert len(more) > len(some)


def test_the_claims_hold_where_alignment_helps_and_fail_where_it_harms():
    good = of()
    assert [c.holds for c in learned_curves.claims(good)][1:] == [True] * 3
    assert not any(c.holds for c in learned_curves.claims(swapped(good)))


def test_the_midpoint_of_the_line_has_to_be_twice_as_accurate():
    first = learned_curves.claims(of())[0]
    assert first.found == "20.5 % to 40.5 %"
    assert not first.holds
    assert learned_curves.claims(of(shift=-0.05))[0].holds  # 15.5 % to 35.5 %


@pytest.mark.parametrize("chapter", [learned_curves, correlation_signature])
def test_claims_are_insisted_on_for_the_page_s_first_subjects_alone(chapter):
    for name in ("fashion_mnist_small", "cifar10", "cifar100"):
        claims = chapter.claims(of({**HERE, "dataset": name, "architecture": "tinyten"}))
        assert any(claim.insisted for claim in claims)
    for other in ({"dataset": "tiny_imagenet"}, {"architecture": "resnet32"}):
        assert not any(claim.insisted for claim in chapter.claims(of({**HERE, **other})))


def test_a_signature_that_falls_in_one_layer_is_noticed():
    good = of()
    assert correlation_signature.claims(good)[0].holds
    ends = good["alignment/0"]
    fallen = {**ends.series, "test_after": [-1.0, *ends.series["test_after"][1:]]}
    bad = {f"alignment/{pair}": replace(ends, series=fallen) for pair in range(2)}
    one = Study(good.name, good.profile, good.config, {**good.records, **bad})
    claim = correlation_signature.claims(one)[0]
    assert not claim.holds
    assert claim.found.startswith("3 of 4 layers")


def test_the_record_of_the_same_subject_is_set_beside_a_build():
    built = {"b": of()}
    assert learned_curves.beside(built, {}) == (built["b"], None)
    records = {"a": of(shift=0.1), "b": of(shift=0.2)}
    assert learned_curves.beside(built, records) == (built["b"], records["b"])
    assert learned_curves.beside({"c": built["b"]}, records)[1] is records["a"]


def test_the_paper_s_protocol_is_that_of_the_network_and_the_images():
    rates = {
        name: learned_curves.published_profile(of({**HERE, "dataset": name})).curve.learning_rate
        for name in ("cifar10", "cifar100", "tiny_imagenet", "fashion_mnist_small")
    }
    assert rates == {
        "cifar10": 0.01,
        "cifar100": 0.1,
        "tiny_imagenet": 0.01,
        "fashion_mnist_small": 0.01,
    }


def test_the_paper_s_subjects_are_the_cells_of_its_first_table():
    found = settings(None, parameters(profile="paper"), learned_curves.PROFILES)
    assert len(found) == 9
    with_pam = {one.architecture for one in found if one.numbers.permutation}
    assert with_pam == {"tinyten", "resnet32"}
    whole = {one.numbers.train_examples for one in found if one.dataset.name == "tiny_imagenet"}
    assert whole == {100_000}


def test_the_scorecard_has_a_row_for_each_subject_and_kind_of_the_records():
    built, records = {"x": of(shift=0.1)}, {"x": of(), "y": of()}
    rows = learned_curves.scorecard(built, records)
    assert [row["claim"].partition(",")[0] for row in rows] == ["Table 1"] * 4
    assert rows[0]["paper"] == "87.4 ± 0.1 / 82.8 ± 0.5"
    assert rows[0]["build"] != "–" == rows[2]["build"]
    assert learned_curves.scorecard(built, {})[0]["recorded"] == "not run"
    signatures = correlation_signature.scorecard(built, records)
    assert [row["build"] == "–" for row in signatures] == [False, True]
