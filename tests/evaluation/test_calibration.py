"""Reliability diagrams: one bin each, the library's error, and probabilities that are true."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.evaluation.calibration import classwise_reliability, reliability

SEED = st.integers(0, 2**31)
BOTH = pytest.mark.parametrize("diagram", [reliability, classwise_reliability])


def predictions(seed, count=200, classes=4, scale=2.0):
    g = torch.Generator().manual_seed(seed)
    return (
        scale * torch.randn(count, classes, generator=g),
        torch.randint(classes, (count,), generator=g),
    )


def logits_for(probabilities):
    """Logits whose first class has the given probability."""
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([p.log(), (1 - p).log()], 1)


@given(seed=SEED, bins=st.integers(1, 30), scale=st.floats(0.1, 3.0))
def test_the_error_is_the_librarys_for_several_classes(seed, bins, scale):
    logits, labels = predictions(seed, scale=scale)
    found = reliability(logits, labels, bins)
    from torchmetrics.functional.classification import multiclass_calibration_error

    wanted = multiclass_calibration_error(logits.softmax(1), labels, 4, n_bins=bins)
    assert found.error == pytest.approx(float(wanted), abs=2e-6)  # the library rounds to float32


@BOTH
@given(seed=SEED, bins=st.integers(1, 30), scale=st.sampled_from([0.1, 2.0, 1000.0]))
def test_the_error_follows_from_the_bins(diagram, seed, bins, scale):
    found = diagram(*predictions(seed, scale=scale), bins)
    gaps = np.nan_to_num(np.abs(found.accuracy - found.confidence))
    assert found.error == pytest.approx(
        float((gaps * found.counts).sum() / found.counts.sum()), abs=1e-12
    )


@BOTH
@given(seed=SEED, bins=st.integers(1, 30), scale=st.sampled_from([0.0, 2.0, 1000.0]))
def test_every_prediction_is_in_one_bin_and_in_its_place(diagram, seed, bins, scale):
    logits, labels = predictions(seed, scale=scale)
    found = diagram(logits, labels, bins)
    assert found.counts.sum() == (len(labels) if diagram is reliability else logits.numel())
    assert found.edges.tolist() == pytest.approx([i / bins for i in range(bins + 1)])
    full = found.counts > 0
    assert (found.edges[:-1][full] <= found.confidence[full]).all()
    assert (found.confidence[full] <= found.edges[1:][full]).all()
    assert np.isnan(found.accuracy[~full]).all()
    assert np.isnan(found.confidence[~full]).all()


def test_a_probability_on_an_edge_is_in_the_bin_above_and_in_no_other():
    logits = torch.tensor([[0.0, 0, 0, 0], [0, 0, -1e4, -1e4]])  # 1/4 each; 1/2, 1/2, 0 and 0
    labels = torch.tensor([0, 1])
    assert reliability(logits, labels, bins=4).counts.tolist() == [0, 1, 1, 0]
    found = classwise_reliability(logits, labels, bins=4)
    assert found.counts.tolist() == [2, 4, 2, 0]
    assert found.accuracy[:3].tolist() == [0, 0.25, 0.5]
    assert found.error == 0


def test_a_probability_of_one_is_in_the_last_bin():
    logits = torch.tensor([[0.0, -1e4], [3.0, 0.0]])
    found = reliability(logits, torch.tensor([1, 0]), bins=10)
    assert found.counts.tolist() == [0] * 9 + [2]
    sure = float(logits[1].double().softmax(0)[0])
    assert found.error == pytest.approx(abs((1 + sure) / 2 - 0.5))


@pytest.mark.parametrize("share", [0.6, 0.75, 0.95])
def test_probabilities_that_are_true_have_no_error(share):
    labels = torch.tensor([0] * int(share * 100 + 0.5) + [1] * int((1 - share) * 100 + 0.5))
    logits = logits_for([share]).expand(100, 2)
    assert reliability(logits, labels).error == pytest.approx(0, abs=1e-12)
    assert classwise_reliability(logits, labels).error == pytest.approx(0, abs=1e-12)


def test_a_sure_network_is_wrong_by_its_share_of_errors():
    labels = torch.arange(100) % 4
    logits = 1e4 * torch.nn.functional.one_hot(torch.zeros(100).long(), 4).float()
    assert reliability(logits, labels).error == pytest.approx(0.75)


def test_classes_are_pooled_class_by_class():
    logits, labels = predictions(3, classes=3)
    found = classwise_reliability(logits, labels, bins=5)
    p, hits, counts = logits.double().softmax(1), [0] * 5, [0] * 5
    for n, label in enumerate(labels.tolist()):
        for c in range(3):
            i = min(int(p[n, c] * 5), 4)
            counts[i] += 1
            hits[i] += c == label
    assert found.counts.tolist() == counts
    assert (found.accuracy * found.counts).tolist() == pytest.approx(hits)


@BOTH
@pytest.mark.parametrize(
    ("logits", "bins", "message"),
    [
        (torch.zeros(0, 3), 15, "at least one prediction, got none"),
        (torch.full((2, 3), float("nan")), 15, "needs finite logits"),
        (torch.zeros(2, 3), 0, "needs at least 1 bin, got 0"),
    ],
)
def test_what_cannot_be_binned_is_refused(diagram, logits, bins, message):
    with pytest.raises(ValueError, match=message):
        diagram(logits, torch.zeros(len(logits)).long(), bins)
