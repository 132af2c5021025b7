"""A chapter's work as data: a graph of tasks, each named by what its result depends on.

Parameters  ->  Task, Task, ...  ->  in_order  ->  runner | Snakefile

A task is not a function call but a description: step, configuration, inputs. Its key is the key
of its record, so two chapters that describe the same network share it. Nothing here computes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from modeconn_lib.results.record import record_key


@dataclass(frozen=True)
class Task:
    """One record to be made.

    Attributes
    ----------
    step
        Name of the function that makes it (`experiments.steps.STEPS`).
    version
        Raised by hand when the meaning of the step changes.
    config
        Everything the result depends on besides the inputs: plain JSON values.
    inputs
        The tasks whose records it reads, in the order the step expects.
    data
        Fingerprint of the data set.
    label
        What the reader sees while it runs.
    cost
        Expected work, in images pushed forward and backward; only for progress and order.
    """

    step: str
    version: int
    config: Mapping[str, Any]
    inputs: tuple["Task", ...]
    data: str
    label: str
    cost: int

    @cached_property
    def key(self) -> str:
        """The key of this task's record."""
        inputs = [task.key for task in self.inputs]
        return record_key(self.step, self.version, self.config, inputs, self.data)


def work_ahead(tasks: Sequence[Task]) -> dict[str, int]:
    """Return, by key, the cost of the dearest chain of tasks that begins with each.

    A small task that many wait for comes before a large one that nobody waits for.

    Parameters
    ----------
    tasks
        Inputs first, as from `in_order`; inputs that are not among them are done.
    """
    ahead = {task.key: task.cost for task in tasks}
    for task in reversed(tasks):
        for needed in task.inputs:
            if needed.key in ahead:
                chain = needed.cost + ahead[task.key]
                ahead[needed.key] = max(ahead[needed.key], chain)
    return ahead


def in_order(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return the tasks and all their inputs, each once, inputs first."""
    found: dict[str, Task] = {}

    def visit(task: Task) -> None:
        if task.key not in found:
            for needed in task.inputs:
                visit(needed)
            found[task.key] = task

    for task in tasks:
        visit(task)
    return tuple(found.values())
