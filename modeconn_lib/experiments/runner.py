"""Make the records that a plan names and the store lacks.

plan, Store  ->  missing  ->  several processes, inputs before outputs  ->  records

Small networks run best in several one-thread processes side by side. Each task holds its key's
lock and looks again before it works, so two runs at once share work instead of repeating it.
A stopped run leaves checkpoints, and the next one goes on from there.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine, cores
from modeconn_lib.datasets.images import load
from modeconn_lib.datasets.info import SPLITS
from modeconn_lib.experiments.display import Display, Message
from modeconn_lib.experiments.plan import Task, work_ahead
from modeconn_lib.experiments.steps import STEPS
from modeconn_lib.experiments.work import Work
from modeconn_lib.results import provenance
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import MissingTensors, Store
from modeconn_lib.training.fit import OutOfTime

POLL = 0.2  # seconds between looks at running tasks


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a plan.

    Attributes
    ----------
    data
        Folder of prepared data sets, or None for the environment's.
    jobs
        Processes side by side; 0 for one per core, or one in all on a GPU.
    time_limit
        Seconds after which everything stops in good order; None for no limit.
    profile
        Label for the records' provenance.
    """

    data: Path | None = None
    jobs: int = 0
    time_limit: float | None = None
    profile: str = ""

    def processes(self, tasks: int) -> int:
        """Return the number of processes for `tasks` tasks."""
        return max(1, min(self._side_by_side(), tasks))

    def threads(self) -> int:
        """Return the number of threads of each process.

        However few tasks are left: sums of floating-point numbers depend on the threads, and a
        resumed run has to give what an uninterrupted one gives.
        """
        return max(1, min(cores() // self._side_by_side(), torch.get_num_threads()))

    def _side_by_side(self) -> int:
        return self.jobs or (1 if torch.cuda.is_available() else cores())


def missing(plan: Iterable[Task], store: Store) -> tuple[Task, ...]:
    """Return the tasks to run, inputs first.

    A task whose record exists runs again only if its tensors are wanted and are not there: the
    committed records come without large weights.
    """
    found: dict[str, Task] = {}

    def visit(task: Task, *, tensors: bool) -> None:
        if task.key in found:
            return
        record = store.get(task.key, task.step)
        if record is not None and (not tensors or store.has_tensors(record)):
            return
        for needed in task.inputs:
            visit(needed, tensors=True)
        found[task.key] = task

    for task in plan:
        visit(task, tensors=False)
    return tuple(found.values())


def run(plan: Mapping[str, Task], store: Store, options: Options) -> dict[str, Record]:
    """Return the record of every task of `plan`, computing what the store lacks.

    Raises
    ------
    OutOfTime
        If the time limit was reached; what is unfinished is saved and goes on next time.
    MissingData, NonFiniteLoss, DamagedFile
        From the steps; other running tasks are stopped in good order first.
    """
    deadline, before = _deadline(options), None
    while todo := missing(plan.values(), store):
        try:
            _run_all(todo, store, options, deadline)
            break
        except MissingTensors:  # an input was damaged and is set aside: now it is to be made, too
            if todo == before:
                raise
            before = todo
    out = {}
    for name, task in plan.items():
        record = store.get(task.key, task.step)
        if record is None:
            raise RuntimeError(f"no record of {task.label} after it ran")
        out[name] = record
    return out


def run_one(task: Task, store: Store, options: Options) -> Record:
    """Return the record of one task, computing it unless it and its tensors are there.

    For a scheduler that starts every task by itself (`workflow/Snakefile`).

    Raises
    ------
    Refusal
        If an input's record or its tensors are not there.
    OutOfTime, MissingData, NonFiniteLoss, DamagedFile
        As `run`.
    """
    for needed in task.inputs:
        found = store.get(needed.key, needed.step)
        if found is None or not store.has_tensors(found):
            raise Refusal(
                f"{task.label} needs {needed.label}, which is not in {store.local}; make it first: "
                f"--task {needed.key[:16]}"
            )
    _run_all((task,), store, options, _deadline(options))
    return run({"": task}, store, options)[""]


def _deadline(options: Options) -> float | None:
    return None if options.time_limit is None else time.monotonic() + options.time_limit


def _run_all(
    todo: tuple[Task, ...], store: Store, options: Options, deadline: float | None
) -> None:
    for name in {task.config["dataset"] for task in todo if "dataset" in task.config}:
        for split in SPLITS:
            load(name, split, options.data)  # missing or damaged data is found before any work
    processes = options.processes(len(todo))
    job = _Job(store, options.data, deadline, options.profile, options.threads())
    with Display(todo, processes) as display:
        if processes == 1:
            _run_here(todo, job, display)
        else:
            _run_side_by_side(todo, job, display, processes)


def _run_here(todo: tuple[Task, ...], job: "_Job", display: Display) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    try:
        for task in todo:
            display.show(task)
            job.execute(task, display.reporter(task), lambda: False)
            display.finished(task)
    finally:
        torch.set_num_threads(threads)


def _run_side_by_side(
    todo: tuple[Task, ...], job: "_Job", display: Display, processes: int
) -> None:
    by_key = {task.key: task for task in todo}
    order = TopologicalSorter({t.key: [i.key for i in t.inputs if i.key in by_key] for t in todo})
    order.prepare()
    context = multiprocessing.get_context("spawn")  # fork would copy torch's threads, broken
    messages, stop = context.Queue(), context.Event()
    running: dict[Future[None], Task] = {}
    waiting: list[Task] = []
    ahead = work_ahead(todo)
    start = (job, messages, stop)
    with ProcessPoolExecutor(processes, context, _start_worker, start) as pool:
        try:
            while order.is_active():
                waiting += [by_key[key] for key in order.get_ready()]
                waiting.sort(key=lambda task: -ahead[task.key])
                while waiting and len(running) < processes:
                    task = waiting.pop(0)
                    running[pool.submit(_execute, task)] = task
                    display.show(task)
                done, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
                display.read(messages)
                for future in done:
                    task = running.pop(future)
                    future.result()
                    order.done(task.key)
                    display.finished(task)
        except BaseException:
            stop.set()  # the others save themselves and end
            raise


@dataclass(frozen=True)
class _Job:
    """What every worker needs to carry out a task."""

    store: Store
    data: Path | None
    deadline: float | None
    profile: str
    threads: int

    def execute(
        self, task: Task, progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> None:
        """Make the record of one task, unless another process has made it meanwhile."""
        with self.store.lock(task.key):
            record = self.store.get(task.key, task.step)
            if record is not None and (record.tensors is None or self.store.has_tensors(record)):
                return
            started = time.monotonic()
            records = tuple(self._input(needed) for needed in task.inputs)
            machine = Machine.detect()

            def out_of_time() -> bool:
                late = self.deadline is not None and time.monotonic() > self.deadline
                return late or stop()

            if out_of_time():
                raise OutOfTime(f"stopped before {task.label}")
            work = Work(
                config=task.config,
                records=records,
                tensors=self.store.tensors,
                machine=machine,
                data=self.data,
                folder=self.store.scratch(task.key),
                cost=task.cost,
                out_of_time=out_of_time,
                progress=progress,
            )
            outcome = STEPS[task.step](work)
            made = provenance.collect(
                seconds=time.monotonic() - started,
                machine=machine.describe(),
                seed=task.config.get("seed"),
                profile=self.profile,
            )
            record = Record(
                step=task.step,
                version=task.version,
                config=task.config,
                inputs=tuple(needed.key for needed in task.inputs),
                data=task.data,
                scalars=outcome.scalars,
                series={name: list(values) for name, values in outcome.series.items()},
                provenance=made,
            )
            self.store.put(record, outcome.tensors)
            self.store.clear_scratch(task.key)

    def _input(self, task: Task) -> Record:
        record = self.store.get(task.key, task.step)
        if record is None:
            raise RuntimeError(f"{task.label} is needed and has no record")
        return record


@dataclass(frozen=True, slots=True)
class _Worker:
    """What a worker process was started with."""

    job: _Job
    messages: "Queue[Message]"
    stop: Event


_worker: _Worker | None = None  # set once in each worker process


def _start_worker(job: _Job, messages: "Queue[Message]", stop: Event) -> None:
    global _worker  # the pool offers no other place for what a worker keeps
    for asked in (signal.SIGINT, signal.SIGTERM):  # the parent hears them, too, and sets `stop`
        signal.signal(asked, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(job.threads)
    _worker = _Worker(job, messages, stop)


def _end_with_parent() -> None:
    """End this process when its parent is gone: the pool would let it wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    parent.join()
    os._exit(1)  # at any moment: the store's files are whole or absent


def _execute(task: Task) -> None:
    worker = _worker
    assert worker is not None  # the pool's initializer ran
    worker.job.execute(task, lambda n: worker.messages.put((task.key, n)), worker.stop.is_set)
