"""What the reader sees while a plan runs: tasks done, share of the work, time left.

(task key, work newly done)  ->  Display  ->  one bar on the error stream
"""

import sys
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from queue import Empty
from types import TracebackType

from tqdm import tqdm

from modeconn_lib.experiments.plan import Task

Message = tuple[str, int]  # key of a task, work newly done


class Display:
    """A progress bar over the whole plan; a task counts as done when its record is written."""

    def __init__(self, todo: Sequence[Task], processes: int) -> None:
        """Draw the empty bar."""
        self.labels = {task.key: task.label for task in todo}
        self.costs = {task.key: task.cost for task in todo}
        self.done = dict.fromkeys(self.labels, 0)
        self.current: list[str] = []
        self.count = 0
        terminal = sys.stderr.isatty()
        plural = "" if processes == 1 else "es"
        print(f"{len(todo)} tasks in {processes} process{plural}", file=sys.stderr, flush=True)
        self.bar = tqdm(
            total=sum(self.costs.values()),
            unit="img",
            unit_scale=True,
            smoothing=0.05,
            mininterval=0.5 if terminal else 15.0,
            dynamic_ncols=terminal,
            bar_format="{percentage:3.0f}% |{bar:20}| {elapsed} done, {remaining} left, {desc}",
        )

    def __enter__(self) -> "Display":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bar as it stands."""
        self.bar.close()

    def show(self, task: Task) -> None:
        """Name a task that has started."""
        self.current.append(task.label)
        self._describe()

    def advance(self, message: Message) -> None:
        """Count work newly done, up to what was expected of its task."""
        key, amount = message
        amount = min(amount, self.costs[key] - self.done[key])
        self.done[key] += amount
        self.bar.update(amount)

    def reporter(self, task: Task) -> Callable[[int], None]:
        """Return a function that counts work newly done on one task."""
        return lambda amount: self.advance((task.key, amount))

    def read(self, messages: "Queue[Message]") -> None:
        """Count everything the workers have reported."""
        while True:
            try:
                self.advance(messages.get_nowait())
            except Empty:
                return

    def finished(self, task: Task) -> None:
        """Count a task as done."""
        self.advance((task.key, self.costs[task.key]))
        self.current.remove(task.label)
        self.count += 1
        self._describe()

    def _describe(self) -> None:
        running = ", ".join(self.current) or "no task"
        self.bar.set_description_str(f"{self.count} of {len(self.labels)} tasks; now {running}")
