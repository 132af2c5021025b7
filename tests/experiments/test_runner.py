"""A plan becomes records: once, in any number of processes, stopped or not."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets import sources
from modeconn_lib.datasets.images import MissingData
from modeconn_lib.experiments import runner, tasks
from modeconn_lib.experiments.neuron_alignment import learned_curves
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.experiments.runner import Options, run, run_one
from modeconn_lib.experiments.steps import STEPS
from modeconn_lib.results.store import MissingTensors, Store
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime, Recipe

HERE = Options(jobs=1, profile="tiny")
read_once = cache(runner.load)


@pytest.fixture(autouse=True)
def images_read_once(monkeypatch):
    """Every run looks for its data set before it works; here it need not be unpacked anew."""
    monkeypatch.setattr(runner, "load", read_once)


@pytest.fixture(autouse=True)
def one_thread():
    """Results depend on the number of threads; the tests may have come with any."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_work(monkeypatch):
    """Return a function after which every step fails."""

    def fail(_):
        raise AssertionError("a step was carried out")

    def forbid():
        for name in STEPS:
            monkeypatch.setitem(STEPS, name, fail)

    return forbid


@pytest.fixture
def carried_out(monkeypatch):
    """The steps carried out so far, in order."""
    found = []

    def spy(name, step):
        def carry_out(given):
            found.append(name)
            return step(given)

        return carry_out

    for name, step in list(STEPS.items()):
        monkeypatch.setitem(STEPS, name, spy(name, step))
    return found


def content(records):
    """What records hold, without how long it took."""
    return {
        name: (
            record.key,
            {k: v for k, v in record.scalars.items() if not k.endswith("seconds")},
            record.series,
            record.tensors,
        )
        for name, record in records.items()
    }


def tensor_file(store, task):
    record = store.get(task.key, task.step)
    return store.local / task.step / f"{record.tensors['sha256'][:16]}.safetensors"


def remove(store, task):
    (store.local / task.step / f"{task.key[:16]}.json").unlink()


def spoil(path):
    """Change one byte in the middle of a file; its size stays."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_two_processes_give_what_one_gives_under_the_keys_of_the_plan(tiny, tmp_path):
    chapter = learned_curves.plan(tiny)
    one = run(chapter, Store(tmp_path / "one"), HERE)
    two = run(chapter, Store(tmp_path / "two"), Options(jobs=2, profile="tiny"))
    assert content(one) == content(two)
    assert {name: record.key for name, record in two.items()} == {
        name: task.key for name, task in chapter.items()
    }
    assert {record.provenance["profile"] for record in two.values()} == {"tiny"}


def test_a_second_run_computes_nothing(plan, store, no_work):
    first = run(plan, store, HERE)
    no_work()
    assert run(plan, store, HERE) == first


def test_only_what_is_missing_is_computed(plan, store, carried_out):
    first = run(plan, store, HERE)
    remove(store, plan["curve"])
    carried_out.clear()
    assert content(run(plan, store, HERE)) == content(first)
    assert carried_out == ["curve"]


def test_missing_tensors_of_an_input_are_computed_again(plan, store, carried_out):
    first = run(plan, store, HERE)
    tensor_file(store, plan["B"]).unlink()
    remove(store, plan["along"])
    carried_out.clear()
    assert content(run(plan, store, HERE)) == content(first)
    assert carried_out == ["endpoint", "along"]


def test_missing_tensors_that_nobody_wants_are_not_computed_again(plan, store, no_work):
    first = run(plan, store, HERE)
    for name in ("A", "B", "alignment", "curve"):
        tensor_file(store, plan[name]).unlink()
    no_work()
    assert run(plan, store, HERE) == first


def test_tensors_damaged_unseen_are_set_aside_and_computed_again(plan, store, carried_out):
    first = run(plan, store, HERE)
    spoil(tensor_file(store, plan["A"]))
    remove(store, plan["curve"])
    carried_out.clear()
    with pytest.warns(UserWarning, match=r"is damaged.* moved to .*\.damaged"):
        again = run(plan, store, HERE)
    assert content(again) == content(first)
    assert carried_out == ["curve", "endpoint", "curve"]


def test_a_step_that_keeps_no_tensors_for_one_that_wants_them_ends_the_run(
    plan, store, monkeypatch
):
    step = STEPS["alignment"]
    monkeypatch.setitem(STEPS, "alignment", lambda given: replace(step(given), tensors=None))
    with pytest.raises(MissingTensors, match="keeps no tensors"):
        run(plan, store, HERE)


class Clock:
    """Time that passes only when somebody looks: one second a look."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 1.0
        return self.now


