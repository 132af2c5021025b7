"""The steps of polygonal chains, which are learned for each pair of networks.

A, B  ->  learn_chain  ->  inner points  ->  measure_chain  ->  worst accuracies

The tasks that name them are built in `connection_tasks`.
"""

from modeconn_lib.core.params import Params, lerp
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.experiments.distribution.measured_parts import looked_at, measure_one_part
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.curves import chain
from modeconn_lib.paths.fit import LearnCurve


def learn_chain(work: Work) -> Outcome:
    """Learn the inner points of a polygonal chain; their parameters are the tensors."""
    a, b = (work.tensors(record) for record in work.records)
    last = work.config["bends"] - 1
    start = chain(a, *(lerp(a, b, i / last) for i in range(1, last)), b)
    objective = LearnCurve(work.network(), start, work.machine, work.config["penalty"], work.loss())
    history = work.fit(objective)
    inner = objective.result().points[1:-1]
    return Outcome(
        scalars={"train_loss": history.losses[-1], "train_seconds": history.seconds},
        series={"train_loss": history.losses, "train_accuracy": history.accuracies},
        tensors={f"{i}.{name}": v for i, point in enumerate(inner) for name, v in point.items()},
    )


def measure_chain(work: Work) -> Outcome:
    """Measure a learned chain at evenly spaced points, its corners and middles among them."""
    a, b, points = (work.tensors(record) for record in work.records)
    inner: dict[str, Params] = {}
    for name, value in points.items():
        i, _, own = name.partition(".")
        inner.setdefault(i, {})[own] = value
    path = chain(a, *(inner[str(i)] for i in range(len(inner))), b)
    ts = {*grid(work.config["points"], path.breakpoints), *looked_at(path, 0)}
    return measure_one_part(work, path, sorted(ts))


STEPS: dict[str, Step] = {"chain": learn_chain, "along_chain": measure_chain}
