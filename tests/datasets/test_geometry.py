"""Batched geometry against one image at a time, and its symmetries."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.datasets.geometry import crop_padded, mirror, resample, rotate_scale, take_pixels
from tests.reference.images import crop_one, mirror_one, resample_one

seeds = st.integers(0, 2**31)


def batch(seed, n=4, channels=3, height=9, width=7):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, channels, height, width), generator=g, dtype=torch.uint8), g


@given(seed=seeds, pad=st.integers(0, 4), channels=st.sampled_from([1, 3]))
def test_a_padded_crop_is_the_loop_over_images(seed, pad, channels):
    images, g = batch(seed, channels=channels)
    offsets = torch.randint(2 * pad + 1, (len(images), 2), generator=g)
    expected = [
        crop_one(image, pad, top, left)
        for image, (top, left) in zip(images.numpy(), offsets.tolist(), strict=True)
    ]
    assert np.array_equal(crop_padded(images, pad, offsets).numpy(), np.stack(expected))


def test_a_crop_at_the_padding_is_the_image():
    images, _ = batch(0)
    assert torch.equal(crop_padded(images, 3, torch.full((4, 2), 3)), images)


@given(seed=seeds)
def test_mirroring_is_the_loop_over_images_and_undoes_itself(seed):
    images, g = batch(seed)
    mask = torch.rand(len(images), generator=g) < 0.5
    expected = [
        mirror_one(image) if chosen else image
        for image, chosen in zip(images.numpy(), mask.tolist(), strict=True)
    ]
    mirrored = mirror(images, mask)
    assert np.array_equal(mirrored.numpy(), np.stack(expected))
    assert torch.equal(mirror(mirrored, mask), images)


def test_mirroring_leaves_the_images_given_to_it_alone():
    images, _ = batch(0)
    before = images.clone()
    mirror(images, torch.ones(4, dtype=torch.bool))
    assert torch.equal(images, before)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 28), (9, 14)])
def test_rotation_and_scale_are_torchvisions_affine(height, width):
    torchvision()
    from torchvision.transforms.functional import InterpolationMode, affine

    images, g = batch(1, n=24, height=height, width=width)
    degrees = torch.rand(24, generator=g) * 90 - 45
    scales = torch.rand(24, generator=g) + 0.5
    expected = torch.stack(
        [
            affine(image, angle, [0, 0], scale, [0.0, 0.0], InterpolationMode.NEAREST, fill=0)
            for image, angle, scale in zip(images, degrees.tolist(), scales.tolist(), strict=True)
        ]
    )
    # A pixel may come from a point half way between two others; float rounding then decides.
    assert (rotate_scale(images, degrees, scales) != expected).float().mean() < 1e-3


def test_no_rotation_and_no_scale_change_nothing():
    images, _ = batch(0)
    assert torch.equal(rotate_scale(images, torch.zeros(4), torch.ones(4)), images)


def test_a_quarter_turn_is_numpys_and_clockwise():
    images, _ = batch(0, height=8, width=8)
    turned = rotate_scale(images, torch.full((4,), 90.0), torch.ones(4))
    assert np.array_equal(turned.numpy(), np.rot90(images.numpy(), -1, axes=(2, 3)))


def test_what_comes_from_outside_is_black():
    white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    small = rotate_scale(white, torch.zeros(1), torch.tensor([0.5]))[0, 0]
    expected = torch.zeros(8, 8, dtype=torch.uint8)
    expected[2:6, 2:6] = 255
    assert torch.equal(small, expected)


@given(seed=seeds, mirrored=st.booleans())
def test_resampling_is_the_loop_over_pixels(seed, mirrored):
    images, g = batch(seed, n=2)
    zooms = torch.rand(2, generator=g) * 0.4 + 0.8
    places = torch.rand(2, 2, generator=g) * 2 - 1
    degrees = torch.rand(2, generator=g) * 60 - 30
    mask = torch.tensor([mirrored, not mirrored])
    result = resample(images, zooms, places, mask, degrees).numpy()
    for i, image in enumerate(images.numpy()):
        exact = resample_one(
            image, float(zooms[i]), places[i].tolist(), bool(mask[i]), float(degrees[i])
        )
        assert np.abs(result[i] - exact).max() < 0.51  # rounded to whole numbers, in float32


def test_resampling_at_rest_changes_nothing():
    images, _ = batch(0)
    none = torch.zeros(4, dtype=torch.bool)
    assert torch.equal(
        resample(images, torch.ones(4), torch.zeros(4, 2), none, torch.zeros(4)), images
    )


def test_every_image_has_its_own_pixels_taken():
    images = torch.arange(2 * 1 * 2 * 2, dtype=torch.uint8).view(2, 1, 2, 2)
    places = torch.tensor([[[3]], [[0]]])
    assert take_pixels(images, places).flatten().tolist() == [3, 4]
