"""Which ends and which path the inputs of a task make."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from modeconn_lib.core.hardware import Machine
from modeconn_lib.experiments import path_inputs
from modeconn_lib.experiments.neuron_alignment.pam_steps import PERMUTATION, POINT
from modeconn_lib.experiments.work import Work
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.results.record import Record

A = {"weight": torch.tensor([1.0, 2.0, 3.0]), "seen": torch.tensor([0.0, 0.0, 0.0])}
B = {"weight": torch.tensor([4.0, 5.0, 6.0]), "seen": torch.tensor([2.0, 4.0, 6.0])}
SPEC = PermutationSpec({"units": 3}, {"units": (AxisSpan("weight", 0), AxisSpan("seen", 0))})
ORDER = {"units": torch.tensor([2, 0, 1])}
TWIN = [6.0, 4.0, 5.0]
POINT_OF_CURVE = {"weight": torch.tensor([9.0, 9.0, 9.0])}


class Asked(Work):
    """A task of a network whose units are those of SPEC."""

    def trace(self):
        return SimpleNamespace(spec=SPEC)


def work(*inputs, **config):
    """A task that has these tensors for inputs."""
    return Asked(
        config=config,
        records=tuple(Record("any", 1, {"input": i}) for i in range(len(inputs))),
        tensors=lambda record: dict(inputs[record.config["input"]]),
        machine=Machine.reference(),
        data=None,
        folder=Path(),
        cost=1,
        out_of_time=bool,
        progress=len,
    )


@pytest.mark.parametrize("point", [(), (POINT_OF_CURVE,)])
def test_the_alignment_is_read_where_the_task_says_so(point):
    a, b, _ = path_inputs.ends(work(A, B, *point, aligned=False))
    assert (a["weight"].tolist(), b["weight"].tolist()) == ([1, 2, 3], [4, 5, 6])
    a, b, inner = path_inputs.ends(work(A, B, ORDER, *point, aligned=True))
    assert (a["weight"].tolist(), b["weight"].tolist()) == ([1, 2, 3], TWIN)
    assert (inner is not None) == bool(point)


def test_a_caller_may_say_it_instead_of_the_task():
    assert path_inputs.ends(work(A, B, ORDER), aligned=True)[1]["weight"].tolist() == TWIN
    assert path_inputs.ends(work(A, B, POINT_OF_CURVE), aligned=False)[2] == POINT_OF_CURVE


def test_what_pam_found_is_both_permutation_and_point():
    found = {f"{PERMUTATION}units": ORDER["units"], f"{POINT}weight": POINT_OF_CURVE["weight"]}
    _, b, inner = path_inputs.ends(work(A, B, found, pam=True))
    assert b["weight"].tolist() == TWIN
    assert inner["weight"].tolist() == [9, 9, 9]


def test_a_path_without_a_point_is_the_straight_line():
    line = path_inputs.path(work(A, B, aligned=False))
    assert line.at(0.25)["weight"].tolist() == [1.75, 2.75, 3.75]
    assert len(line.points) == 2


def test_a_curve_goes_by_the_point_and_has_the_rest_of_the_midpoint():
    curve = path_inputs.path(work(A, B, ORDER, POINT_OF_CURVE, aligned=True))
    assert curve.at(1.0)["weight"].tolist() == TWIN
    assert curve.points[1]["weight"].tolist() == [9, 9, 9]
    assert curve.points[1]["seen"].tolist() == [3, 1, 2]
