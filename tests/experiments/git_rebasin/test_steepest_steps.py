"""The step that looks downhill sees the true gradient, and finds a way that begins downhill."""

import pytest
import torch
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import dot, lerp
from modeconn_lib.experiments.git_rebasin.steepest_steps import descend, gradient
from modeconn_lib.experiments.work import Work
from modeconn_lib.permutation.apply import identity
from modeconn_lib.results.record import Record
from modeconn_lib.training.metrics import measure

NEAR = [0.0, 1e-3, 0.5]
EXAMPLES = 1_100  # two batches and a part of one
CONFIG = {
    "dataset": "fashion_mnist_small",
    "architecture": "mlp_small",
    "augmentation": "scaled",
    "measure_examples": EXAMPLES,
    "orders": 1,
    "near": NEAR,
    "seed": 3,
}


@pytest.fixture
def work(tmp_path, monkeypatch) -> Work:
    """A task whose inputs are two fresh networks and the order B happens to have."""
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    names = ("a", "b", "matched")
    made = Work(
        config=CONFIG,
        records=tuple(Record(name, 1, {}) for name in names),
        tensors=lambda record: given[record.step],
        machine=Machine.detect().exact(),
        data=None,
        folder=tmp_path,
        cost=10,
        out_of_time=lambda: False,
        progress=lambda done: None,
    )
    a, b = (made.fresh_network(seed)[1] for seed in (1, 2))
    given = {"a": a, "b": b, "matched": identity(made.trace().spec)}
    return made


def test_the_gradient_is_that_of_the_mean_loss_of_all_images(work):
    params = {n: v.requires_grad_() for n, v in work.fresh_network(1)[1].items()}
    images, labels = (
        torch.cat(part) for part in zip(*work.in_order("train", EXAMPLES), strict=True)
    )
    loss = torch.nn.functional.cross_entropy(
        functional_call(work.network(), params, (images,)), labels
    )
    expected = torch.autograd.grad(loss, list(params.values()))
    found = gradient(work, {n: v.detach() for n, v in params.items()})
    assert list(found) == list(params)
    for mine, other in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)  # float32 sums


def test_slopes_are_differences_of_the_loss_close_to_a(work):
    found = descend(work)
    for name in ("naive", "weights", "steepest"):
        at, near, _ = found.series[f"{name}_loss"]
        assert (near - at) / NEAR[1] == pytest.approx(found.scalars[f"{name}_slope"], rel=0.1)


def test_the_order_that_is_found_is_the_steepest_of_those_looked_at(work):
    found = descend(work).scalars
    assert found["steepest_slope"] < 0
    assert found["steepest_slope"] < min(found["naive_slope"], found["weights_slope"])


def test_matched_as_it_is_the_line_is_the_naive_one(work):
    found = descend(work)
    assert found.series["weights_loss"] == found.series["naive_loss"]
    a, b, _ = (work.tensors(record) for record in work.records)
    half = measure(work.network(), lerp(a, b, 0.5), work.in_order("train", EXAMPLES), work.exact)
    assert found.series["naive_loss"][2] == pytest.approx(half.loss, rel=1e-6)
    slope = gradient(work, a)
    assert found.scalars["naive_slope"] == pytest.approx(dot(slope, b) - dot(slope, a))
