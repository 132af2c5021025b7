"""What is found out about this machine is usable, and the reference machine is plain."""

import pytest
import torch
from torch import nn

from modeconn_lib.core import hardware
from modeconn_lib.core.hardware import Machine


def test_the_reference_machine_computes_in_float32_on_the_cpu():
    machine = Machine.reference()
    with machine.precision():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert machine.device.type == "cpu"
    assert machine.describe().endswith("float32")


def test_a_machine_with_autocast_multiplies_in_its_dtype_and_only_inside():
    machine = Machine(torch.device("cpu"), torch.bfloat16)
    with machine.precision():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert machine.describe().endswith("bf16 autocast")


def test_the_exact_machine_is_the_same_one_without_autocast():
    machine = Machine(torch.device("cpu"), torch.bfloat16, torch.channels_last)
    assert machine.exact() == Machine(torch.device("cpu"), None, torch.channels_last)


@pytest.mark.parametrize("fast", [True, False])
def test_bf16_is_used_where_the_processor_multiplies_it(monkeypatch, fast):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda: fast)
    machine = Machine.detect()
    assert machine.autocast == (torch.bfloat16 if fast else None)
    assert machine.memory_format == (torch.channels_last if fast else torch.contiguous_format)


def test_a_gpu_comes_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Machine.detect().device.type == "cuda"


def test_the_detected_machine_runs_a_convolution():
    machine = Machine.detect()
    module = nn.Conv2d(3, 4, 3).to(machine.device)
    with machine.precision():
        out = module(machine.place(torch.ones(2, 3, 8, 8)))
    assert out.shape == (2, 4, 6, 6)
    assert "\n" not in machine.describe()


def test_images_are_placed_in_the_memory_format_and_other_tensors_just_moved():
    machine = Machine(torch.device("cpu"), None, torch.channels_last)
    images = torch.arange(2.0 * 3 * 4 * 5).view(2, 3, 4, 5)
    placed = machine.place(images)
    assert placed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(placed, images)
    labels = torch.arange(3)
    assert machine.place(labels) is labels


def test_there_is_a_core_and_a_processor():
    assert hardware.cores() >= 1
    assert hardware.processor_name()


def test_torchvision_can_be_imported_twice():
    assert hardware.torchvision() is hardware.torchvision()
    assert hasattr(hardware.torchvision().models, "resnet18")


def test_float32_on_a_gpu_is_not_rounded_to_ten_bits():
    before = torch.backends.cudnn.allow_tf32
    with Machine(torch.device("cuda")).precision():
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32 == before
