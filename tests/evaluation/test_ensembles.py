"""Ensembles: copies of one network, orders, mixtures, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.evaluation.ensembles import (
    along_mixture,
    labels_of,
    logits_of,
    mean_logits,
    mean_probabilities,
    metrics_of,
)
from modeconn_lib.training.metrics import measure

EXACT = Machine.reference()
SEED = st.integers(0, 2**31)
BOTH = pytest.mark.parametrize("ensemble", [mean_logits, mean_probabilities])


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )


def batches(count=3):
    g = torch.Generator().manual_seed(0)
    return [
        (torch.randn(10 - i, 1, 6, 6, generator=g), torch.randint(3, (10 - i,), generator=g))
        for i in range(count)
    ]


def members(seed, count=3, n=20, classes=4):
    g = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(n, classes, generator=g) for _ in range(count)]


def test_metrics_of_the_logits_are_those_measured_on_the_network():
    module, use = network(0), batches()
    wanted = measure(module, params_of(module), use, EXACT)
    found = metrics_of(logits_of(module, params_of(module), use, EXACT), labels_of(use))
    assert found.loss == pytest.approx(wanted.loss, rel=1e-12)
    assert (found.accuracy, found.examples) == (wanted.accuracy, wanted.examples)


def test_a_network_with_tied_weights_is_asked():
    module = nn.Sequential(network(0), nn.Linear(3, 3), nn.Linear(3, 3))
    module[2].weight = module[1].weight
    params, use = params_of(module), batches()
    wanted = torch.cat([module.eval()(images).detach() for images, _ in use])
    torch.testing.assert_close(logits_of(module, params, use, EXACT), wanted)


def test_asking_a_network_changes_neither_its_mode_nor_its_statistics():
    module = network(0).train()
    params = params_of(module)
    before = {name: value.clone() for name, value in params.items()}
    module[1].eval()  # frozen
    logits_of(module, params, batches(), EXACT)
    assert [part.training for part in module] == [True, False, True, True, True]
    assert all(torch.equal(before[name], value) for name, value in params.items())
    assert all(torch.equal(before[name], value) for name, value in params_of(module).items())


@BOTH
@given(seed=SEED, copies=st.integers(1, 5))
def test_copies_of_one_network_say_what_it_says(ensemble, seed, copies):
    (logits,) = members(seed, 1)
    found = ensemble([logits] * copies)
    torch.testing.assert_close(found.softmax(1), logits.softmax(1), rtol=1e-5, atol=1e-6)


@BOTH
@given(seed=SEED)
def test_the_order_of_the_members_does_not_matter(ensemble, seed):
    found = members(seed)
    torch.testing.assert_close(ensemble(found), ensemble(found[::-1]), rtol=1e-5, atol=1e-5)


@given(seed=SEED)
def test_mean_probabilities_are_the_mean_of_the_probabilities(seed):
    found = members(seed)
    wanted = torch.stack([logits.softmax(1) for logits in found]).mean(0)
    torch.testing.assert_close(mean_probabilities(found).exp(), wanted, rtol=1e-5, atol=1e-6)


@BOTH
@given(seed=SEED)
def test_an_ensemble_loses_no_more_than_its_members_on_average(ensemble, seed):
    found = members(seed)
    labels = torch.randint(4, (20,), generator=torch.Generator().manual_seed(seed))
    average = sum(metrics_of(logits, labels).loss for logits in found) / len(found)
    assert metrics_of(ensemble(found), labels).loss <= average + 1e-5  # both are convex (Jensen)


@given(seed=SEED)
def test_a_mixture_is_its_ends_at_the_ends_and_the_ensemble_halfway(seed):
    (a, b), labels = members(seed, 2), torch.arange(20) % 4
    first, middle, last = along_mixture(a, b, labels, (0.0, 0.5, 1.0))
    assert first == metrics_of(a, labels)
    assert last == metrics_of(b, labels)
    assert middle.loss == pytest.approx(metrics_of(mean_logits([a, b]), labels).loss, rel=1e-5)


@given(seed=SEED)
def test_the_loss_along_a_mixture_is_convex(seed):
    (a, b), labels = members(seed, 2), torch.arange(20) % 4
    losses = [m.loss for m in along_mixture(a, b, labels, [i / 8 for i in range(9)])]
    for i in range(1, 8):
        assert losses[i] <= (losses[i - 1] + losses[i + 1]) / 2 + 1e-5


def test_very_improbable_classes_keep_their_logarithm():
    logits = torch.tensor([[0.0, -500.0]])
    assert float(mean_probabilities([logits, logits])[0, 1]) == pytest.approx(-500)


@BOTH
@pytest.mark.parametrize("wrong", [[], [torch.zeros(2, 3), torch.zeros(3, 3)]])
def test_no_members_or_unlike_ones_are_refused(ensemble, wrong):
    with pytest.raises(ValueError, match="one or more members with logits of one shape, got"):
        ensemble(wrong)


def test_no_images_are_refused():
    module = network(0)
    with pytest.raises(ValueError, match="logits need at least one batch"):
        logits_of(module, params_of(module), [], EXACT)
    with pytest.raises(ValueError, match="labels need at least one batch"):
        labels_of([])
    with pytest.raises(ValueError, match="need at least one image, got none"):
        metrics_of(torch.zeros(0, 3), torch.zeros(0).long())
