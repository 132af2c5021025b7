"""What --arch can name, and what is said when it names nothing that can be used."""

import pytest
import torch
from torch import nn

from modeconn_lib.commands import networks
from modeconn_lib.commands.networks import parse_shape, resolve
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.registry import architecture
from tests.commands.own_network import ARCH, write


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, monkeypatch)


def state_of(name, shape, classes):
    return architecture(name).build(shape, classes).state_dict()


@pytest.mark.parametrize(
    ("name", "shape", "classes", "found"),
    [
        ("mlp_small", (1, 28, 28), 7, (1, 28, 28)),
        ("mlp_small", (3, 64, 64), 10, (3, 64, 64)),
        ("resnet20", (1, 28, 28), 3, (1, 28, 28)),
        ("tinyten", (3, 64, 64), 200, (3, 32, 32)),  # its tensors are the same for every size
    ],
)
def test_a_name_of_the_registry_gets_the_shape_and_classes_of_the_file(name, shape, classes, found):
    tensors = state_of(name, shape, classes)
    network = resolve(name, tensors)
    assert network.shape == found
    shapes = {n: v.shape for n, v in network.module.state_dict().items()}
    assert shapes == {n: v.shape for n, v in tensors.items()}
    assert not network.module.training


def test_given_shape_and_classes_are_taken_even_if_the_file_has_others():
    network = resolve("mlp_small", state_of("mlp_small", (1, 28, 28), 7), (2, 5, 5), 4)
    assert network.shape == (2, 5, 5)
    assert network.module.fc.out_features == 4
    assert network.module.fc1.in_features == 50


def test_a_file_that_fits_no_known_shape_gets_the_first():
    tensors = state_of("mlp_small", (3, 9, 9), 7)
    assert resolve("mlp_small", tensors).shape == (3, 32, 32)


def test_a_torchvision_network_has_the_classes_of_the_file_and_its_own_image_size():
    models = torchvision().models
    tensors = models.squeezenet1_1(num_classes=3).state_dict()
    network = resolve("torchvision:squeezenet1_1", tensors)
    assert network.shape == (3, 224, 224)
    assert network.module(network.example()).shape == (2, 3)
    assert resolve("torchvision:squeezenet1_1", tensors, (3, 64, 48)).shape == (3, 64, 48)


@pytest.mark.parametrize("auxiliary", [True, False])
def test_googlenet_has_auxiliary_heads_if_the_file_has(auxiliary, monkeypatch):
    models = torchvision().models
    monkeypatch.setattr(networks, "accepted", lambda module, arch, shapes, data: shapes[0])
    built = models.googlenet(init_weights=False, aux_logits=auxiliary)
    network = resolve("torchvision:googlenet", built.state_dict())
    assert network.module.state_dict().keys() == built.state_dict().keys()
    assert any(name.startswith("aux") for name in network.module.state_dict()) == auxiliary


def test_a_function_of_the_current_folder_is_called(own):
    network = resolve(ARCH, {})
    assert isinstance(network.module, own.Own)
    assert network.shape == (3, 32, 32)
    assert resolve(ARCH, {}, (3, 8, 8)).example().shape == (2, 3, 8, 8)


def test_a_network_that_is_built_in_another_precision_is_one_in_float32(own):
    network = resolve(f"{own.__name__}:double", {}, (3, 8, 8))
    assert {value.dtype for value in network.module.parameters()} == {torch.float32}
    assert network.traced().spec.sizes["stem"] == 8


def test_inputs_need_not_be_images(own):
    network = resolve(f"{own.__name__}:tied", {}, (4,))
    assert network.example().shape == (2, 4)
    assert network.traced().spec.sizes == {}  # what is used twice ties its input to its output


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnet", r"unknown architecture 'resnet'; known: mlp"),
        ("torchvision:resnet19", r"has no classifier 'resnet19'; it has resnet1"),
        ("torchvision:fasterrcnn_resnet50_fpn", r"has no classifier 'fasterrcnn"),
        ("resnet18", r"; or torchvision:NAME \(torchvision has resnet18\), or package\.module:f"),
        ("my_network", r"; or torchvision:NAME, or package\.module:function$"),
    ],
)
def test_a_name_that_means_no_network_is_refused_with_those_that_do(arch, message):
    with pytest.raises(Refusal, match=message) as found:
        resolve(arch, {})
    assert "\n" not in str(found.value)


def test_classes_cannot_be_given_to_a_function(own):
    with pytest.raises(Refusal, match="--classes cannot be given to it"):
        resolve(ARCH, {}, None, 5)


def test_a_network_of_the_registry_takes_images_only():
    with pytest.raises(Refusal, match=r"takes images; write their shape like 3,32,32, got \(8,\)"):
        resolve("mlp_small", {}, (8,))


def test_a_network_without_a_fixed_graph_is_refused(own, capfd):
    network = resolve(f"{own.__name__}:branching", {}, (2,))
    with pytest.raises(
        Refusal, match=r"torch\.export cannot read the graph of .*branching"
    ) as found:
        network.traced()
    assert "\n" not in str(found.value)
    assert capfd.readouterr() == ("", "")  # the exporter would print the graph


def test_a_shape_is_read_as_numbers():
    assert parse_shape("3,32,32") == (3, 32, 32)
    assert parse_shape("10") == (10,)
    assert parse_shape("") is None


@pytest.mark.parametrize("text", ["3x32x32", "3,0,5", "3,,5", "-1", "3, 4"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(Refusal, match="write the sizes of one input like 3,32,32"):
        parse_shape(text)


def test_the_data_that_a_shape_is_taken_from_are_named(own):
    with pytest.raises(Refusal, match=r"of shape 1x8x8 \(the shape of --data mnist\) \(Runtime"):
        resolve(ARCH, {}, (1, 8, 8), data="mnist")


def test_the_modules_own_mode_is_evaluation(own):
    assert all(not part.training for part in resolve(ARCH, {}).module.modules())
    assert isinstance(resolve(ARCH, {}).module, nn.Module)
    assert torch.equal(resolve(ARCH, {}).example(), resolve(ARCH, {}).example())
