"""PAM's chapter: its tasks and step, and what the page says of the records."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from modeconn_lib.experiments.claims import check_claims
from modeconn_lib.experiments.neuron_alignment import learned_curves, pam, pam_tasks
from modeconn_lib.experiments.neuron_alignment.pam_steps import parts
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.runner import Options
from modeconn_lib.experiments.runner import run as run_plan
from modeconn_lib.experiments.steps import STEPS
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import check_permutations
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

# Of each kind: average and minimum accuracy, training loss.
CURVES = {
    "unaligned": (0.80, 0.70, 0.6),
    "pam_unaligned": (0.82, 0.75, 0.5),
    "pam_aligned": (0.85, 0.84, 0.41),
    "aligned": (0.852, 0.842, 0.4),
}


def study(profile: str = "smoke", **changes) -> Study:
    """Two pairs with the paper's findings; `changes` are of CURVES, or of PAM's records."""
    curves = CURVES | {kind: changes.pop(kind) for kind in CURVES if kind in changes}
    found = {
        "candidate_losses": [1.0, 0.9, 0.8, 0.95],
        "begins_nearest": [True, True],
        "kept": [0.5, 0.7],
        "relaxed_loss": [1.2, 1.3, 1.1],
        **{name: value for name, value in changes.items() if isinstance(value, list)},
    }
    numbers = {name: value for name, value in changes.items() if not isinstance(value, list)}
    records = {}
    for pair in (0, 1):
        records[f"endpoint/{pair}/A"] = Record("endpoint", 1, {}, scalars={"test_accuracy": 0.9})
        for kind, (average, minimum, loss) in curves.items():
            is_pam = kind in pam.STARTS
            scalars = {"train_loss": loss}
            if is_pam:
                scalars |= {
                    "loss_before": 1.0,
                    "loss_after": 0.8,
                    "moved": 0.2 if kind == "pam_unaligned" else 0.01,
                    "lowest": -1e-4 * (pair + 1),
                    "relaxing_seconds": 60.0,
                    "choosing_seconds": 30.0,
                    **numbers,
                }
            step = "pam" if is_pam else "curve"
            series = found if is_pam else {}
            records[f"curve/{pair}/{kind}"] = Record(
                step, 1, {"kind": kind}, scalars=scalars, series=series
            )
            records[f"along/{pair}/{kind}/curve"] = Record(
                "along",
                1,
                {"kind": kind},
                scalars={
                    "average_accuracy_arc": average,
                    "average_accuracy_uniform": average,
                    "minimum_accuracy": minimum,
                    "barrier_test": 0.1,
                },
            )
    config = {**asdict(pam.PROFILES[profile][0]), "insists": True}
    return Study(pam.CHAPTER.name, profile, config, records)


def held(found: Study) -> list[bool]:
    return [claim.holds for claim in pam.claims(found)]


def test_curves_and_networks_are_those_of_the_chapter_on_learned_curves():
    wanted = setting(None, pam.PROFILES, profile="smoke", pairs=1)
    plan, other = pam.plan(wanted), learned_curves.plan(wanted)
    assert {name for name in other if name not in plan} == {
        "along/0/unaligned/line",
        "along/0/aligned/line",
    }
    assert all(task.key == other[name].key for name, task in plan.items())


def test_both_starts_see_the_same_batches_and_differ_in_the_alignment():
    wanted = setting(None, pam.PROFILES, profile="smoke")
    one, other = (pam_tasks.pam(wanted, 0, aligned=aligned) for aligned in (False, True))
    assert one.config["seed"] == other.config["seed"]
    assert other.inputs[:2] == one.inputs
    assert other.inputs[2].step == "alignment"
    for path in (pam_tasks.along, lambda *a, **k: pam_tasks.units(*a, **k, end=0)):
        assert path(wanted, 0, aligned=True).inputs == (*one.inputs, other)
        assert path(wanted, 0, aligned=False).inputs == (*one.inputs, one)


def test_what_pam_depends_on_is_in_its_key_and_what_is_measured_is_not():
    wanted = setting(None, pam.PROFILES, profile="smoke")

    def key(**numbers):
        changed = replace(wanted, numbers=replace(wanted.numbers, **numbers))
        return pam_tasks.pam(changed, 0, aligned=False).key

    for numbers in (
        {"candidates": 3},
        {"permutation": replace(wanted.numbers.permutation, learning_rate=0.1)},
        {"curve": replace(wanted.numbers.curve, epochs=2)},
        {"penalty": 0.0},
        {"statistics_examples": 64},
    ):
        assert key(**numbers) != key()
    assert key(points=9, measure_examples=64, pairs=3) == key()


@pytest.mark.parametrize("name", pam.PROFILES)
def test_every_profile_trains_permutations(name):
    for numbers in pam.PROFILES[name]:
        assert numbers.permutation is not None
        assert numbers.permutation.momentum == numbers.permutation.weight_decay == 0
        assert numbers.candidates > 0
        assert architecture(numbers.architecture)


@pytest.mark.parametrize("aligned", [False, True])
def test_the_step_finds_permutations_and_a_curve_that_is_measured(tiny, store, aligned):
    plan = {
        "pam": pam_tasks.pam(tiny, 0, aligned=aligned),
        "along": pam_tasks.along(tiny, 0, aligned=aligned),
        "units": pam_tasks.units(tiny, 0, aligned=aligned, end=1),
        **learned_curves.plan(tiny),
    }
    records = run_plan(plan, store, Options(jobs=1))
    found = records["pam"]
    permutations, point = parts(store.tensors(found))
    sizes = dict(zip(found.series["group"], found.series["units"], strict=True))
    check_permutations(PermutationSpec(sizes, {}), permutations)
    start = store.tensors(records["alignment/0"])
    begun = start if aligned else {g: torch.arange(len(p)) for g, p in permutations.items()}
    away = sum(int((p != begun[g]).sum()) for g, p in permutations.items())
    assert found.number("moved") == pytest.approx(away / sum(sizes.values()))
    assert found.number("loss_after") <= found.number("loss_before")
    assert found.number("loss_before") == found.series["candidate_losses"][0]
    assert len(found.series["candidate_losses"]) == 2 + tiny.numbers.candidates
    assert point.keys() == store.tensors(records["curve/0/unaligned"]).keys()
    ends = [records[f"endpoint/0/{side}"].number("test_accuracy") for side in "AB"]
    measured = records["along"].series["test_accuracy"]
    assert [measured[0], measured[-1]] == pytest.approx(ends)
    assert json.loads(json.dumps(dict(found.series))) == dict(found.series)


def test_its_steps_are_known():
    wanted = setting(None, pam.PROFILES, profile="smoke", pairs=1)
    assert {task.step for task in in_order(pam.plan(wanted).values())} <= STEPS.keys()


def test_numbers_are_those_of_the_records():
    s = pam.summaries(study())
    assert s["pam_unaligned curve minimum"].mean == pytest.approx(75)
    assert s["pam_unaligned units moved"].mean == pytest.approx(20)
    assert s["pam_aligned units moved"].mean == pytest.approx(1)
    assert s["pam_aligned mass kept"].mean == pytest.approx(60)
    assert s["pam_aligned loss of the projection"].mean == pytest.approx(0.9)
    assert s["pam_aligned loss before"].mean == 1.0
    assert s["pam_aligned loss after"].mean == 0.8
    assert s["pam_aligned minutes"].mean == pytest.approx(1.5)


def test_the_papers_findings_bear_out_every_claim():
    assert all(held(study()))
    check_claims(study(), pam.claims(study()))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"loss_after": 1.1}, 0),
        ({"pam_unaligned": (0.79, 0.75, 0.5)}, 1),
        ({"pam_unaligned": (0.82, 0.69, 0.5)}, 1),
        ({"pam_unaligned": (0.82, 0.75, 0.7)}, 1),
        ({"pam_unaligned": (0.86, 0.75, 0.5)}, 2),
        ({"pam_unaligned": (0.82, 0.843, 0.5)}, 2),
        ({"pam_aligned": (0.84, 0.84, 0.41)}, 3),
        ({"pam_aligned": (0.85, 0.85, 0.41)}, 3),
        ({"moved": 0.1}, 4),
        ({"candidate_losses": [1.0, 0.8, 0.8]}, 5),
        ({"candidate_losses": [1.0, 0.8]}, 5),
        ({"begins_nearest": [True, False]}, 6),
    ],
)
def test_each_claim_fails_where_the_records_say_otherwise(changes, broken):
    assert [i for i, holds in enumerate(held(study(**changes))) if not holds] == [broken]


@pytest.mark.parametrize("losses", [[1.1, 1.0, 1.2], [1.1]])
def test_a_relaxed_loss_that_does_not_fall_is_said_of_either_start(losses):
    found = study(relaxed_loss=losses)
    assert [i for i, holds in enumerate(held(found)) if not holds] == [7, 8]
    text = pam.claims(found)[8].found
    assert text == f"in 0 of 2 runs, 1.100 to {losses[-1]:.3f} nats on average"


def test_what_is_the_papers_is_not_insisted_on():
    check_claims(study(moved=0.1), pam.claims(study(moved=0.1)))
    risen = study(loss_after=1.1)
    with pytest.raises(AssertionError, match="never raises the loss along the straight line"):
        check_claims(risen, pam.claims(risen))


def test_the_scorecard_has_a_row_for_each_start():
    recorded = study("standard")
    rows = pam.scorecard({}, {"TinyTen on CIFAR-10": recorded})
    assert rows[0]["claim"].startswith("Table 1, TinyTen on CIFAR-10: PAM unaligned curve less un")
    assert [row["paper"] for row in rows] == ["+0.2 / +1.2", "-0.1 / -0.2"]
    assert [row["recorded"] for row in rows] == ["+2.0 / +5.0", "-0.2 / -0.2"]
    assert [row["build"] for row in rows] == ["–", "–"]
    built = pam.scorecard({"here": study()}, {})
    assert [row["recorded"] for row in built] == ["not run", "not run"]
    assert [row["build"] for row in built] == ["+2.0 / +5.0", "-0.2 / -0.2"]
    assert [row["paper"] for row in built] == ["–", "–"]


def test_what_the_rounds_left_is_said_of_every_study():
    assert pam.words({"here": study()}, {}) == {
        "build most negative entry": "-2 × 10⁻⁴",
        "recorded most negative entry": "–",
    }


def test_rounds_leave_less_and_less_and_exact_sums():
    rows = pam.rounds(units=16)
    assert [row[0] for row in rows] == ["0", "1", "2", "5", "10", "20", "40"]
    left, off = ([number(row[column]) for row in rows] for column in (1, 2))
    assert left == sorted(left)
    assert left[0] < -1e-3
    assert off[0] > 1e-3
    assert all(value < 1e-12 for value in off[1:])


def number(text: str) -> float:
    """Read what may be written as a power of ten."""
    factor, _, power = text.rpartition("10⁻")
    if not power or text == power:
        return float(text)
    exponent = int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")))
    return float(factor.removesuffix(" × ") or 1) * 10**-exponent
