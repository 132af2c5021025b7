"""`modeconn run`: compute the records of chapters, without notebooks.

chapter names, choices  ->  plans  ->  runner  ->  records  ->  data/results, on request
"""

import re
from collections.abc import Sequence
from pathlib import Path

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.chapters import CHAPTERS, chapter
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task, in_order
from modeconn_lib.experiments.runner import Options, missing, run, run_one
from modeconn_lib.results.store import Store


def seconds(text: str | None) -> float | None:
    """Return a time limit such as ``90``, ``90s``, ``45m`` or ``2h`` in seconds.

    Raises
    ------
    Refusal
        If it is none of these.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not found or float(found[1]) <= 0:
        raise Refusal(f"cannot read the time limit {text!r}; write it like 90s, 45m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def union(names: Sequence[str], setting: Setting) -> dict[str, Task]:
    """Return the tasks of several chapters, ``chapter/name`` to task; none for every chapter."""
    chosen = [chapter(name) for name in names or CHAPTERS]
    return {f"{c.name}/{name}": task for c in chosen for name, task in c.plan(setting).items()}


def run_chapters(
    names: Sequence[str], setting: Setting, store: Store, options: Options
) -> dict[str, Task]:
    """Compute what the store lacks of the chapters' plans, and return the plan."""
    plan = union(names, setting)
    everything, todo = in_order(plan.values()), missing(plan.values(), store)
    print(
        f"{', '.join(chapter(n).name for n in names or CHAPTERS)}: profile "
        f"{setting.profile_name}; {len(everything) - len(todo)} of {len(everything)} records "
        "are there",
        flush=True,
    )
    run(plan, store, options)
    return plan


def run_task(key: str, plan: dict[str, Task], store: Store, options: Options) -> dict[str, Task]:
    """Compute the record of the one task of `plan` whose key begins with `key`, and return it.

    Raises
    ------
    Refusal
        If no task or several have such a key, or an input of the task is not there.
    """
    found = [task for task in in_order(plan.values()) if task.key.startswith(key)]
    if len(found) != 1:
        raise Refusal(
            f"{len(found)} tasks of this plan have a key that begins with {key!r}; "
            "`modeconn plan` with the same options lists them"
        )
    run_one(found[0], store, options)
    return {found[0].label: found[0]}


def publish(plan: dict[str, Task], store: Store, folder: Path) -> list[Path]:
    """Copy the plan's records, and tensors small enough to be committed, to `folder`."""
    found = [store.get(task.key, task.step) for task in in_order(plan.values())]
    return store.publish([record for record in found if record is not None], folder)
