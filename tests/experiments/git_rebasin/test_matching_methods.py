"""Chapter 21: what is claimed of the three methods, and the published numbers on ImageNet."""

import pytest

from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.git_rebasin import matching_methods
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

BARRIERS = {"naive": 1.0, "activations": 0.1, "weights": 0.2, "estimator": 0.15}


def made_up(dataset: str = "cifar10", moved: tuple[float, ...] = (0.0, 2.0), **test) -> Study:
    end = {"test_accuracy": 0.9, "test_loss": 0.3}
    records = {f"endpoint/0/{side}": Record("endpoint", 1, {}, scalars=end) for side in "AB"}
    for pair, epoch in enumerate(moved):
        for method, barrier in (BARRIERS | test).items():
            scalars = {
                "barrier_test": barrier,
                "barrier_train": barrier,
                "midpoint_accuracy": 0.8,
            }
            series = {"t": [0.0, 0.5, 1.0], "test_loss": [0.3, 0.3 + barrier, 0.3]}
            records[f"along/{pair}/{method}/line"] = Record(
                "along", 1, {"of": method}, series=series, scalars=scalars
            )
        records[f"matching/{pair}/estimator"] = Record(
            "estimator", 1, {}, scalars={"best_epoch": epoch}
        )
    config = {"dataset": dataset, "insists": True}
    return Study(matching_methods.CHAPTER.name, "quick", config, records)


def ranking(study: Study):
    return matching_methods.claims(study)[-1]


def test_the_papers_ranking_is_claimed_and_not_insisted_on():
    study = made_up()
    assert not ranking(study).holds  # activations are lower
    assert not ranking(study).insisted
    check_claims(study, matching_methods.claims(study))
    assert ranking(made_up(estimator=0.05)).holds


def test_any_other_claim_that_fails_stops_the_page():
    study = made_up(weights=0.7)
    with pytest.raises(AssertionError, match="matching weights lowers"):
        check_claims(study, matching_methods.claims(study))


def test_the_page_says_in_how_many_pairs_the_estimator_moved():
    claim = matching_methods.claims(made_up(moved=(0.0, 2.0, 0.0)))[-2]
    assert "of 3 pairs it found a better order than the first in 1" in claim.found


def test_imagenets_numbers_are_those_of_the_authors_code():
    rows = matching_methods.imagenet()
    assert [row[0] for row in rows] == ["0", "0.5", "0.5", "1"]
    assert all(len(row) == len(matching_methods.IMAGENET_COLUMNS) for row in rows)
    words = matching_methods.imagenet_words()
    # (7.144 - 0.96015, 2.3146 - 0.96015), and 1 - 1.35445 / 6.18385
    assert words == {"imagenet naive": "6.18", "imagenet matched": "1.35", "imagenet fall": "78"}