def test_a_run_stopped_again_and_again_gives_the_same_records(plan, tmp_path, monkeypatch):
    whole = run(plan, Store(tmp_path / "whole"), HERE)
    monkeypatch.setattr(runner, "time", Clock())
    store, stopped_in = Store(tmp_path / "stopped"), []
    for _ in range(50):
        try:
            records = run(plan, store, replace(HERE, time_limit=7.0))
            break
        except OutOfTime as stop:
            stopped_in.append(str(stop))
    assert {"stopped in epoch 1 of 2", "stopped in epoch 2 of 2"} <= set(stopped_in)
    assert content(records) == content(whole)
    assert not list((store.local / "scratch").iterdir())


def test_a_time_limit_that_has_passed_stops_before_the_first_task(plan, store, monkeypatch):
    monkeypatch.setattr(runner, "time", Clock())
    with pytest.raises(OutOfTime, match="stopped before network A of pair 1"):
        run(plan, store, replace(HERE, time_limit=1.0))
    assert not list(store.local.glob("*/*.json"))


def test_missing_data_is_found_before_any_work(store, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "SYSTEM", tmp_path / "system")
    wanted = setting(profile="tiny", dataset="cifar10")
    with pytest.raises(MissingData, match="of cifar10 were not found; looked for"):
        run(learned_curves.plan(wanted), store, HERE)
    assert not store.local.exists()


def test_a_task_that_fails_in_a_process_of_its_own_ends_the_run_with_its_error(tiny, store):
    wild = replace(tiny.numbers, endpoint=Recipe(epochs=2, learning_rate=1e30))
    plan = learned_curves.plan(replace(tiny, numbers=wild))
    with pytest.raises(NonFiniteLoss, match="train with a smaller one"):
        run(plan, store, Options(jobs=2))
    assert not list(store.local.glob("*/*.json"))


@pytest.mark.parametrize(("jobs", "threads"), [(0, 1), (1, 4), (2, 2), (3, 1), (9, 1)])
def test_the_threads_do_not_depend_on_how_much_is_left_to_do(
    tiny, store, monkeypatch, jobs, threads
):
    monkeypatch.setattr(runner, "cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    torch.set_num_threads(4)
    options = Options(jobs=jobs)
    assert [options.processes(n) for n in (1, 99)] == [1, jobs or 4]
    record = run({"": tasks.endpoint(tiny, 0, 0)}, store, options)[""]
    assert record.provenance["threads"] == threads
    assert torch.get_num_threads() == 4


def test_no_more_threads_are_used_than_torch_was_given(monkeypatch):
    monkeypatch.setattr(runner, "cores", lambda: 4)
    assert Options(jobs=1).threads() == 1


def test_one_task_is_made_alone(plan, store, carried_out):
    for name in ("A", "B", "alignment"):
        record = run_one(plan[name], store, HERE)
        assert record.key == plan[name].key
    assert carried_out == ["endpoint", "endpoint", "alignment"]
    run_one(plan["A"], store, HERE)
    assert len(carried_out) == 3


def test_one_task_is_made_again_for_its_tensors(plan, store, carried_out):
    run_one(plan["A"], store, HERE)
    digest = tensor_file(store, plan["A"]).read_bytes()
    tensor_file(store, plan["A"]).unlink()
    run_one(plan["A"], store, HERE)
    assert carried_out == ["endpoint", "endpoint"]
    assert tensor_file(store, plan["A"]).read_bytes() == digest


def test_one_task_without_its_inputs_is_refused(plan, store):
    run_one(plan["A"], store, HERE)
    message = f"alignment of pair 1 needs network B of pair 1.*--task {plan['B'].key[:16]}"
    with pytest.raises(Refusal, match=message):
        run_one(plan["alignment"], store, HERE)
    run_one(plan["B"], store, HERE)
    tensor_file(store, plan["A"]).unlink()
    with pytest.raises(Refusal, match="needs network A of pair 1"):
        run_one(plan["alignment"], store, HERE)


def test_progress_adds_up_to_the_expected_work(plan, store, monkeypatch):
    seen = []

    class Spy(runner.Display):
        def __exit__(self, *error):
            seen.append((self.bar.n, self.bar.total, self.count))
            super().__exit__(*error)

    monkeypatch.setattr(runner, "Display", Spy)
    run(plan, store, HERE)
    cost = sum(task.cost for task in in_order(plan.values()))
    assert seen == [(cost, cost, 5)]
