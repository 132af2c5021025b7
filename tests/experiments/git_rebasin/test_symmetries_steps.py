"""What the steps of chapter 27 find in networks small enough to know the answer."""

from dataclasses import replace

import pytest
import torch

from modeconn_lib.core.hardware import Machine
from modeconn_lib.experiments.git_rebasin.symmetries_steps import count_symmetries, recover_planted
from modeconn_lib.experiments.work import Work
from modeconn_lib.results.record import Record

CONFIG = {"architecture": "mlp_small", "shape": [1, 4, 4], "classes": 3}


def work(folder, **config) -> Work:
    return Work(
        config={**CONFIG, **config},
        records=(),
        tensors=lambda record: {},
        machine=Machine.detect().exact(),
        data=None,
        folder=folder,
        cost=10,
        out_of_time=lambda: False,
        progress=lambda done: None,
    )


def test_symmetries_are_counted_by_group_and_by_the_given_layers(tmp_path):
    found = count_symmetries(work(tmp_path, layers=[])).scalars
    # 64! has 90 digits and 32! has 36.
    assert found["published"] == 89 + 35
    assert found["exponent"] == pytest.approx(124.524, abs=1e-3)
    assert (found["groups"], found["units"]) == (2, 96)
    assert count_symmetries(work(tmp_path, layers=[4, 4])).scalars["published"] == 2


def test_a_planted_order_is_found_and_the_random_state_left_alone(tmp_path):
    before = torch.get_rng_state()
    found = recover_planted(work(tmp_path, searches=2, seed=5))
    assert torch.equal(torch.get_rng_state(), before)
    assert found.series["exact"] == [True, True]
    assert found.series["reached"] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert found.series["units"] == [1.0, 1.0]
    assert 1 <= found.scalars["sweeps"] <= 6


def test_a_network_that_is_given_is_the_one_that_is_searched(tmp_path):
    given = {
        "fc1.weight": torch.zeros(64, 16),
        "fc1.bias": torch.zeros(64),
        "fc2.weight": torch.zeros(32, 64),
        "fc2.bias": torch.arange(32.0),
        "fc.weight": torch.zeros(3, 32),
        "fc.bias": torch.zeros(3),
    }
    base = work(tmp_path, searches=1, seed=1)
    found = recover_planted(
        replace(base, records=(Record("endpoint", 1, {}),), tensors=lambda record: given)
    )
    # The first layer's units are all alike: any order of them is the network.
    assert found.scalars["exact"] is True
    assert found.series["units"][0] < 1.0


def test_another_seed_plants_another_order_in_another_network(tmp_path):
    one, other = (recover_planted(work(tmp_path, searches=1, seed=s)) for s in (1, 2))
    assert one.scalars["exact"]
    assert other.scalars["exact"]
    assert one.series["reached"] != other.series["reached"]


def test_statistics_of_batch_norm_are_left_out(tmp_path):
    tinyten = {"architecture": "tinyten", "shape": [3, 16, 16]}
    assert recover_planted(work(tmp_path, searches=1, seed=4, **tinyten)).scalars["exact"]
