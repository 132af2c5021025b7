"""Loss and accuracy of a path, part by part, and what a record keeps of them.

Work, path  ->  MeasuredParts.look  ->  series, worst accuracies
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import nn

from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.along_path import grid
from modeconn_lib.experiments.feeds import InOrder
from modeconn_lib.experiments.work import Outcome, Work
from modeconn_lib.paths.path import Path
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.metrics import Metrics, measure

SPLITS = ("train", "test")
KEPT = 200  # values that a record keeps of a long series, each the worst of its stretch


@dataclass
class MeasuredParts:
    """Loss and accuracy of every network looked at, in the order of the path."""

    work: Work
    module: nn.Module
    rows: list[tuple[int, float]] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def look(self, part: int, path: Path, ts: Iterable[float]) -> None:
        """Measure a part of the path at each of `ts`."""
        for t in ts:
            self.rows.append((part, part + t))
            for split, found in by_split(self.work, self.module, path.at(t)).items():
                self.values.setdefault(f"{split}_loss", []).append(found.loss)
                self.values.setdefault(f"{split}_accuracy", []).append(found.accuracy)

    def series(self) -> dict[str, list[Any]]:
        """Return parts, places on the path (0 to the number of parts), losses and accuracies."""
        parts, places = zip(*self.rows, strict=True)
        return {"part": list(parts), "t": list(places), **self.values}

    def scalars(self) -> dict[str, float]:
        """Return the worst accuracies, and those of the ends."""
        out = {}
        for split in SPLITS:
            accuracy = self.values[f"{split}_accuracy"]
            out[f"worst_{split}"] = min(accuracy)
            out[f"ends_{split}"] = (accuracy[0] + accuracy[-1]) / 2
        return out


def measure_one_part(work: Work, path: Path, ts: Sequence[float]) -> Outcome:
    """Measure a path that is one part."""
    found = MeasuredParts(work, work.network().to(work.machine.device))
    found.look(0, path, ts)
    return Outcome(scalars=found.scalars(), series=found.series())


def by_split(work: Work, module: nn.Module, params: Params) -> dict[str, Metrics]:
    """Return loss and accuracy of one network; batch norm's statistics are taken anew for it."""
    anew = reestimate(module, work.here(params), work.statistics(), work.exact)
    return {split: measure(module, anew, images_of(work, split), work.exact) for split in SPLITS}


def looked_at(path: Path, points: int) -> tuple[float, ...]:
    """Return every corner and the middle of every leg; on a smooth path evenly spaced points."""
    corners = path.breakpoints
    if len(corners) == 2:
        return grid(points)
    middles = [(a + b) / 2 for a, b in pairwise(corners)]
    return tuple(sorted([*corners, *middles]))


def images_of(work: Work, split: str) -> InOrder:
    """Return the images of a split that paths are measured on, in order."""
    examples = "test_examples" if split == "test" else "measure_examples"
    return work.in_order(split, work.config[examples])


def stretches(
    values: Sequence[float], worst: Callable[[Sequence[float]], float], kept: int = KEPT
) -> list[float]:
    """Return a long series in `kept` stretches, of each its worst value."""
    if len(values) <= kept:
        return list(values)
    edges = [len(values) * i // kept for i in range(kept + 1)]
    return [worst(values[a:b]) for a, b in pairwise(edges)]
