"""The step of chapter 43: the symmetries of one network that has no images of its own.

name  ->  survey_network  ->  groups, units, the gate's error, seconds, memory

The task that names it is built in `any_network`.
"""

import torch

from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.permutation.classifiers import survey_apart


def survey_network(work: Work) -> Outcome:
    """Derive and prove the symmetries in a process of its own, whose memory is then known."""
    row = survey_apart(work.config["network"], work.config["seed"], torch.get_num_threads())
    numbers = {name: value for name, value in row.items() if not isinstance(value, str)}
    return Outcome(numbers, {"pinned": _reasons(str(row["pinned"]))})


def _reasons(text: str) -> list[str]:
    """Return the reasons without their counts."""
    return [part.partition(" ")[2] for part in text.split("; ") if part]


STEPS: dict[str, Step] = {"coverage": survey_network}
