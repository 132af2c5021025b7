"""The same connections between networks of other sizes: by width, or by depth.

Setting, methods  ->  rungs  ->  tasks of every network of the profile's ladder, one pair each
Study             ->  drops  ->  by row: sizes, and what the worst network lacks of the ends
"""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.distribution import connection_tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.models.registry import ARCHITECTURES, outline
from modeconn_lib.results.study import Study

Drops = dict[str, tuple[list[int], list[float]]]


def rungs(setting: Setting, methods: Mapping[str, str]) -> dict[str, Task]:
    """Return the first pair's connections for every other network of the ladder.

    Named ``ladder/0/one_hidden_w100/arc``; `methods` has the rows and what makes each, by the
    names of `connection_tasks.METHODS`.
    """
    out = {}
    for name in setting.numbers.ladder:
        if name == setting.architecture:
            continue
        other = replace(setting, numbers=replace(setting.numbers, architecture=name))
        found = dict(zip("AB", tasks.ends(other, 0), strict=True))
        for row, method in methods.items():
            found[row] = connection_tasks.connection(other, 0, method)
        for row, task in found.items():
            label = f"{task.label}, {ARCHITECTURES[name].title}"
            out[f"ladder/0/{name}/{row}"] = replace(task, label=label)
    return out


def drops(study: Study, rows: Mapping[str, str]) -> Drops:
    """Return by how much the worst network of the first pair falls below the ends.

    In points of test accuracy, by what `rows` calls each row, with the sizes of the networks in
    rising order: hidden layers if these differ, or else units of the first.
    """
    own = study.config["architecture"]
    names = [name for name in study.config["ladder"] if name != own]
    sizes = _sizes([own, *names])
    out: Drops = {}
    for row, words in rows.items():
        if not all(f"ladder/0/{name}/{row}" in study.records for name in names) or not names:
            continue  # learned for the study's own networks only
        found = {own: study[f"connection/0/{row}"]}
        found |= {name: study[f"ladder/0/{name}/{row}"] for name in names}
        lost = {
            sizes[name]: 100 * (record.number("ends_test") - record.number("worst_test"))
            for name, record in found.items()
        }
        rising = sorted(lost)
        out[words] = rising, [lost[size] for size in rising]
    return out


def _sizes(names: list[str]) -> dict[str, int]:
    """Return the number of hidden layers of each network; where all have one, its units."""
    layers = {name: _linear(name) for name in names}
    if {len(found) for found in layers.values()} == {2}:
        return {name: found[0].out_features for name, found in layers.items()}
    return {name: len(found) - 1 for name, found in layers.items()}


def _linear(name: str) -> list[nn.Linear]:
    return [part for part in outline(name).children() if isinstance(part, nn.Linear)]
