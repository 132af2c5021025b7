"""A file is that of a network, or is refused with the first tensor that is not."""

import re

import pytest
import torch
from torch import nn

from modeconn_lib.commands.checkpoints import read
from modeconn_lib.commands.fits import check_alike, check_fits
from modeconn_lib.core.errors import Refusal
from tests.commands.own_network import saved, write


@pytest.fixture
def layer():
    """The smallest network with a counter that a file may lack."""
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def refused(file, layer):
    with pytest.raises(Refusal) as found:
        check_fits(file, layer, "mine")
    assert "\n" not in str(found.value)
    return str(found.value)


def test_missing_and_unknown_names_are_refused_with_the_first_and_how_many(tmp_path, layer):
    state = dict(layer.state_dict())
    del state["0.weight"], state["1.running_var"]
    state["extra"] = torch.ones(1)
    message = refused(read(saved(tmp_path / "a.safetensors", state)), layer)
    assert "lacks '0.weight' (2 are missing and 1 are not known to it)" in message
    state = {**layer.state_dict(), "extra": torch.ones(1)}
    message = refused(read(saved(tmp_path / "a.safetensors", state)), layer)
    assert "has 'extra' (0 are missing and 1 are not known to it); write it again with" in message


def test_the_prefix_of_a_wrapper_is_pointed_out(tmp_path, layer):
    state = {f"module.{name}": value for name, value in layer.state_dict().items()}
    message = refused(read(saved(tmp_path / "a.safetensors", state)), layer)
    assert message.endswith("its names begin with 'module.': write it again without")


def test_another_shape_is_refused(tmp_path, layer):
    state = {**layer.state_dict(), "0.weight": torch.ones(3, 4)}
    message = refused(read(saved(tmp_path / "a.safetensors", state)), layer)
    assert "'0.weight' has shape (3, 4), expected (3, 2) (1 differ)" in message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0.bias", torch.tensor([1, 2, 3]), r"'0.bias' is torch.int64, expected torch.float32 or"),
        ("0.bias", torch.ones(3).cfloat(), r"'0.bias' is torch.complex64, expected torch.float32"),
        ("1.num_batches_tracked", torch.tensor(1.0), r"is torch.float32, expected torch.int64$"),
        ("0.bias", torch.tensor([1, torch.nan, 3]), r"1 of 3 entries of '0.bias' are NaN or inf"),
        ("1.bias", torch.tensor([1, torch.inf, -torch.inf]), r"2 of 3 entries of '1.bias'"),
        ("1.bias", torch.tensor([1, torch.inf, 0]).half(), r"1 of 3 entries of '1.bias'"),
    ],
)
def test_numbers_that_no_network_has_are_refused(tmp_path, layer, name, value, message):
    state = {**layer.state_dict(), name: value}
    found = refused(read(saved(tmp_path / "a.safetensors", state)), layer)
    assert re.search(message, found), found


def test_files_of_other_dtypes_are_refused_by_name(tmp_path, layer):
    a = read(saved(tmp_path / "a.safetensors", layer.state_dict()))
    b = read(saved(tmp_path / "b.safetensors", layer.half().state_dict()))
    check_alike([a, a])
    with pytest.raises(Refusal, match=r"a\.safetensors and .*b\.saf.* cannot be .*float16"):
        check_alike([a, a, b])


def test_names_that_one_file_alone_may_lack_are_no_difference(tmp_path, layer):
    state = layer.state_dict()
    a = read(saved(tmp_path / "a.safetensors", state))
    state = {name: value for name, value in state.items() if "num_batches" not in name}
    b = read(saved(tmp_path / "b.safetensors", state))
    check_alike([a, b])
    check_alike([b, a])


class Masked(nn.Module):
    """A network with a mask of infinities, in a buffer of its own."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_infinities_of_the_networks_own_buffer_are_no_reason_to_refuse(tmp_path, dtype):
    state = {name: value.to(dtype) for name, value in Masked().state_dict().items()}
    check_fits(read(saved(tmp_path / "a.safetensors", state)), Masked(), "mine")


@pytest.mark.parametrize("name", ["mask", "fc.bias"])
def test_other_infinities_are(tmp_path, name):
    module = Masked()
    state = {**module.state_dict(), name: torch.tensor([-torch.inf, 0.0])}
    with torch.no_grad():
        module.fc.bias[0] = -torch.inf  # a parameter is no mask
    message = refused(read(saved(tmp_path / "a.safetensors", state)), module)
    assert f"1 of 2 entries of '{name}' are NaN or infinite" in message


def test_two_values_of_one_tensor_are_refused(tmp_path, monkeypatch):
    module = write(tmp_path, monkeypatch).tied()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    check_fits(read(saved(tmp_path / "a.safetensors", state)), module, "tied")
    state["second.weight"][0, 0] += 1
    message = refused(read(saved(tmp_path / "b.safetensors", state)), module)
    assert "'first.weight' and 'second.weight' are one tensor of the network, and two" in message
    state["second.weight"] = state["first.weight"].half()
    message = refused(read(saved(tmp_path / "b.safetensors", state)), module)
    assert "are one tensor of the network" in message


def test_a_transposed_view_is_not_the_same_tensor(tmp_path):
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = nn.Parameter(module[0].weight.t())
    check_fits(read(saved(tmp_path / "a.safetensors", module.state_dict())), module, "mine")
