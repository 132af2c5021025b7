"""Planes: what is planned, what the step finds, and what the page says of it."""

from dataclasses import asdict, replace

import pytest
import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import lerp, params_of
from modeconn_lib.evaluation.planes import through
from modeconn_lib.experiments.neuron_alignment import learned_curves, plane_tasks, planes
from modeconn_lib.experiments.neuron_alignment.plane_steps import measure_plane
from modeconn_lib.experiments.parameters import parameters, setting, settings
from modeconn_lib.experiments.profiles import SMOKE
from modeconn_lib.experiments.runner import Options
from modeconn_lib.experiments.work import Work
from modeconn_lib.paths.curves import bezier
from modeconn_lib.permutation.apply import permute
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.fit import OutOfTime
from modeconn_lib.training.metrics import measure
from tests.figures.planes_of import TINY, study

CONFIG = {
    "dataset": "fashion_mnist_small",
    "architecture": "mlp_small",
    "augmentation": "shift_flip",
    "test_examples": 40,
    "statistics_examples": 20,
    "sets": ["test"],
    "around": [[-0.05, 1.05], [-0.1, 1.5]],
    "resolution": 3,
    "points": 3,
}


def plan(**given):
    return planes.plan(setting(None, planes.PROFILES, profile="smoke", **given))


def test_three_planes_are_planned_for_every_pair():
    assert list(plan(pairs=1)) == [
        "endpoint/0/A",
        "endpoint/0/B",
        "alignment/0",
        "curve/0/unaligned",
        "curve/0/aligned",
        "plane/0/networks",
        "plane/0/unaligned",
        "plane/0/aligned",
    ]


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_networks_and_curves_are_those_of_chapter_13(name):
    mine = planes.plan(setting(None, planes.PROFILES, profile=name, pairs=1))
    other = learned_curves.plan(setting(None, learned_curves.PROFILES, profile=name, pairs=1))
    shared = [label for label in mine if not label.startswith("plane/")]
    assert {mine[label].key for label in shared} <= {task.key for task in other.values()}


@pytest.mark.parametrize("name", planes.PROFILES)
def test_profiles_differ_from_the_curves_own_only_in_what_is_measured(name):
    free = ("pairs", "resolution", "points", "statistics_examples", "measure_examples")
    same = [asdict(one) for one in learned_curves.PROFILES[name]]
    for numbers in planes.PROFILES[name]:
        mine = asdict(numbers)
        assert any(all(mine[f] == one[f] for f in mine if f not in free) for one in same)
        assert numbers.resolution >= 3
        assert numbers.points % 2 == 1  # the middle of a path is measured


def test_the_published_planes_are_17_by_17_with_the_published_margins():
    numbers = planes.PROFILES["paper"][0]
    wanted = replace(setting(None, planes.PROFILES, profile="smoke"), numbers=numbers)
    found = {name: plane_tasks.plane(wanted, 0, name).config for name in plane_tasks.PLANES}
    assert {config["resolution"] for config in found.values()} == {17}
    assert found["networks"]["around"] == [[-0.05, 1.05], [-0.05, 1.05]]
    assert found["aligned"]["around"] == found["unaligned"]["around"]
    assert found["aligned"]["around"] == [[-0.05, 1.05], [-0.1, 1.5]]
    assert found["networks"]["test_examples"] == 10_000


