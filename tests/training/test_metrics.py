"""Loss and accuracy by hand, of tied networks too, and what measuring leaves as it was."""

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.training.metrics import measure

EXACT = Machine.reference()


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(5, 5),
        nn.Linear(5, 3),
    )


def batches():
    g = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 4, generator=g), torch.randint(3, (n,), generator=g)) for n in (8, 5)]


def by_hand(module):
    module.eval()
    logits = torch.cat([module(images).detach() for images, _ in batches()])
    labels = torch.cat([labels for _, labels in batches()])
    loss = nn.functional.cross_entropy(logits.double(), labels)
    return float(loss), float((logits.argmax(1) == labels).double().mean())


def test_it_is_the_mean_over_all_images_of_the_parameters_given():
    found = measure(network(1), params_of(network()), batches(), EXACT)
    assert (found.loss, found.accuracy) == pytest.approx(by_hand(network()), rel=1e-6)
    assert found.examples == 13


def test_a_network_with_tied_weights_is_measured():
    def tied(seed):
        module = nn.Sequential(network(seed), nn.Linear(3, 3), nn.Linear(3, 3))
        module[2].weight = module[1].weight
        return module

    found = measure(tied(1), params_of(tied(0)), batches(), EXACT)
    assert (found.loss, found.accuracy) == pytest.approx(by_hand(tied(0)), rel=1e-6)


def test_layers_that_were_frozen_stay_so():
    module = network()
    module[1].eval()
    measure(module, params_of(module), batches(), EXACT)
    assert [part.training for part in module] == [True, False, True, True, True, True]


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one image, got none"):
        measure(network(), params_of(network()), [], EXACT)
