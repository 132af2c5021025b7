"""Descents whose objective never rises, and one that does by the rule as printed.

descend_monotonically  ->  what every iterate cost, by the width of the corners
two_units  ->  one iterate, for the networks written down in `theory_steps`
"""

from collections import OrderedDict
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from modeconn_lib.experiments.work import Outcome, Work
from modeconn_lib.models.layers import huberised
from modeconn_lib.paths.downhill import downhill
from modeconn_lib.paths.monotone import Descent, Rule, descend
from modeconn_lib.paths.smoothed import Problem
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec


def descend_monotonically(work: Work) -> Outcome:
    """Descend from the straight line between the inputs, once for every width of the corners."""
    a, b = (work.here(work.tensors(record)) for record in work.records)
    config, spec = work.config, work.trace().spec
    images, labels = work.in_order("train", config["examples"]).whole()
    sharp = work.network().to(images.device).double().eval()
    rule = Rule(iterations=config["iterations"])
    each = work.cost // (len(config["deltas"]) * rule.iterations)
    scalars: dict[str, float] = {}
    series: dict[str, Any] = {"deltas": list(config["deltas"])}
    for number, delta in enumerate(config["deltas"]):
        problem = Problem(
            sharp=sharp,
            smooth=huberised(sharp, delta),
            delta=delta,
            spec=spec,
            a=a,
            b=b,
            images=images.double(),
            labels=labels,
            points=config["points"],
        )
        chosen = downhill(config["draws"], config["seed"])
        found = descend(problem, chosen, rule, progress=lambda done: work.progress(done * each))
        scalars |= {f"rounding {number}": found.rounding, "norm_bound": problem.norm_bound}
        rows = [asdict(one) for one in found.iterates]
        for what in rows[0]:
            series[f"{what} {number}"] = [row[what] for row in rows]
    return Outcome(scalars, series)


def two_units(delta: float, factor: float) -> Descent:
    r"""Return a descent that Theorem E.3 lets rise if it is read as printed (`factor` 1).

    A and B are one network of two units. On the line to B as it is nothing changes, and its output
    is too low by 0.55 delta; with its corners rounded off, by 1.55 delta. Half-way to B with its
    units swapped the output is higher by 1.86 delta: on average nearer to what it should be where
    corners are rounded off, and farther off where they are not.
    """
    step = (0.93 * delta) ** 0.5
    network = nn.Sequential(
        OrderedDict(fc1=nn.Linear(1, 2, bias=False), relu=nn.ReLU(), fc=nn.Linear(2, 1, bias=False))
    ).double()
    params = {
        "fc1.weight": torch.tensor([[1 + step], [1 - step]], dtype=torch.float64),
        "fc.weight": torch.tensor([[1 - step, 1 + step]], dtype=torch.float64),
    }
    spans = (AxisSpan("fc1.weight", 0), AxisSpan("fc.weight", 1))
    spec = PermutationSpec({"fc1": 2}, {"fc1": spans})
    x = torch.ones(1, 1, dtype=torch.float64)
    wanted = torch.full_like(x, 2 - 2 * step**2 + 0.55 * delta)
    problem = Problem(
        sharp=network,
        smooth=huberised(network, delta),
        delta=delta,
        spec=spec,
        a=params,
        b=params,
        images=x,
        labels=wanted,
        points=20,
        # The distance, its corner rounded off: with a derivative, as the theorem demands.
        loss=lambda outputs, labels: functional.smooth_l1_loss(outputs, labels, beta=delta / 1000),
        loss_constant=1.0,
    )
    rule = Rule(nu_phi=1e-9, nu_p=2 / (1.02 * delta), factor=factor, steps=3, iterations=1)
    return descend(problem, lambda *_: [{"fc1": torch.tensor([1, 0])}], rule)