def test_planes_depend_on_what_they_go_through_alone():
    tasks = plan(pairs=1)
    steps = {
        name: [task.step for task in tasks[f"plane/0/{name}"].inputs]
        for name in ("networks", "unaligned", "aligned")
    }
    assert steps == {
        "networks": ["endpoint", "endpoint", "alignment"],
        "unaligned": ["endpoint", "endpoint", "curve"],
        "aligned": ["endpoint", "endpoint", "alignment", "curve"],
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"architecture": "nonsense"}, "unknown architecture 'nonsense'; known: "),
        ({"dataset": "nowhere"}, "unknown data set 'nowhere'"),
        ({"pairs": -1}, "parameter 'pairs' is -1: "),
        ({"profile": "huge"}, "unknown profile 'huge'; known: smoke"),
        ({"resolution": 5}, "unknown parameter 'resolution'; known: "),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(wrong, said):
    with pytest.raises(Refusal, match=said) as refused:
        settings(None, parameters(**{"profile": "smoke", **wrong}), planes.PROFILES)
    assert "\n" not in str(refused.value)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A function that returns the work of a plane of two fresh networks."""
    monkeypatch.delenv("MODECONN_DATA", raising=False)

    def make(which, **changes) -> Work:
        names = {"networks": ("alignment",), "unaligned": ("curve",)}
        inputs = ("a", "b", *names.get(which, ("alignment", "curve")))
        made = Work(
            config={**CONFIG, "through": which},
            records=tuple(Record(name, 1, {}) for name in inputs),
            tensors=lambda record: given[record.step],
            machine=Machine.reference(),
            data=None,
            folder=tmp_path,
            cost=100,
            **{"out_of_time": lambda: False, "progress": lambda done: None, **changes},
        )
        a, b, c = (made.fresh_network(seed)[1] for seed in (1, 2, 3))
        g = torch.Generator().manual_seed(0)
        sizes = made.trace().spec.sizes.items()
        shuffle = {name: torch.randperm(units, generator=g) for name, units in sizes}
        learned = [name for name, _ in made.network().named_parameters()]
        given = {
            "a": a,
            "b": b,
            "alignment": shuffle,
            "curve": {name: c[name] for name in learned},
        }
        return made

    return make


def networks_of(work):
    a, b, shuffle, c = (work.tensors(Record(n, 1, {})) for n in ("a", "b", "alignment", "curve"))
    return a, b, permute(b, work.trace().spec, shuffle), c


def loss_of(work, params):
    """The test loss of a network, measured the plain way."""
    module = work.network()
    images = work.in_order("test", CONFIG["test_examples"])
    whole = reestimate(module, params, work.statistics(), work.exact)
    return measure(module, whole, images, work.exact).loss


def test_the_plane_of_the_networks_has_the_lines_to_b_and_to_its_twin(work):
    made = work("networks")
    found = measure_plane(made).series
    a, b, twin, _ = networks_of(made)
    assert found["networks"] == ["A", "B", "πB"]
    assert found["networks y"] == pytest.approx([0, 0, 1], abs=1e-9)
    assert max(found["networks distance"]) < 1e-9
    for way, end in (("unaligned line", b), ("aligned line", twin)):
        wanted = [loss_of(made, lerp(a, end, t)) for t in (0.0, 0.5, 1.0)]
        assert found[f"{way} test_loss"] == pytest.approx(wanted, rel=1e-5)
    assert found["aligned line y"] == pytest.approx([0, 0.5, 1], abs=1e-6)


@pytest.mark.parametrize("kind", ["unaligned", "aligned"])
def test_the_plane_of_a_curve_has_the_curve_and_the_line_below(work, kind):
    made = work(kind)
    found = measure_plane(made)
    a, b, twin, c = networks_of(made)
    end = twin if kind == "aligned" else b
    curve = bezier(a, {**a, **c}, end)
    assert found.series["networks"] == ["A", "πB" if kind == "aligned" else "B", "r(½)"]
    wanted = [loss_of(made, curve.at(t)) for t in (0.0, 0.5, 1.0)]
    assert found.series[f"{kind} curve test_loss"] == pytest.approx(wanted, rel=1e-5)
    assert found.series[f"{kind} curve y"] == pytest.approx([0, 1, 0], abs=1e-6)
    assert max(found.series[f"{kind} curve distance"]) < 1e-6 * found.scalars["length"]
    half = loss_of(made, lerp(a, end, 0.5))
    assert found.series[f"{kind} line test_loss"][1] == pytest.approx(half, rel=1e-5)


def test_rows_of_the_grid_go_up_and_columns_go_across(work):
    made = work("unaligned")
    found = measure_plane(made).series
    a, b, _, c = networks_of(made)
    plane = through(made.network(), a, b, bezier(a, {**a, **c}, b).at(0.5))
    assert (found["x"], found["y"]) == ((-0.05, 0.5, 1.05), pytest.approx((-0.1, 0.7, 1.5)))
    flat = torch.empty(plane.layout.size)
    for row, column in ((0, 2), (2, 0), (1, 1)):
        plane.write(found["x"][column], found["y"][row], flat)
        wanted = loss_of(made, {**params_of(made.network()), **plane.layout.views(flat)})
        assert found["test_loss"][row][column] == pytest.approx(wanted, rel=1e-5)


def test_a_plane_that_is_cut_off_gives_the_same_record(work):
    whole = measure_plane(work("aligned"))
    for path in work("aligned").folder.iterdir():
        path.unlink()
    asked, seen = iter([False] * 4 + [True]), []
    with pytest.raises(OutOfTime, match="stopped after 4 of 15 points"):
        measure_plane(work("aligned", out_of_time=lambda: next(asked)))
    again = measure_plane(work("aligned", progress=seen.append))
    assert again == whole
    assert len(seen) == 1 + 15 - 4


def test_with_an_alignment_that_changes_nothing_there_is_no_plane(work):
    made = work("networks")
    a, b, *_ = networks_of(made)
    same = {n: torch.arange(units) for n, units in made.trace().spec.sizes.items()}
    given = {"a": a, "b": b, "alignment": same}
    with pytest.raises(ValueError, match="three networks lie on one line"):
        measure_plane(replace(made, tensors=lambda record: given[record.step]))


def test_numbers_are_read_from_the_planes_they_are_of():
    s = planes.summaries(study())
    assert s["unaligned line loss"].mean == pytest.approx((0.5 + 2 * 2.5 + 0.5) / 4)
    assert s["aligned line barrier"].mean == pytest.approx(0.2)
    assert s["unaligned curve loss"].mean == pytest.approx((0.5 + 2 * 0.8 + 0.5) / 4)
    assert s["unaligned line midpoint"].mean == pytest.approx(20)
    assert s["unaligned share"].mean == pytest.approx(100 / 3)
    assert s["aligned share"].mean == pytest.approx(100 * 2 / 3)


def test_the_triangle_of_the_networks_is_measured_in_true_lengths():
    s = planes.summaries(study())
    assert s["distance A to B"].mean == 10
    assert s["distance A to πB"].mean == pytest.approx((4**2 + 8**2) ** 0.5)
    assert s["distance B to πB"].mean == pytest.approx(10)
    assert s["angle at A"].mean == pytest.approx(63.43494882)


def test_claims_hold_where_the_planes_bear_them_out():
    found = planes.claims(study())
    assert [claim.holds for claim in found] == [True] * 6
    assert [claim.insisted for claim in found] == [True] * 5 + [False]


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"aligned line test_loss": [0.5, 4.0, 0.5]}, 0),
        ({"aligned line test_accuracy": [0.8, 0.1, 0.8]}, 1),
        ({"unaligned curve test_loss": [0.5, 4.0, 0.5]}, 2),
        ({"aligned line test_loss": [0.5, 0.7, 0.6]}, 3),
        ({"aligned curve distance": [0.0, 1e-3, 0.0]}, 4),
        ({"aligned grid": [[0.1] * 3] * 3}, 5),
    ],
)
def test_each_claim_fails_where_they_do_not(changes, broken):
    found = planes.claims(study(**changes))
    assert [i for i, claim in enumerate(found) if not claim.holds] == [broken]


def test_words_say_how_finely_a_plane_was_measured():
    assert planes.words("build", study()) == {
        "build grid": "3 × 3",
        "build seen": "2,000",
        "build statistics": "1,000",
    }
    assert set(planes.words("recorded", None).values()) == {"–"}


def test_the_scorecard_says_both_lines_of_every_subject():
    (row,) = planes.scorecard({"TinyTen on Little": study()}, {})
    assert row["recorded"] == "not run"
    assert row["build"] == "1.500 / 0.600 (n = 1)"
    assert row["verdict"] == "reproduced: 6 of 6 claims hold"
    (row,) = planes.scorecard({}, {"TinyTen on Little": study()})
    assert (row["recorded"], row["build"]) == ("1.500 / 0.600 (n = 1)", "–")


def test_a_chapter_runs_and_is_read_again(monkeypatch, store):
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    monkeypatch.setitem(planes.PROFILES, "smoke", (TINY,))
    wanted = setting(None, planes.PROFILES, profile="smoke")
    (found,) = planes.run(wanted, store, Options(jobs=1)).values()
    assert isinstance(found, Study)
    series = found["plane/0/aligned"].series
    assert len(series["test_loss"]) == len(series["test_loss"][0]) == SMOKE.points
    assert planes.recorded(wanted, store) == {}
    again = planes.run(wanted, store, Options(jobs=1))
    assert next(iter(again.values())).records == found.records
