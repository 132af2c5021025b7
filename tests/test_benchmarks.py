"""Benchmarks compare things that compute the same, and count right."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import (
    adjustment,
    alignment,
    augmentation,
    curve_step,
    exchanges,
    timing,
    weight_matching,
)
from modeconn_lib.core.hardware import Machine
from modeconn_lib.datasets.augmentation import AUGMENTATIONS


def test_a_curve_of_rewritten_layers_has_the_loss_and_gradient_of_ours():
    curve_step.check_same_gradient()


def test_a_wrong_gradient_is_noticed(monkeypatch):
    monkeypatch.setattr(curve_step, "position", lambda random: 0.25)
    with pytest.raises(AssertionError, match="not close"):
        curve_step.check_same_gradient()


def test_hooks_give_the_correlations_that_we_gather():
    alignment.variants(16, Machine.reference())


@pytest.mark.parametrize(
    ("run", "names"),
    [
        (curve_step.main, ["plain", "network", "curve", "layers"]),
        (
            lambda rounds: alignment.main(rounds, 16),
            ["forward", "pieces", "moments", "align", "plain", "hooks"],
        ),
        (augmentation.main, [*AUGMENTATIONS, "image by image"]),
        (lambda rounds: weight_matching.main(rounds, "mlp_small"), ["full", "ours"]),
        (lambda rounds: exchanges.main("fc1", rounds, 30, 50, 2), ["full", "ours"]),
        (lambda rounds: exchanges.main("conv2", rounds, 0, 20, 1), ["full", "ours"]),
        (lambda rounds: adjustment.main(rounds, 20, 100), ["pinv", "ours"]),
    ],
    ids=[
        "curve_step",
        "alignment",
        "augmentation",
        "weight_matching",
        "exchanges",
        "exchanges of channels",
        "adjustment",
    ],
)
def test_every_benchmark_times_its_variants_and_keeps_what_it_found(
    run, names, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    monkeypatch.setattr(weight_matching.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(augmentation, "IMAGES", 128)
    run(rounds=1)
    (kept,) = tmp_path.glob(f"*-{torch.get_num_threads()}.json")
    found = json.loads(kept.read_text())
    assert [row["name"] for row in found["rows"]] == names
    assert found["rows"][names.index(found["baseline"])]["ratio"] == 1.0
    assert found["provenance"]["threads"] == torch.get_num_threads()
    assert all(name in capsys.readouterr().out for name in names[:1])


def test_times_of_several_pieces_are_given_for_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    monkeypatch.setattr(timing, "alternate", lambda *_: {"one": [2.0, 2.0], "many": [5.0, 5.0]})
    pieces = {"one": 2, "many": 50}
    timing.report("x", {}, "one", 2, Machine.reference(), {}, pieces=pieces)
    (kept,) = tmp_path.glob("x-*.json")
    rows = json.loads(kept.read_text())["rows"]
    assert [(row["milliseconds"], row["ratio"]) for row in rows] == [(1000, 1.0), (100, 0.1)]


@given(base=st.lists(st.floats(0.001, 10), min_size=1, max_size=20), factor=st.floats(0.1, 10))
def test_a_variant_that_always_takes_twice_the_time_has_the_ratio_two(base, factor):
    rows = timing.compare({"one": base, "other": [factor * x for x in base]}, "one")
    assert [row.ratio for row in rows] == pytest.approx([1.0, factor])
    assert (rows[1].ratio_low, rows[1].ratio_high) == pytest.approx((factor, factor))


def test_every_variant_runs_once_a_round_and_warming_up_does_not_count():
    calls = []
    steps = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = timing.alternate(steps, 4, Machine.reference(), warmup=2)
    assert {name: len(own) for name, own in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    rounds = ["".join(calls[i : i + 3]) for i in range(0, 18, 3)]
    assert rounds == ["bca", "cab", "abc", "bca", "cab", "abc"]
