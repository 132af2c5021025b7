"""Layers have their turn as they are computed; all that read them are known."""

import pytest
import torch
from torch import nn

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.models.resnet import resnet, resnet_layernorm
from modeconn_lib.paths.distribution.turns import turns
from modeconn_lib.permutation.trace import trace

X = torch.randn(2, 1, 8, 8)


def turns_of(module: nn.Module, x=X):
    return {turn.layer: turn for turn in turns(module, trace(module, x).spec, x)}


def test_in_a_chain_every_layer_is_read_by_the_next_and_the_last_by_none():
    found = turns_of(mlp((1, 8, 8), 3, widths=(7, 5)))
    assert {layer: turn.readers for layer, turn in found.items()} == {
        "fc1": ("fc2",),
        "fc2": ("fc",),
        "fc": (),
    }
    assert found["fc1"].tensors == ("fc1.weight", "fc1.bias")
    assert found["fc"].group is None


@pytest.mark.parametrize("build", [resnet, resnet_layernorm])
def test_what_is_added_to_a_residual_stream_is_read_by_all_later_readers_of_the_stream(build):
    found = turns_of(build((1, 8, 8), 3, depth=14))
    stream = ("layer1.0.conv1", "layer1.1.conv1", "layer2.0.conv1", "layer2.0.shortcut.conv")
    assert found["conv1"].readers == stream
    assert found["layer1.0.conv1"].readers == ("layer1.0.conv2",)
    assert found["layer1.0.conv2"].readers == stream[1:]
    assert found["layer1.1.conv2"].readers == stream[2:]
    assert found["layer3.1.conv2"].readers == ("fc",)
    assert list(found)[-1] == "fc"
    later = {span.tensor for span in found["conv1"].later.spans}
    assert {name for name in later if name.endswith("conv2.weight")} == {
        "layer1.0.conv2.weight",
        "layer1.1.conv2.weight",
    }
    assert not found["layer1.1.conv2"].later.spans


def test_a_norm_goes_with_the_layer_before_it_and_its_statistics_are_no_part_of_a_unit():
    module = resnet((1, 8, 8), 3, depth=8)
    found = turns_of(module)
    assert set().union(*(turn.tensors for turn in found.values())) == set(params_of(module))
    assert found["conv1"].tensors == (
        "conv1.weight",
        *(
            f"norm1.{name}"
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        ),
    )
    rows = [span.tensor for span in found["conv1"].rows.spans]
    assert sorted(rows) == ["conv1.weight", "norm1.bias", "norm1.weight"]


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(self.fc1(torch.relu(self.fc1(x))))


def test_networks_without_turns_are_refused():
    one, x = nn.Linear(4, 2), torch.randn(2, 4)
    with pytest.raises(ValueError, match=r"needs 2 layers or more, got \[''\]"):
        turns(one, trace(one, x).spec, x)
    twice = Twice()
    with pytest.raises(ValueError, match="layer 'fc1' is computed twice"):
        turns(twice, trace(twice, x).spec, x)
