"""Time variants of one step side by side, and keep what was found.

name -> step  ->  alternate  ->  seconds of every round  ->  compare  ->  table, JSON file

All variants run once in every round, so that whatever else the machine does hits them alike;
ratios are taken within a round, and the median over the rounds is reported.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch

from modeconn_lib.core.files import atomic_write
from modeconn_lib.core.hardware import Machine
from modeconn_lib.results import provenance

Steps = Mapping[str, Callable[[], object]]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One variant: its median time, and its ratio to the baseline (median and quartiles)."""

    name: str
    milliseconds: float
    ratio: float
    ratio_low: float
    ratio_high: float


def alternate(
    steps: Steps, rounds: int, machine: Machine, warmup: int = 5
) -> dict[str, list[float]]:
    """Return the seconds of every step in every round, after some rounds that do not count.

    The order moves on by one in each round: nobody always comes after the same neighbour.
    """
    names, seconds = list(steps), {name: list[float]() for name in steps}
    for round_ in range(-warmup, rounds):
        shift = round_ % len(names)
        for name in names[shift:] + names[:shift]:
            _finish(machine)
            started = time.perf_counter()
            steps[name]()
            _finish(machine)
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _finish(machine: Machine) -> None:
    """Wait for a GPU, which works on after a step has returned."""
    if machine.device.type == "cuda":
        torch.cuda.synchronize(machine.device)


def compare(seconds: Mapping[str, list[float]], baseline: str) -> list[Row]:
    """Return one row for every variant."""
    rows = []
    for name, own in seconds.items():
        ratios = [x / base for x, base in zip(own, seconds[baseline], strict=True)]
        low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        rows.append(Row(name, 1000 * median(own), median(ratios), low, high))
    return rows


def table(rows: list[Row], baseline: str) -> str:
    """Return the rows as text."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'ms':>8}  {'ratio':>6}  quartiles   (ratio to: {baseline})"]
    for row in rows:
        quartiles = f"{row.ratio_low:.3f} to {row.ratio_high:.3f}"
        lines.append(f"{row.name:{width}}  {row.milliseconds:8.2f}  {row.ratio:6.3f}  {quartiles}")
    return "\n".join(lines)


def report(
    name: str,
    steps: Steps,
    baseline: str,
    rounds: int,
    machine: Machine,
    what: dict[str, Any],
    warmup: int = 5,
    pieces: Mapping[str, int] | None = None,
) -> None:
    """Time the steps, print the table, and keep it in ``results``, one file a kind of machine.

    Parameters
    ----------
    pieces
        Of how many equal pieces of work a step consists, where these differ: times are of a piece.
    """
    started = time.monotonic()
    seconds = {
        name: [one / (pieces or {}).get(name, 1) for one in all_]
        for name, all_ in alternate(steps, rounds, machine, warmup).items()
    }
    rows = compare(seconds, baseline)
    print(f"{name}: {machine.describe()}, {rounds} rounds")
    print(table(rows, baseline))
    made = provenance.collect(time.monotonic() - started, machine.describe())
    found = {
        "benchmark": name,
        "what": {**what, "rounds": rounds},
        "baseline": baseline,
        "rows": [asdict(row) for row in rows],
        "provenance": made,
    }
    path = RESULTS / f"{name}-{machine.device.type}-{torch.get_num_threads()}.json"
    atomic_write(path, (json.dumps(found, indent=1) + "\n").encode())
    print(f"kept in {path}")
