"""The records of a robust curve, made of a network that takes no time."""

from dataclasses import replace

import pytest
import torch

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.neuron_alignment import robust_curves, robust_tasks
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.results.store import Store
from modeconn_lib.training.attacks import Attack
from modeconn_lib.training.fit import Recipe
from tests.experiments.tiny import TINY

NUMBERS = replace(
    TINY,
    architecture="tinyten",
    augmentation="shift_flip_raw",
    train_examples=32,
    test_examples=20,
    endpoint=Recipe(epochs=1),
    curve=Recipe(epochs=1, weight_decay=0.0),
    align_examples=16,
    statistics_examples=20,
    points=3,
    attack=Attack(epsilon=0.1, step=0.1, steps=1),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The plan and the records of one pair."""
    asked = setting(None, robust_curves.PROFILES, profile="smoke")
    plan = robust_curves.plan(replace(asked, numbers=NUMBERS))
    store = Store(tmp_path_factory.mktemp("robust") / "store")
    return plan, run(plan, store, Options(jobs=1)), store


def test_a_robust_network_has_accuracies_without_and_with_the_attack(found):
    _, records, _ = found
    record = records["endpoint/0/A"]
    assert record.number("robust_loss") > record.number("test_loss")
    assert 0 <= record.number("robust_accuracy") <= record.number("test_accuracy") <= 1


def test_counters_have_counted_the_batches_and_no_step_of_the_attack(found):
    _, records, store = found
    tensors = store.tensors(records["endpoint/0/A"])
    counters = [v for name, v in tensors.items() if name.endswith("num_batches_tracked")]
    assert counters
    assert all(int(counter) == 32 // NUMBERS.batch_size for counter in counters)


def test_a_path_is_measured_with_both_kinds_of_statistics(found):
    _, records, _ = found
    for kind in ("unaligned", "aligned"):
        series = records[f"along/0/{kind}/curve"].series
        assert series["t"] == [0.0, 0.5, 1.0]
        for statistics in ("clean", "attacked"):
            for what in ("loss", "accuracy", "robust_loss", "robust_accuracy"):
                assert len(series[f"{statistics} {what}"]) == 3
        assert series["clean loss"] != series["attacked loss"]


def test_aligned_and_unaligned_curves_end_at_the_same_functions(found):
    _, records, _ = found
    one, other = (records[f"along/0/{kind}/curve"].series for kind in ("unaligned", "aligned"))
    for end in (0, -1):
        assert one["clean loss"][end] == pytest.approx(other["clean loss"][end], rel=1e-4)
    assert records["alignment/0"].number("equivalence_error") < 1e-10


def test_the_barriers_are_those_of_the_series(found):
    _, records, _ = found
    record = records["along/0/unaligned/curve"]
    losses = record.series["attacked robust_loss"]
    wanted = max(losses) - (losses[0] + losses[-1]) / 2
    assert record.number("attacked robust_barrier") == pytest.approx(wanted)


def test_the_check_has_every_attack_at_every_t_and_says_the_toolboxs_version(found):
    plan, records, _ = found
    for kind, points in (("unaligned", 3), ("aligned", 1)):
        record = records[f"check/0/{kind}"]
        assert len(record.series["t"]) == points
        names = ("clean", "apgd_ce", "apgd_dlr", "square")
        falling = [record.series[name] for name in names]
        assert all(len(values) == points for values in falling)
        for values in zip(*falling, strict=True):
            assert list(values) == sorted(values, reverse=True)
        assert record.scalars["toolbox_version"].count(".") == 2
    assert plan["check/0/aligned"].config["t"] == [0.5]


def test_both_kinds_of_curve_are_learned_and_differ(found):
    _, records, store = found
    one, other = (store.tensors(records[f"curve/0/{k}"]) for k in ("unaligned", "aligned"))
    assert one.keys() == other.keys()
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


def test_the_attacks_numbers_are_in_every_key_that_depends_on_them():
    asked = setting(None, robust_curves.PROFILES, profile="smoke")
    first = replace(asked, numbers=NUMBERS)
    plan = robust_curves.plan(first)
    for changed in ({"epsilon": 0.2}, {"step": 0.2}, {"steps": 2}, {"random_start": False}):
        attack = replace(NUMBERS.attack, **changed)
        other = robust_curves.plan(replace(first, numbers=replace(NUMBERS, attack=attack)))
        assert all(task.key != other[name].key for name, task in plan.items())


def test_robust_networks_are_not_the_plain_ones_of_the_same_seed():
    asked = replace(setting(None, robust_curves.PROFILES, profile="smoke"), numbers=NUMBERS)
    robust, plain = robust_tasks.robust_endpoint(asked, 0, 0), tasks.endpoint(asked, 0, 0)
    assert robust.config["seed"] == plain.config["seed"]
    assert robust.key != plain.key
