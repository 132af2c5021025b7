"""What the result of each step depends on, and what it does not."""

from dataclasses import replace

import pytest

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapters import CHAPTERS, chapter
from modeconn_lib.experiments.neuron_alignment import correlation_signature, learned_curves
from modeconn_lib.experiments.parameters import parameters, setting, settings
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.experiments.steps import STEPS
from tests.experiments.tiny import TINY

ALL = {"endpoint", "alignment", "curve", "along", "units", "pam"}


def plan(wanted):
    """The tasks of both chapters by a name that does not depend on their keys."""
    return {**correlation_signature.plan(wanted), **learned_curves.plan(wanted)}


def changed(before, after):
    """The steps of which every task has another key; those of which only some have stay out."""
    kinds: dict[str, set[bool]] = {}
    for name, task in before.items():
        kinds.setdefault(task.step, set()).add(task.key != after[name].key)
    return {step for step, found in kinds.items() if found == {True}}


def unchanged(before, after):
    return ALL - {task.step for name, task in before.items() if task.key != after[name].key}


def with_numbers(wanted, **numbers):
    return replace(wanted, numbers=replace(wanted.numbers, **numbers))


@pytest.mark.parametrize(
    ("numbers", "all_of", "none_of"),
    [
        ({"train_examples": 65}, ALL, set()),
        ({"test_examples": 41}, ALL, set()),
        ({"batch_size": 17}, ALL, set()),
        ({"endpoint_batch_size": 17}, ALL, set()),
        ({"endpoint_batch_size": TINY.batch_size}, set(), ALL),
        ({"augmentation": "none"}, ALL, set()),
        ({"align_examples": 33}, {"alignment", "units"}, {"endpoint"}),
        ({"penalty": 1e-3}, {"curve"}, {"endpoint", "alignment"}),
        ({"points": 4}, {"along"}, {"endpoint", "alignment", "curve", "units"}),
        ({"measure_examples": 33}, {"along"}, {"endpoint", "alignment", "curve", "units"}),
        ({"statistics_examples": 33}, {"along", "units"}, {"endpoint", "alignment", "curve"}),
        ({"claims": True}, set(), ALL),
    ],
    ids=lambda value: "" if isinstance(value, set) else next(iter(value)),
)
def test_a_number_changes_the_keys_of_the_steps_that_use_it(tiny, numbers, all_of, none_of):
    before, after = plan(tiny), plan(with_numbers(tiny, **numbers))
    assert changed(before, after) >= all_of
    assert unchanged(before, after) >= none_of


def test_recipes_change_what_they_train(tiny):
    before = plan(tiny)
    ends = plan(with_numbers(tiny, endpoint=replace(tiny.numbers.endpoint, learning_rate=0.05)))
    curves = plan(with_numbers(tiny, curve=replace(tiny.numbers.curve, learning_rate=0.05)))
    assert changed(before, ends) == ALL
    assert changed(before, curves) == {"curve", "pam"}
    assert unchanged(before, curves) == {"endpoint", "alignment"}


def test_the_seed_changes_everything_that_is_random_or_hangs_on_it(tiny):
    assert changed(plan(tiny), plan(setting(profile="tiny", seed=1))) == ALL


def test_the_name_of_the_profile_changes_nothing(tiny, monkeypatch):
    monkeypatch.setitem(PROFILES, "another", PROFILES["tiny"])
    assert unchanged(plan(tiny), plan(setting(profile="another"))) == ALL


def test_the_images_are_read_once_for_a_plan_if_they_have_to_be_read(tiny, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(tasks, "fingerprint", lambda *place: read.append(place) or "digest")
    found = plan(replace(tiny, data=tmp_path))
    assert read == [("fashion_mnist_small", tmp_path)]
    assert {task.data for task in found.values()} == {"digest"}


def test_more_pairs_leave_the_first_ones_as_they_are(tiny):
    few, many = plan(tiny), plan(setting(profile="tiny", pairs=3))
    assert unchanged(few, many) == ALL
    assert len(many) == 3 * len(few)


def test_the_networks_of_all_pairs_are_different(tiny):
    wanted = setting(profile="tiny", pairs=3)
    keys = {tasks.endpoint(wanted, pair, side).key for pair in range(3) for side in (0, 1)}
    assert len(keys) == 6


@pytest.mark.parametrize("step", sorted(ALL))
def test_another_version_of_a_step_changes_its_keys_and_those_after_it(tiny, step, monkeypatch):
    before = plan(tiny)
    monkeypatch.setitem(tasks.VERSIONS, step, 99)
    after = plan(tiny)
    hangs_on_it = {
        name
        for name, task in before.items()
        if any(needed.step == step for needed in in_order([task]))
    }
    assert {name for name in before if before[name].key != after[name].key} == hangs_on_it


def test_chapters_share_the_tasks_that_are_the_same(tiny):
    one, other = correlation_signature.plan(tiny), learned_curves.plan(tiny)
    common = {t.key for t in in_order(one.values())} & {t.key for t in in_order(other.values())}
    shared = {t.step for t in in_order(one.values()) if t.key in common}
    assert shared == {"endpoint", "alignment", "curve", "pam"}
    assert len(common) == 7


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_task_of_every_chapter_can_be_carried_out_and_is_named(name):
    found = in_order(chapter(name).plan(setting(profile="smoke")).values())
    assert {task.step for task in found} <= STEPS.keys()
    assert all(task.label and task.cost > 0 for task in found)
    # Several subjects have a network A of pair 1 each.
    if len(settings(None, parameters(profile="smoke"), chapter(name).profiles)) == 1:
        labels = [task.label for task in found if task.step != "units"]
        assert len(set(labels)) == len(labels)


def test_every_step_has_a_version_and_the_other_way_round():
    assert tasks.VERSIONS.keys() == STEPS.keys()
