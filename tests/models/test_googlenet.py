"""GoogLeNet for small images is torchvision's, without its early loss of resolution."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.googlenet import Resize, googlenet
from modeconn_lib.models.registry import architecture

CIFAR, TINY_IMAGENET, MNIST = (3, 32, 32), (3, 64, 64), (1, 28, 28)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def without_dropout(network):
    """The network in training mode but for what is random."""
    for part in network.train().modules():
        if isinstance(part, nn.Dropout):
            part.eval()
    return network


def spread(network, x):
    """Draw weights and take statistics that let `x` through, and no two units alike."""
    for value in network.state_dict().values():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5)
        elif value.ndim > 1:
            value.normal_(std=value[0].numel() ** -0.5)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None  # what the next batch has
    without_dropout(network)(x)


# Counted in the authors' published code, auxiliary heads included.
@pytest.mark.parametrize(
    ("shape", "classes", "count"),
    [(CIFAR, 10, 9_960_638), (CIFAR, 100, 10_237_388), (TINY_IMAGENET, 200, 10_544_888)],
)
def test_parameters_are_as_many_as_published(shape, classes, count):
    with torch.device("meta"):
        network = architecture("googlenet").build(shape, classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_network_is_torchvisions_with_one_stride_and_two_poolings_less():
    torch.manual_seed(0)
    network = googlenet(CIFAR, 10)
    x = drawn(2, *CIFAR)
    spread(network, x)
    theirs = torchvision().models.googlenet(num_classes=10, init_weights=False)
    theirs.conv1.conv.stride = (1, 1)
    theirs.maxpool1 = theirs.maxpool4 = nn.Identity()
    theirs.load_state_dict(network.state_dict())  # the same names and shapes
    with torch.no_grad():
        found = network.eval()(x)
        assert not torch.allclose(found[0], found[1], rtol=0.1)
        torch.testing.assert_close(found, theirs.eval()(x), rtol=1e-4, atol=1e-5)
        logits, early, late = without_dropout(network)(x)
        wanted = without_dropout(theirs)(x)
    for one, other in zip((logits, late, early), wanted, strict=True):  # theirs has the late first
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_evaluation_gives_logits_alone_and_training_those_of_the_heads_too():
    network = googlenet(MNIST, 7, width=8)
    x = drawn(3, *MNIST)
    assert network.eval()(x).shape == (3, 7)
    assert [z.shape for z in network.train()(x)] == [(3, 7)] * 3


def test_dropout_is_as_published():
    network = googlenet(CIFAR, 10, width=8)
    found = {name: m.p for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
    assert found == {"aux1.dropout": 0.7, "aux2.dropout": 0.7, "dropout": 0.2}


def test_a_larger_image_is_brought_to_32_pixels_as_an_image_library_does():
    image = drawn(1, 1, 64, 48)
    wanted = np.asarray(Image.fromarray(image[0, 0].numpy()).resize((32, 32), Image.BILINEAR))
    torch.testing.assert_close(Resize()(image)[0, 0], torch.tensor(wanted), rtol=1e-4, atol=1e-5)
    large, small = (googlenet(shape, 10, width=8) for shape in (TINY_IMAGENET, CIFAR))
    x = drawn(2, *TINY_IMAGENET)
    spread(large, x)
    small.load_state_dict(large.state_dict())
    large.eval(), small.eval()
    with torch.no_grad():
        torch.testing.assert_close(large(x), small(Resize()(x)))
        assert not torch.allclose(large(x), small(x), rtol=0.01)


@pytest.mark.parametrize("shape", [CIFAR, MNIST])
def test_an_image_that_is_small_already_is_left_alone(shape):
    network = googlenet(shape, 10, width=8).eval()
    assert isinstance(network.resize, nn.Identity)
    assert network(drawn(2, *shape)).shape == (2, 10)


def test_weights_start_normal_up_to_two_standard_deviations():
    torch.manual_seed(0)
    network = googlenet(CIFAR, 10)
    for weight in (network.conv3.conv.weight, network.aux1.fc1.weight):
        assert weight.abs().max().item() <= 0.02
        # a unit normal cut off at 2 has the standard deviation 0.8796
        assert weight.std().item() == pytest.approx(0.008796, rel=0.01)
    layers = list(network.modules())
    assert {m.eps for m in layers if isinstance(m, nn.BatchNorm2d)} == {1e-3}
    assert all(m.bias is None for m in layers if isinstance(m, nn.Conv2d))


def test_a_narrow_network_has_all_its_channels_in_proportion():
    with torch.device("meta"):
        wide, narrow = (googlenet(CIFAR, 10, width).state_dict() for width in (64, 8))
    for name, value in wide.items():
        sizes = [n if n in (1, 3, 7, 10) else n // 8 for n in value.shape]
        assert list(narrow[name].shape) == sizes, name


@pytest.mark.parametrize("width", [0, 4, 60])
def test_a_width_that_leaves_half_a_channel_is_refused(width):
    with pytest.raises(
        ValueError, match=f"the width of a GoogLeNet is a multiple of 8, got {width}"
    ):
        googlenet(CIFAR, 10, width)


def test_the_table_knows_that_it_has_heads():
    assert architecture("googlenet").auxiliary == architecture("googlenet_w8").auxiliary == 0.3
    assert architecture("tinyten").auxiliary == 0
