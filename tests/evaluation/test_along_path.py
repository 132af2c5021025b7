"""Measuring a path: averages, barriers, grids and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.evaluation.along_path import (
    Protocol,
    arc_average,
    barrier,
    grid,
    measure_path,
    uniform_average,
)
from modeconn_lib.paths.curves import chain, segment
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.metrics import measure

EXACT = Machine.reference()


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )


def batches(seed, count=2):
    g = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(10, 1, 6, 6, generator=g), torch.randint(3, (10,), generator=g))
        for _ in range(count)
    ]


def protocol(**changes):
    parts = {
        "train": batches(0),
        "test": batches(1),
        "statistics": [images for images, _ in batches(2)],
        "machine": EXACT,
    }
    return Protocol(**{**parts, **changes})


def test_each_point_is_the_network_there_with_fresh_statistics():
    module, a, b = network(0), params_of(network(1)), params_of(network(2))
    path, use = segment(a, b), protocol()
    found = measure_path(path, module, (0.0, 0.3, 1.0), use)
    for i, t in enumerate(found.t):
        point = reestimate(module, path.at(float(t)), use.statistics, EXACT)
        train = measure(module, point, use.train, EXACT)
        test = measure(module, point, use.test, EXACT)
        assert found.train_loss[i] == train.loss
        assert found.train_accuracy[i] == train.accuracy
        assert found.test_loss[i] == test.loss
        assert found.test_accuracy[i] == test.accuracy


def test_the_arc_of_a_segment_is_the_distance_of_its_parameters():
    a, b = params_of(network(1)), params_of(network(2))
    b["1.running_mean"] += 100.0  # statistics are no part of the length
    found = measure_path(segment(a, b), network(0), grid(5), protocol())
    names = [name for name, _ in network(0).named_parameters()]
    distance = sum(float((a[n] - b[n]).square().sum()) for n in names) ** 0.5
    assert found.arc[0] == 0
    assert found.arc[-1] == pytest.approx(distance, rel=1e-5)
    assert found.arc[2] == pytest.approx(distance / 2, rel=1e-5)


def test_every_point_is_counted():
    a, b, seen = params_of(network(1)), params_of(network(2)), []
    measure_path(segment(a, b), network(0), grid(4), protocol(progress=seen.append))
    assert seen == [1, 1, 1, 1]


def test_a_grid_that_skips_a_corner_is_refused():
    path = chain(*(params_of(network(seed)) for seed in range(3)))
    with pytest.raises(ValueError, match=r"leaves out the path's breakpoints \[0.5\]"):
        measure_path(path, network(0), (0.0, 0.4, 1.0), protocol())


def test_a_grid_that_does_not_rise_is_refused():
    path = segment(params_of(network(0)), params_of(network(1)))
    with pytest.raises(ValueError, match="values of t must rise"):
        measure_path(path, network(0), (0.0, 0.5, 0.5, 1.0), protocol())


@given(points=st.integers(2, 70), inner=st.lists(st.floats(0, 1), max_size=4))
def test_a_grid_holds_every_breakpoint_and_rises(points, inner):
    found = grid(points, (0.0, *inner, 1.0))
    assert found[0] == 0
    assert found[-1] == 1
    assert all(later > earlier for earlier, later in pairwise(found))
    assert all(min(abs(t - b) for t in found) < 1e-8 for b in inner)
    assert len(found) <= points + len(inner)


def test_a_grid_of_one_point_is_refused():
    with pytest.raises(ValueError, match="2 points or more, got 1"):
        grid(1)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=9))
def test_averages_of_a_path_walked_at_even_speed_agree(values):
    v, t = np.array(values), np.linspace(0, 1, len(values))
    assert arc_average(v, 7 * t) == pytest.approx(uniform_average(v, t), abs=1e-9)


def test_the_arc_average_weighs_long_stretches_more():
    v, arc = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0, 10.0])
    assert arc_average(v, arc) == pytest.approx((0 + 0.5 + 8) / 10)


def test_the_average_over_a_path_of_no_length_is_its_value():
    assert arc_average(np.array([0.3, 0.3]), np.array([0.0, 0.0])) == 0.3


def test_the_barrier_is_the_rise_over_the_mean_of_the_ends():
    assert barrier(np.array([1.0, 5.0, 2.0])) == 3.5
    assert barrier(np.array([1.0, 0.5, 1.0])) == 0.0
    assert barrier(np.array([1.0, 1.2, 3.0])) == 1.0  # the higher end counts, as defined
