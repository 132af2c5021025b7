"""What is measured of networks together agrees with what is measured of them alone."""

from dataclasses import replace

import pytest

from modeconn_lib.experiments.git_rebasin import matching_tasks, merging_many, split_data
from modeconn_lib.experiments.git_rebasin.merging_steps import bins
from modeconn_lib.experiments.runner import Options, run

NETWORKS = ("A", "B", "naive", "merged", "full data", "ensemble")


@pytest.fixture
def small(tiny):
    """The profile `tiny` with what Git Re-Basin's chapters need besides."""
    return replace(tiny, numbers=replace(tiny.numbers, models=2, points=3))


@pytest.fixture
def records(small, store):
    """A pair on two halves of the data; a network merged with itself; two on random halves."""
    plan = split_data.plan(small)
    a = plan["endpoint/0/A"]
    many = replace(small, numbers=replace(small.numbers, models=6, pairs=3))
    halves = merging_many.plan(many)
    chosen = {name: task for name, task in halves.items() if name in ("network/0", "network/1")}
    return run(
        plan
        | {"twice": matching_tasks.merger(small, (a, a), 0, "itself")}
        | chosen
        | {"pair": matching_tasks.merger(small, tuple(chosen.values()), 0, "two")},
        store,
        Options(jobs=1, profile="tiny"),
    )


def test_what_is_measured_together_agrees_with_what_is_measured_alone(records):
    _check_calibration(records)
    _check_mergers(records)


def _check_calibration(records):
    said = records["calibration/0"].number
    for network in "AB":
        alone = records[f"endpoint/0/{network}"].number
        assert said(f"{network} test loss") == pytest.approx(alone("test_loss"), rel=1e-6)
        assert said(f"{network} test accuracy") == alone("test_accuracy")
    full = records["full/0"].number("test_loss")
    assert said("full data test loss") == pytest.approx(full, rel=1e-6)
    for name, where in (("naive", "naive/line"), ("merged", "weights/line")):
        line = records[f"along/0/{where}"].series
        for split in ("train", "test"):
            middle = line[f"{split}_loss"][1]
            assert said(f"{name} {split} loss") == pytest.approx(middle, rel=1e-5)
    _check_ensemble(records["ensemble/0"].series, said)
    for network in NETWORKS:
        for split, examples in (("train", 32), ("test", 40)):
            _check_diagram(records["calibration/0"], f"{network} {split} ", examples)
            _check_diagram(records["calibration/0"], f"{network} {split} classwise ", 10 * examples)


def _check_ensemble(mixed, said):
    """All of lambda on one network is that network."""
    assert mixed["t"] == [0.0, 0.5, 1.0]
    for split in ("train", "test"):
        wanted = [said(f"{name} {split} loss") for name in ("A", "ensemble", "B")]
        assert mixed[f"{split}_loss"] == pytest.approx(wanted, rel=1e-6)


def _check_diagram(record, name, predictions):
    """The bins hold every prediction once, and the error follows from them."""
    counts, said, came = (record.series[f"{name}{of}"] for of in ("counts", "confidence", "right"))
    assert len(counts) == 10
    assert sum(counts) == predictions
    gap = sum(n * abs(p - q) for n, p, q in zip(counts, said, came, strict=True)) / predictions
    assert record.number(f"{name}calibration error") == pytest.approx(gap, abs=1e-6)


def _check_mergers(records):
    itself, pair = records["twice"], records["pair"]
    for who in ("network 2", "merged", "naive", "ensemble"):
        wanted = itself.number("network 1 test loss")
        assert itself.number(f"{who} test loss") == pytest.approx(wanted, rel=1e-6)
    assert itself.series["distances"] == [0.0]
    for i in range(2):
        alone = records[f"network/{i}"].number("test_loss")
        assert pair.number(f"network {i + 1} test loss") == pytest.approx(alone, rel=1e-6)
    assert pair.number("merged test loss") != pair.number("naive test loss")
    assert pair.series["distances"][-1] < pair.series["distances"][0]


def test_diagrams_have_as_many_bins_as_the_authors():
    assert (bins(10), bins(100)) == (10, 15)
