"""Measuring a plane: each point is the network there; a run that is cut off goes on as it was."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.evaluation.on_plane import Images, measure_points
from modeconn_lib.evaluation.planes import through
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime
from modeconn_lib.training.metrics import measure

EXACT = Machine.reference()
POINTS = [(0.0, 0.0), (1.0, 0.0), (0.3, 0.8), (-0.05, 1.05), (0.5, 0.5)]


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


def images(**changes):
    parts = {
        "sets": {"train": batches(0), "test": batches(1)},
        "statistics": [pixels for pixels, _ in batches(2)],
        "machine": EXACT,
    }
    return Images(**{**parts, **changes})


def plane(third=2):
    return through(network(0), *(params_of(network(seed)) for seed in (0, 1, third)))


def test_each_point_is_the_network_there_with_fresh_statistics():
    module, use, at = network(5), images(), plane()
    found = measure_points(at, module, POINTS, use)
    assert list(found) == ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    for i, (x, y) in enumerate(POINTS):
        flat = torch.empty(at.layout.size)
        at.write(x, y, flat)
        params = {**params_of(module), **at.layout.views(flat)}
        point = reestimate(module, params, use.statistics, EXACT)
        for name, batches_of in use.sets.items():
            wanted = measure(module, point, batches_of, EXACT)
            assert found[f"{name}_loss"][i] == wanted.loss
            assert found[f"{name}_accuracy"][i] == wanted.accuracy


def test_at_the_corners_the_networks_themselves_are_measured():
    use = images()
    found = measure_points(plane(), network(5), POINTS[:2], use)
    for i in range(2):
        own = reestimate(network(i), params_of(network(i)), use.statistics, EXACT)
        wanted = measure(network(i), own, use.sets["test"], EXACT)
        assert found["test_loss"][i] == pytest.approx(wanted.loss, rel=1e-6)


def test_the_module_is_left_as_it_was():
    module = network(5).train()
    before = params_of(module)
    measure_points(plane(), module, POINTS[:2], images())
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in params_of(module).items())


def test_without_batch_norm_no_statistics_are_needed():
    def perceptron(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3))

    at = through(perceptron(0), *(params_of(perceptron(seed)) for seed in range(3)))
    found = measure_points(at, perceptron(0), POINTS, images(statistics=[]))
    assert len(found["test_loss"]) == len(POINTS)


def stop_after(points):
    """Time is up before the point with this number."""
    asked = iter([False] * points + [True])
    return lambda: next(asked)


@pytest.mark.parametrize("points", [0, 1, 4])
def test_a_run_that_is_cut_off_goes_on_where_it_was(tmp_path, points):
    whole = measure_points(plane(), network(5), POINTS, images())
    with pytest.raises(OutOfTime, match=f"stopped after {points} of 5 points of a plane"):
        measure_points(plane(), network(5), POINTS, images(), tmp_path, stop_after(points))
    seen = []
    rest = images(progress=seen.append)
    assert measure_points(plane(), network(5), POINTS, rest, tmp_path) == whole
    assert seen == [points, *[1] * (5 - points)]


def test_what_is_measured_is_not_measured_again(tmp_path):
    whole = measure_points(plane(), network(5), POINTS, images(), tmp_path)
    nothing = images(sets={"train": [], "test": []}, statistics=[])
    assert measure_points(plane(), network(5), POINTS, nothing, tmp_path) == whole


def test_points_of_another_plane_are_not_taken_for_those_of_this(tmp_path):
    measure_points(plane(), network(5), POINTS, images(), tmp_path)
    other = measure_points(plane(third=3), network(5), POINTS, images(), tmp_path)
    assert other == measure_points(plane(third=3), network(5), POINTS, images())
    fewer = measure_points(plane(), network(5), POINTS[1:], images(), tmp_path)
    assert fewer == measure_points(plane(), network(5), POINTS[1:], images())
    one = images(sets={"test": batches(1)})
    assert list(measure_points(plane(), network(5), POINTS, one, tmp_path)) == [
        "test_loss",
        "test_accuracy",
    ]


# Ends like a kill in the middle of writing the file of the third point, or just after it.
KILLED = """
import os, signal, sys
from pathlib import Path
from modeconn_lib.core import files
from modeconn_lib.evaluation import on_plane
from tests.evaluation.test_on_plane import POINTS, images, network, plane

write, count = files.atomic_write, [0]

def killed(path, data):
    count[0] += 1
    if count[0] == 3 and sys.argv[2] == "before":
        path.with_name(".part").write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)
    if count[0] == 3:
        os.kill(os.getpid(), signal.SIGKILL)

on_plane.atomic_write = killed
on_plane.measure_points(plane(), network(5), POINTS, images(), Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("when", "kept"), [("before", 2), ("after", 3)])
def test_killed_at_any_moment_and_started_again_gives_the_same_numbers(tmp_path, when, kept):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), when],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == -signal.SIGKILL
    seen, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)  # as in the process that was killed
    try:
        rest = images(progress=seen.append)
        found = measure_points(plane(), network(5), POINTS, rest, tmp_path)
        assert seen == [kept, *[1] * (5 - kept)]
        assert found == measure_points(plane(), network(5), POINTS, images())
    finally:
        torch.set_num_threads(threads)


def damage(content):
    content["rows"][1][0] += 0.5
    return json.dumps(content)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda content: json.dumps(content)[:-9], "Expecting|delimiter|Unterminated"),
        (damage, "its checksum does not fit"),
        (lambda content: "[]", "list indices"),
    ],
    ids=["truncated", "altered", "other"],
)
def test_a_damaged_file_is_refused_saying_which(tmp_path, change, why):
    with pytest.raises(OutOfTime):
        measure_points(plane(), network(5), POINTS, images(), tmp_path, stop_after(3))
    (path,) = tmp_path.glob("*.json")
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(DamagedFile, match=rf"{path.name} are damaged \(.*({why}).*delete the file"):
        measure_points(plane(), network(5), POINTS, images(), tmp_path)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_refused_naming_the_place(loss):
    endless = [(pixels * loss, labels) for pixels, labels in batches(1)]
    use = images(sets={"test": endless})
    with pytest.raises(NonFiniteLoss, match=r"the test loss at x = 0.3, y = 0.8 of the plane is"):
        measure_points(plane(), network(5), POINTS[2:], use)
