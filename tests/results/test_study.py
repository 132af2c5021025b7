"""A study gives its records by name."""

import pytest

from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

STUDY = Study(
    "13_learned_curves",
    "quick",
    {"pairs": 2},
    {
        "pair 0 / aligned": Record(
            "curve",
            1,
            {"seed": 0},
            provenance={
                "commit": "0123456789abcdef",
                "dirty": True,
                "device": "cpu",
                "seconds": 2.5,
            },
        ),
        "pair 1 / aligned": Record("curve", 1, {"seed": 1}, provenance={"commit": "f" * 40}),
        "mean": Record("mean", 1, {}),
    },
)


def test_a_record_is_found_by_its_name():
    assert STUDY["pair 1 / aligned"].config == {"seed": 1}


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match=r"no record 'naive' in study '13_learned_curves'; .* mean"):
        STUDY["naive"]


def test_select_keeps_the_names_with_a_prefix_in_order():
    assert list(STUDY.select("pair ")) == ["pair 0 / aligned", "pair 1 / aligned"]
    assert STUDY.select("pair 1")["pair 1 / aligned"] is STUDY["pair 1 / aligned"]


def test_records_called_alike_in_every_pair_are_found_together_and_no_others():
    names = ["along/0/aligned/line", "along/0/pam_aligned/line", "along/1/aligned/line"]
    names += ["along/10/aligned/line", "curve/1/aligned/line", "along/1/aligned", "along/2"]
    records = {name: Record("along", 1, {"name": name}) for name in names}
    study = Study("13_learned_curves", "quick", {}, records)
    found = [record.config["name"] for record in study.over_pairs("along", "aligned/line")]
    assert found == [names[0], names[2], names[3]]
    assert study.over_pairs("along", "line") == []


def test_the_provenance_table_has_a_row_for_each_record_and_marks_changed_code():
    first, second, third = STUDY.provenance_table()
    assert first["record"] == "pair 0 / aligned"
    assert first["key"] == STUDY["pair 0 / aligned"].key[:16]
    assert (first["device"], first["seconds"]) == ("cpu", 2.5)
    assert first["commit"] == "0123456789 + changes"
    assert second["commit"] == "ffffffffff"
    assert third["commit"] is None
    assert first.keys() == second.keys() == third.keys()
