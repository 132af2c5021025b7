"""`modeconn plan`: the tasks of chapters as data, for a scheduler that runs each by itself.

chapter names, choices  ->  plans  ->  one JSON object a task, inputs first

`modeconn run --task KEY` makes the record of one of them; `workflow/Snakefile` walks them all.
"""

from typing import Any

from modeconn_lib.experiments.plan import Task, in_order
from modeconn_lib.experiments.runner import missing
from modeconn_lib.results.store import Store


def described(plan: dict[str, Task], store: Store) -> list[dict[str, Any]]:
    """Return what a scheduler needs to know of every task; ``made`` is whether nothing is to do.

    A task whose record is there is to be made nevertheless if another one wants its tensors and
    they are not there, as with committed records.
    """
    tasks, todo = in_order(plan.values()), {task.key for task in missing(plan.values(), store)}
    return [
        {
            "key": task.key,
            "step": task.step,
            "label": task.label,
            "inputs": [needed.key for needed in task.inputs],
            "cost": task.cost,
            "made": task.key not in todo,
        }
        for task in tasks
    ]
