"""Networks with a shared backbone go on computing what they did, and cost what they should."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.params import params_of
from modeconn_lib.evaluation.shared_backbone import Cost, shared_backbone, split

BATCHES = [torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(2)]


def build():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(108, 90),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(90, 5),
    )


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return build(), [params_of(build()) for _ in range(3)]


@pytest.mark.parametrize("layer", ["3", "6"])
def test_with_more_features_than_images_it_is_the_ensemble_of_the_networks_themselves(
    networks, layer
):
    module, members = networks
    found = shared_backbone(module, members, layer, BATCHES)
    assert max(found.residuals) < 1e-4
    module.eval()
    x = torch.cat(BATCHES)
    each = torch.stack([functional_call(module, m, (x,)).softmax(1) for m in members])
    torch.testing.assert_close(found(x).exp(), each.mean(0), rtol=1e-2, atol=1e-3)
    module.train()
    again = found(x)
    assert module.training
    torch.testing.assert_close(found(x), again)


@pytest.mark.parametrize("layer", ["3", "6"])
def test_all_before_the_layer_is_the_first_networks_and_all_after_their_own(networks, layer):
    module, members = networks
    found = shared_backbone(module, members, layer, BATCHES)
    assert all(torch.equal(found.members[0][n], v) for n, v in members[0].items())
    for k in (1, 2):
        for name, value in found.members[k].items():
            if int(name[0]) < int(layer):
                assert torch.equal(value, members[0][name])
            elif name != f"{layer}.weight":
                assert torch.equal(value, members[k][name])


def test_after_the_last_layer_the_mean_is_one_network(networks):
    module, members = networks
    found = shared_backbone(module, members, "6", BATCHES)
    one = found.averaged()
    module.eval()
    x = BATCHES[0]
    logits = torch.stack([functional_call(module, m, (x,)) for m in found.members]).mean(0)
    torch.testing.assert_close(functional_call(module, one, (x,)), logits)
    with pytest.raises(ValueError, match="averaged after their last layer, not '3'"):
        shared_backbone(module, members, "3", BATCHES).averaged()


def test_the_backbone_is_counted_once_and_the_rest_for_every_member(networks):
    module, members = networks
    convolution = 3 * 36 * 9, 3 * 9 + 3
    hidden, last = (108 * 90, 108 * 90 + 90), (90 * 5, 90 * 5 + 5)
    found = shared_backbone(module, members, "3", BATCHES)
    assert found.cost(BATCHES[0][0]) == Cost(
        convolution[0] + 3 * (hidden[0] + last[0]), convolution[1] + 3 * (hidden[1] + last[1])
    )
    found = shared_backbone(module, members[:1], "6", BATCHES)
    assert found.cost(BATCHES[0][0]) == Cost(
        *(c + h + o for c, h, o in zip(convolution, hidden, last, strict=True))
    )


def test_what_cannot_be_split_is_refused(networks):
    module, members = networks
    with pytest.raises(ValueError, match="'9' is none of the parts after the first: 1, 2, 3"):
        split(module, "9")
    with pytest.raises(ValueError, match="'0' is none of the parts after the first"):
        shared_backbone(module, members, "0", BATCHES)
    with pytest.raises(ValueError, match="at least one network, got none"):
        shared_backbone(module, [], "3", BATCHES)
