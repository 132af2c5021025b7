"""A plan: every task once, inputs first, and nothing run that need not be."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.experiments.plan import Task, in_order, work_ahead
from modeconn_lib.experiments.runner import missing
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store


def task(number: int, *inputs: Task, label: str = "", cost: int = 1) -> Task:
    return Task("toy", 1, {"number": number}, inputs, "", label, cost)


@st.composite
def graphs(draw, most: int = 7) -> list[list[int]]:
    """For each task the numbers of its inputs, all of them lower than its own."""
    return [
        draw(st.lists(st.integers(0, number - 1), unique=True)) if number else []
        for number in range(draw(st.integers(1, most)))
    ]


def build(graph: list[list[int]]) -> list[Task]:
    tasks: list[Task] = []
    for number, inputs in enumerate(graph):
        tasks.append(task(number, *(tasks[i] for i in inputs)))
    return tasks


def some(tasks: list[Task], least: int = 0) -> st.SearchStrategy[list[int]]:
    """Numbers of some of the tasks, in any order."""
    return st.lists(st.integers(0, len(tasks) - 1), min_size=least, unique=True)


def put(store: Store, made: Task, *, tensors: bool) -> None:
    """Write the record of a task; a committed record would come without its tensors."""
    inputs = tuple(needed.key for needed in made.inputs)
    record = Record(made.step, made.version, made.config, inputs, made.data)
    record = store.put(record, {"value": torch.zeros(1) + made.config["number"]})
    if not tensors:
        (store.local / "toy" / f"{record.tensors['sha256'][:16]}.safetensors").unlink()


@given(graphs(), st.data())
def test_every_task_and_input_comes_once_and_after_its_inputs(graph, data):
    tasks = build(graph)
    wanted = [tasks[i] for i in data.draw(some(tasks, 1))]
    order = in_order(wanted)
    keys = [t.key for t in order]
    assert len(set(keys)) == len(keys)
    assert {t.key for t in wanted} <= set(keys)
    for place, found in enumerate(order):
        assert {needed.key for needed in found.inputs} <= set(keys[:place])


def reference(wanted: list[Task], store: Store) -> set[str]:
    """The keys to run, by plain recursion: what is wanted with tensors needs them, too."""
    out: set[str] = set()

    def visit(t: Task, tensors: bool) -> None:
        record = store.get(t.key, t.step)
        if record is None or (tensors and not store.has_tensors(record)):
            out.add(t.key)
            for needed in t.inputs:
                visit(needed, True)

    for t in wanted:
        visit(t, False)
    return out


@given(graphs(5), st.data())
def test_what_is_missing_is_what_has_to_be_made(tmp_path_factory, graph, data):
    tasks, store = build(graph), Store(tmp_path_factory.mktemp("store"))
    for i in data.draw(some(tasks)):
        put(store, tasks[i], tensors=data.draw(st.booleans()))
    wanted = [tasks[i] for i in data.draw(some(tasks, 1))]
    todo = missing(wanted, store)
    assert {t.key for t in todo} == reference(wanted, store)
    for t in todo:  # in this order every task finds the tensors of its inputs
        assert all(store.has_tensors(store.get(needed.key, "toy")) for needed in t.inputs)
        put(store, t, tensors=True)
    assert missing(wanted, store) == ()


def test_a_committed_record_without_tensors_will_do_unless_they_are_wanted(tmp_path: Path):
    store = Store(tmp_path)
    end, curve = task(0), task(1, task(0))
    put(store, end, tensors=False)
    assert missing([end], store) == ()
    assert missing([end, curve], store) == (end, curve)
    assert missing([curve, end], store) == (end, curve)


@pytest.mark.parametrize("change", [{"label": "another"}, {"cost": 99}])
def test_the_key_does_not_depend_on_what_the_reader_sees(change):
    assert task(0, **change).key == task(0).key


@pytest.mark.parametrize(
    "other",
    [
        Task("other", 1, {"number": 0}, (), "", "", 1),
        Task("toy", 2, {"number": 0}, (), "", "", 1),
        Task("toy", 1, {"number": 1}, (), "", "", 1),
        Task("toy", 1, {"number": 0}, (task(5),), "", "", 1),
        Task("toy", 1, {"number": 0}, (), "fingerprint", "", 1),
    ],
    ids=["step", "version", "config", "inputs", "data"],
)
def test_the_key_depends_on_all_that_the_result_depends_on(other):
    assert other.key != task(0).key


def test_the_key_depends_on_the_order_of_the_inputs():
    a, b = task(0), task(1)
    assert task(2, a, b).key != task(2, b, a).key


def test_a_changed_task_changes_everything_that_hangs_on_it():
    def tower(first: Task) -> Task:
        return task(2, task(1, first))

    assert tower(task(0)).key != tower(task(9)).key


def test_a_small_task_that_many_wait_for_comes_before_a_large_one():
    matching = task(0, cost=1)
    curve = task(1, matching, cost=50)
    measuring = task(2, curve, cost=10)
    alone = task(3, cost=40)
    ahead = work_ahead(in_order([measuring, alone]))
    assert ahead == {matching.key: 61, curve.key: 60, measuring.key: 10, alone.key: 40}


@given(graph=graphs())
def test_an_input_never_has_less_ahead_than_what_waits_for_it(graph):
    tasks = build(graph)
    ahead = work_ahead(tasks)
    assert all(ahead[i.key] > ahead[t.key] for t in tasks for i in t.inputs)
