"""Every architecture: its number of parameters, its shapes, its initial weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from modeconn_lib.core.errors import Refusal
from modeconn_lib.models.convfc import conv2fc1
from modeconn_lib.models.layers import LayerNorm2d
from modeconn_lib.models.mlp import ResidualBlock, mlp, residual_mlp
from modeconn_lib.models.registry import ARCHITECTURES, architecture
from modeconn_lib.models.resnet import resnet
from modeconn_lib.models.tinyten import tinyten
from modeconn_lib.models.vgg import vgg16, vgg16_layernorm

CIFAR, TINY_IMAGENET, MNIST = (3, 32, 32), (3, 64, 64), (1, 28, 28)
LARGE = ("_x4", "_x8", "_x16", "_x32", "_w32", "_w64", "_w128", "_w256", "_4096", "googlenet")
LARGE += ("fc3", "fc5", "fc7", "vgg16", "_w2000", "_w5000")
SMALL = [name for name in ARCHITECTURES if not name.endswith(LARGE)]


def parameters(name: str, shape: tuple[int, int, int], classes: int) -> int:
    """Count without allocating: the widest network has 300 million."""
    with torch.device("meta"):
        network = architecture(name).build(shape, classes)
    return sum(parameter.numel() for parameter in network.parameters())


# Counted in the authors' published code, except where marked.
@pytest.mark.parametrize(
    ("name", "shape", "classes", "count"),
    [
        ("mlp", MNIST, 10, 932_362),
        ("mlp", CIFAR, 10, 2_103_818),
        ("tinyten", CIFAR, 10, 86_778),
        ("tinyten", CIFAR, 100, 92_628),
        ("tinyten", TINY_IMAGENET, 200, 99_128),
        ("resnet20", CIFAR, 10, 272_474),  # the CIFAR ResNet20 with option B shortcuts
        ("resnet32", CIFAR, 10, 466_906),
        ("resnet32", CIFAR, 100, 472_756),
        ("resnet32", TINY_IMAGENET, 200, 479_256),
        ("resnet20_layernorm", CIFAR, 10, 292_954),
        ("resnet20_layernorm_x2", CIFAR, 10, 1_166_506),
        ("resnet20_layernorm_x4", CIFAR, 10, 4_655_434),
        ("resnet20_layernorm_x8", CIFAR, 10, 18_600_586),
        ("resnet20_layernorm_x16", CIFAR, 10, 74_360_074),
        ("resnet20_layernorm_x32", CIFAR, 10, 297_355_786),
        ("vgg16_layernorm_w8", CIFAR, 10, 240_594),
        ("vgg16_layernorm_w16", CIFAR, 10, 957_210),
        ("vgg16_layernorm_w32", CIFAR, 10, 3_818_538),
        ("vgg16_layernorm_w64", CIFAR, 10, 15_253_578),
        ("vgg16_layernorm_w128", CIFAR, 10, 60_973_194),
        ("vgg16_layernorm_w256", CIFAR, 10, 243_810_570),
        ("vgg16_layernorm_4096", CIFAR, 10, 33_646_666),  # "33.6 million"
        ("one_hidden_w2000", MNIST, 10, 1_590_010),
        ("one_hidden_w2000", CIFAR, 10, 6_166_010),
        ("fc3", CIFAR, 10, 31_182_368),
        ("conv2fc1", CIFAR, 10, 85_066),
        ("vgg16", CIFAR, 10, 15_245_130),
        ("vgg16", CIFAR, 100, 15_291_300),
    ],
)
def test_parameters_are_as_many_as_published(name, shape, classes, count):
    assert parameters(name, shape, classes) == count


@pytest.mark.parametrize("shape", [MNIST, CIFAR, TINY_IMAGENET])
@pytest.mark.parametrize("name", SMALL)
def test_a_batch_of_images_gives_a_row_of_logits_each(name, shape):
    network = architecture(name).build(shape, 7).eval()
    assert network(torch.ones(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("name", SMALL)
def test_the_table_knows_which_networks_have_batch_norm(name):
    network = architecture(name).build(CIFAR, 10)
    found = any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert architecture(name).has_batchnorm == found


@pytest.mark.parametrize("name", SMALL)
def test_the_same_random_state_gives_the_same_weights(name):
    weights = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        weights.append(next(architecture(name).build(CIFAR, 10).parameters()).detach())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("name", "layers"), [("fc3", 3), ("fc5", 5), ("fc7", 7)])
def test_deep_fully_connected_networks_have_so_many_layers_and_no_biases(name, layers):
    with torch.device("meta"):
        network = architecture(name).build(CIFAR, 10)
    found = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert len(found) == layers
    assert all(layer.bias is None for layer in found)


def test_a_fully_connected_network_begins_as_pytorch_does_and_an_mlp_with_lecuns_weights():
    torch.manual_seed(0)
    network = architecture("one_hidden_w500").build(MNIST, 10)
    for name, inputs in (("fc1", 784), ("fc", 500)):
        for value in network.get_submodule(name).parameters():
            assert 0.5 * inputs**-0.5 < value.abs().max() <= inputs**-0.5
    lecun = mlp(MNIST, 10, widths=(500,))
    assert lecun.fc1.weight.abs().max() > 1.5 * 784**-0.5
    assert lecun.fc1.bias.abs().max() == 0


def test_vgg16_without_norm_begins_as_published_and_drops_before_its_hidden_layers():
    network = architecture("vgg16_w8").build(CIFAR, 10)
    parts = dict(network.named_children())
    for name, layer in parts.items():
        if isinstance(layer, nn.Conv2d):
            expected = (2 / (9 * layer.out_channels)) ** 0.5
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.25), name
            assert layer.bias.abs().max() == 0
    assert not any(isinstance(layer, LayerNorm2d) for layer in network)
    assert list(parts)[-8:] == [
        "flatten", "drop1", "fc1", "fc_relu1", "drop2", "fc2", "fc_relu2", "fc",
    ]  # fmt: skip


def test_tinyten_is_the_published_sequence_of_layers():
    network = tinyten(CIFAR, 10)
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    assert [
        (c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0])
        for c in convolutions
    ] == [
        (3, 16, 3, 1, 1),
        (16, 16, 3, 1, 1),
        (16, 32, 3, 2, 1),
        (32, 32, 3, 1, 1),
        (32, 32, 3, 1, 1),
        (32, 64, 3, 2, 1),
        (64, 64, 3, 1, 0),
        (64, 64, 1, 1, 0),
    ]
    names = [name for name, _ in network.named_children()]
    assert names[:6] == ["conv1", "bn1", "relu1", "conv2", "bn2", "relu2"]
    assert names[-5:] == ["bn8", "relu8", "pool", "flatten", "fc"]
    assert network[:-3](torch.ones(2, *CIFAR)).shape == (2, 64, 6, 6)


def test_resnet50_is_torchvisions_as_published():
    assert parameters("resnet50", (3, 224, 224), 1000) == 25_557_032
    assert parameters("resnet50", (1, 28, 28), 10) < parameters("resnet50", (3, 28, 28), 10)


def test_tinyten_starts_xavier_normal_with_zero_biases():
    torch.manual_seed(0)
    network = tinyten(CIFAR, 10)
    # the largest layer: 64 x 64 x 9 draws
    assert network.conv7.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert network.fc.weight.std().item() == pytest.approx((2 / 74) ** 0.5, rel=0.1)
    assert not any(value.any() for name, value in network.named_parameters() if "bias" in name)
    assert network.bn3.eps == 1e-5


def test_a_batch_norm_resnet_starts_kaiming_normal_by_its_fan_out():
    torch.manual_seed(0)
    conv = resnet(CIFAR, 10, depth=20).layer3[0].conv1  # 32 -> 64: fan-in and fan-out differ
    assert conv.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)


def test_a_layer_norm_resnet_starts_lecun_normal():
    torch.manual_seed(0)
    network = architecture("resnet20_layernorm").build(CIFAR, 10)
    weight = network.layer3[0].shortcut.conv.weight
    assert weight.std().item() == pytest.approx((32 * 9) ** -0.5, rel=0.03)
    assert not network.fc.bias.any()


def test_resnet_stages_halve_the_map_and_only_they_change_the_shortcut():
    network = resnet(CIFAR, 10, depth=20, width=2)
    x = network[:3](torch.ones(2, *CIFAR))
    shapes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]
    shortcuts = [
        [isinstance(block.shortcut, nn.Identity) for block in stage]
        for stage in (network.layer1, network.layer2, network.layer3)
    ]
    assert shortcuts == [[True, True, True], [False, True, True], [False, True, True]]


def test_a_block_adds_its_input_before_the_last_relu():
    block = resnet(CIFAR, 10, depth=20).layer1[1].eval()
    nn.init.zeros_(block.norm2.weight)  # silences the convolutions
    x = torch.linspace(-1, 1, 512).view(2, 16, 4, 4)
    assert torch.equal(block(x), x.relu())


def test_a_block_is_two_normed_convolutions_with_a_relu_between():
    torch.manual_seed(0)
    block = resnet(CIFAR, 10, depth=20).layer2[0].eval()
    x = torch.randn(2, 16, 4, 4)
    inner = functional.conv2d(x, block.conv1.weight, stride=2, padding=1)
    inner = functional.conv2d((inner / (1 + 1e-5) ** 0.5).relu(), block.conv2.weight, padding=1)
    outer = functional.conv2d(x, block.shortcut.conv.weight, stride=2)
    torch.testing.assert_close(block(x), ((inner + outer) / (1 + 1e-5) ** 0.5).relu())


def test_mlp_takes_any_widths():
    network = mlp((1, 4, 4), 3, widths=(5, 6))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes == {
        "fc1.weight": (5, 16),
        "fc1.bias": (5,),
        "fc2.weight": (6, 5),
        "fc2.bias": (6,),
        "fc.weight": (3, 6),
        "fc.bias": (3,),
    }


def test_vgg16_is_the_published_sequence_of_layers():
    network = vgg16_layernorm(CIFAR, 10, width=8)
    marks = {nn.MaxPool2d: "M", nn.Flatten: "|", LayerNorm2d: "n", nn.ReLU: "r"}
    text = " ".join(marks.get(type(layer)) or str(len(layer.weight)) for layer in network)
    stages = [("8", 2), ("16", 2), ("32", 3), ("64", 3), ("64", 3)]
    expected = " M ".join(" ".join([f"{n} n r"] * times) for n, times in stages)
    assert text == f"{expected} M | 64 r 64 r 10"
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in convolutions)
    assert network.norm1.eps == 1e-6


def test_vgg16_starts_lecun_normal_with_zero_biases():
    torch.manual_seed(0)
    network = vgg16_layernorm(CIFAR, 10, width=16)
    assert network.conv13.weight.std().item() == pytest.approx((128 * 9) ** -0.5, rel=0.02)
    assert not network.conv1.bias.any()


def test_vgg16_continues_a_small_image_by_its_edge_and_leaves_others_alone():
    network = vgg16_layernorm((1, 28, 31), 10, width=1)
    image = torch.arange(28 * 31.0).view(1, 1, 28, 31)
    larger = network.border(image)
    assert larger.shape == (1, 1, 32, 32)
    assert torch.equal(larger[:, :, 2:30, :31], image)
    assert larger[0, 0, 0, 5] == image[0, 0, 0, 5]
    assert larger[0, 0, 31, 31] == image[0, 0, 27, 30]
    assert not hasattr(vgg16_layernorm(CIFAR, 10, width=1), "border")


def test_a_residual_mlp_has_one_stream():
    network = residual_mlp((1, 2, 2), 3, width=5, blocks=2)
    x = torch.randn(4, 1, 2, 2)
    stream = network.fc1(x.flatten(1))
    for block in (network.block1, network.block2):
        stream = stream + block.fc2(block.fc1(stream).relu())
    torch.testing.assert_close(network(x), network.fc(stream.relu()))
    assert sum(isinstance(layer, ResidualBlock) for layer in network) == 2


@pytest.mark.parametrize(("width", "hidden"), [(0, 0), (8, -1)])
def test_a_width_that_no_vgg_has_is_refused(width, hidden):
    with pytest.raises(ValueError, match=rf"got width={width}, hidden={hidden}"):
        vgg16_layernorm(CIFAR, 10, width, hidden)


def test_sizes_that_no_vgg16_or_conv2fc1_has_are_refused():
    with pytest.raises(ValueError, match="a VGG16 needs width >= 1, got width=0"):
        vgg16(CIFAR, 10, 0)
    with pytest.raises(Refusal, match=r"at least 7 x 7 pixels, got shape \(3, 6, 32\)"):
        conv2fc1((3, 6, 32), 10)
    assert conv2fc1((3, 7, 7), 10)(torch.ones(2, 3, 7, 7)).shape == (2, 10)


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(Refusal, match=r"unknown architecture 'nonsense'; known: mlp, .*tinyten"):
        architecture("nonsense")


def test_an_image_too_small_for_tinyten_is_refused():
    with pytest.raises(Refusal, match=r"at least 9 x 9 pixels, got shape \(3, 8, 32\)"):
        tinyten((3, 8, 32), 10)
    assert tinyten((3, 9, 9), 10)(torch.ones(2, 3, 9, 9)).shape == (2, 10)


@pytest.mark.parametrize("depth", [18, 2])
def test_a_depth_that_no_resnet_has_is_refused(depth):
    with pytest.raises(ValueError, match=rf"6n \+ 2 layers .*, got {depth}"):
        resnet(CIFAR, 10, depth=depth)
