"""The layers that torch lacks, against loops that are too slow to be wrong."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from modeconn_lib.models.layers import LayerNorm2d, SameConv2d, lecun_normal_, same_padding


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_layer_norm(x, weight, bias, eps):
    """Normalise pixel by pixel."""
    out = torch.empty_like(x)
    for n in range(x.shape[0]):
        for h in range(x.shape[2]):
            for w in range(x.shape[3]):
                pixel = x[n, :, h, w]
                variance = ((pixel - pixel.mean()) ** 2).mean()
                out[n, :, h, w] = (pixel - pixel.mean()) / (variance + eps).sqrt() * weight + bias
    return out


def slow_same_convolution(x, weight, stride):
    """Sum kernel entries one output pixel at a time; outside of the image there are zeros."""
    kernel, (batch, _, height, width) = weight.shape[2], x.shape
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    above = max((rows - 1) * stride + kernel - height, 0) // 2
    left = max((columns - 1) * stride + kernel - width, 0) // 2
    out = torch.zeros(batch, weight.shape[0], rows, columns, dtype=x.dtype)
    for row in range(rows):
        for column in range(columns):
            for i in range(kernel):
                for j in range(kernel):
                    h, w = row * stride + i - above, column * stride + j - left
                    if 0 <= h < height and 0 <= w < width:
                        out[:, :, row, column] += x[:, :, h, w] @ weight[:, :, i, j].T
    return out


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_layer_norm_is_over_the_channels_of_each_pixel(layout):
    norm = LayerNorm2d(5).double()
    norm.weight.data, norm.bias.data = random(1, 5), random(2, 5)
    # one pixel without variance, and small values, so that eps counts
    x = 1e-3 * random(0, 2, 5, 3, 4)
    x[0, :, 0, 0] = 7.0
    expected = slow_layer_norm(x, norm.weight, norm.bias, eps=1e-6)
    torch.testing.assert_close(norm(x.contiguous(memory_format=layout)), expected)


def test_layer_norm_per_pixel_is_not_group_norm_with_one_group():
    x = random(0, 2, 5, 3, 4)
    difference = LayerNorm2d(5).double()(x) - functional.group_norm(x, 1, eps=1e-6)
    assert difference.abs().max() > 0.1


def test_layer_norm_keeps_the_channels_last_layout():
    x = random(0, 2, 5, 3, 4).contiguous(memory_format=torch.channels_last)
    assert LayerNorm2d(5).double()(x).is_contiguous(memory_format=torch.channels_last)


@settings(max_examples=40, deadline=None)
@example(height=7, width=9, kernel=3, stride=3)  # symmetric, and the axes differ
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
)
def test_same_convolution_is_the_sum_over_the_image(height, width, kernel, stride):
    conv = SameConv2d(2, 3, kernel, stride).double()
    x = random(height * 10 + width, 2, 2, height, width)
    expected = slow_same_convolution(x, conv.weight.detach(), stride)
    torch.testing.assert_close(conv(x).detach(), expected)


def test_same_padding_puts_the_odd_zero_at_the_end():
    assert [same_padding(size, 3, 2) for size in (32, 28, 7)] == [(0, 1), (0, 1), (1, 1)]
    assert same_padding(4, kernel=1, stride=3) == (0, 0)


def test_symmetric_padding_would_sample_other_pixels():
    conv = SameConv2d(2, 3, 3, 2).double()
    x = random(0, 1, 2, 8, 8)
    symmetric = functional.conv2d(x, conv.weight, None, 2, 1)
    assert symmetric.shape == conv(x).shape
    assert (symmetric - conv(x)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("layer", "fan_in"), [(nn.Linear(400, 500), 400), (nn.Conv2d(40, 500, 3), 360)]
)
def test_lecun_normal_has_variance_one_over_fan_in_and_is_cut_off(layer, fan_in):
    torch.manual_seed(0)
    lecun_normal_(layer)
    # 180,000 draws or more: the relative error of the standard deviation is below 0.2 %
    assert layer.weight.std().item() == pytest.approx(fan_in**-0.5, rel=0.01)
    assert layer.weight.mean().abs().item() < 0.01 * fan_in**-0.5
    # cut at 2 standard deviations of the normal law before the cut, 2 / 0.8796 after
    assert layer.weight.abs().max().item() <= 2.274 * fan_in**-0.5
    assert layer.weight.abs().max().item() >= 2.25 * fan_in**-0.5
    assert not layer.bias.any()
