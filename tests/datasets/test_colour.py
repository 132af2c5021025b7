"""Batched colour against torchvision's, one image at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.datasets.colour import adjust_contrast, adjust_saturation, normalise

CHANGES = {"adjust_contrast": adjust_contrast, "adjust_saturation": adjust_saturation}


def batch(seed, channels):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (6, channels, 8, 8), generator=g, dtype=torch.uint8), g


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_colour_is_torchvisions(name, channels):
    torchvision()
    from torchvision.transforms import functional

    images, g = batch(0, channels)
    factors = torch.rand(6, generator=g) + 0.5
    expected = torch.stack(
        [
            getattr(functional, name)(image, factor)
            for image, factor in zip(images, factors.tolist(), strict=True)
        ]
    )
    difference = CHANGES[name](images, factors).int() - expected.int()
    assert difference.abs().max() <= 1  # both round down; the last bit of a float32 may differ
    assert (difference != 0).float().mean() < 0.01


@pytest.mark.parametrize("change", CHANGES.values())
def test_a_factor_of_one_changes_nothing(change):
    images, _ = batch(1, 3)
    # 1 * x + 0 * y is x without rounding
    assert torch.equal(change(images, torch.ones(6)), images)


def test_without_saturation_the_channels_are_equal():
    images, _ = batch(2, 3)
    grey = adjust_saturation(images, torch.zeros(6))
    assert torch.equal(grey, grey[:, :1].expand_as(grey))


@given(value=st.integers(0, 255), mean=st.floats(0.1, 0.9), std=st.floats(0.1, 1))
def test_normalising_is_its_formula(value, mean, std):
    images = torch.full((1, 2, 1, 1), value, dtype=torch.uint8)
    result = normalise(images, (mean, 0.0), (std, 1.0)).flatten().tolist()
    assert result == pytest.approx([(value / 255 - mean) / std, value / 255], abs=1e-5)


def test_one_mean_stands_for_every_channel():
    images, _ = batch(3, 3)
    assert torch.equal(normalise(images, (0.5,), (0.2,)), normalise(images, (0.5,) * 3, (0.2,) * 3))


@pytest.mark.parametrize(
    ("mean", "std"), [((), ()), ((0.5, 0.5), (1.0, 1.0)), ((0.5,), (1.0,) * 3)]
)
def test_constants_for_another_number_of_channels_are_refused(mean, std):
    with pytest.raises(ValueError, match=r"3 channel\(s\) need 1 or 3 means .* got mean \("):
        normalise(batch(0, 3)[0], mean, std)
