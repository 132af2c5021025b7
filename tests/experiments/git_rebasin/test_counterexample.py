"""Chapter 26: one exact record, and what may be asked of it."""

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.evaluation.counterexample import ORDERS
from modeconn_lib.experiments.git_rebasin import counterexample
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

T = [i / 10 for i in range(11)]


def made_up(ends: str = "1", flat: str = "3/4", strict: float = 0.75) -> Study:
    exact = [ends, *[flat] * 9, ends]
    series = {"t": T}
    for order in ORDERS:
        series |= {
            f"{order} exact": exact,
            f"{order} accuracy": [1.0, *[0.75] * 9, 1.0],
            f"{order} strict": [strict] * 11,
            f"{order} leaky": [0.999, *[0.75] * 9, 0.999],
        }
    scalars = {f"{o} {what}": 0.75 for o in ORDERS for what in ("midpoint", "minimum")}
    record = Record("counterexample", 1, {}, series=series, scalars=scalars)
    return Study(counterexample.CHAPTER.name, "smoke", {"subject": "x"}, {"lines": record})


def test_every_profile_plans_the_same_record_without_images():
    plans = [
        counterexample.plan(setting(profile=name, profiles=counterexample.PROFILES))
        for name in ("smoke", "quick", "standard", "paper")
    ]
    assert len({plan["lines"].key for plan in plans}) == 1
    assert plans[0]["lines"].data == ""
    assert "dataset" not in plans[0]["lines"].config


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": "mnist"}, "dataset can only be left empty, got 'mnist'"),
        ({"architecture": "mlp"}, "architecture can only be left empty, got 'mlp'"),
        ({"pairs": 2}, "one pair of networks: pairs is 0 or 1, not 2"),
    ],
)
def test_what_has_no_meaning_here_is_refused(given, said):
    wanted = setting(profiles=counterexample.PROFILES, **given)
    with pytest.raises(Refusal, match=said):
        counterexample.plan(wanted)


def test_claims_hold_of_records_that_bear_them_out():
    assert all(claim.holds for claim in counterexample.claims(made_up()))


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [({"ends": "99/100"}, [0]), ({"flat": "5/8"}, [2]), ({"strict": 0.8}, [4])],
)
def test_a_claim_fails_with_the_record_it_rests_on(wrong, broken):
    found = counterexample.claims(made_up(**wrong))
    assert [i for i, claim in enumerate(found) if not claim.holds] == broken


def test_rows_are_read_at_tenths():
    rows = counterexample.rows(made_up())
    assert rows[0] == ["as written", "1.000", *["0.750"] * 5, "1.000"]
    assert counterexample.fractions(made_up())[3] == ["both swapped", "1", *["3/4"] * 5, "1"]


def test_a_place_without_a_point_is_refused():
    with pytest.raises(ValueError, match=r"no point at 0\.25; there are 11"):
        counterexample.at(made_up(), "as written accuracy", 0.25)


def test_the_scorecard_says_whether_anything_is_recorded():
    study = {"x": made_up()}
    assert counterexample.scorecard(study, {})[0]["recorded"] == "not run"
    assert "both swapped 0.750" in counterexample.scorecard(study, study)[0]["recorded"]
    assert counterexample.scorecard(study, study)[0]["verdict"].startswith("reproduced")
