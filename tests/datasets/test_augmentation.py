"""The protocols: what they are made of, and that their numbers cover the ranges they state."""

import pytest
import torch

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets import geometry
from modeconn_lib.datasets.augmentation import AUGMENTATIONS, augment, augmentation
from modeconn_lib.datasets.colour import adjust_contrast, adjust_saturation, normalise
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.datasets.steps import Affine, Flip, Jitter, PadCrop, Resample

CIFAR10, FASHION = dataset("cifar10"), dataset("fashion_mnist_small")


def pictures(n=16, channels=3, size=16):
    g = torch.Generator().manual_seed(0)
    return torch.randint(256, (n, channels, size, size), generator=g, dtype=torch.uint8)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("info", [CIFAR10, FASHION], ids=lambda info: info.name)
def test_the_same_generator_gives_the_same_batch_and_another_another(name, info):
    images = pictures(channels=info.shape[0])
    protocol = augmentation(name, info)
    first, again, other = (augment(images, protocol, generator(seed)) for seed in (1, 1, 2))
    assert first.dtype == torch.float32
    assert first.shape == images.shape
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (not protocol.steps)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmenting_leaves_the_images_alone(name):
    images = pictures()
    augment(images, augmentation(name, CIFAR10), generator(0))
    assert torch.equal(images, pictures())


def test_without_steps_a_batch_is_only_normalised():
    images, protocol = pictures(), augmentation("neuron_alignment", CIFAR10)
    plain = augment(images, protocol.plain(), generator(0))
    assert torch.equal(plain, normalise(images, protocol.mean, protocol.std))


def test_the_steps_are_taken_in_their_order_with_one_generator():
    images, protocol, g = pictures(), augmentation("neuron_alignment_tiny", CIFAR10), generator(4)
    expected = images
    for step in (Flip(), PadCrop(8), Affine(30.0, (0.8, 1.2)), Jitter(0.25, 0.25)):
        expected = step(expected, g)
    assert torch.equal(
        augment(images, protocol, generator(4)), normalise(expected, protocol.mean, protocol.std)
    )


def test_without_normalisation_the_same_pixels_lie_between_0_and_1():
    images, protocol = pictures(), augmentation("distribution", CIFAR10)
    raw = augment(images, protocol.unnormalised(), generator(0))
    assert raw.min() >= 0
    assert raw.max() <= 1
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (protocol.mean, protocol.std))
    torch.testing.assert_close((raw - mean) / std, augment(images, protocol, generator(0)))


def test_the_papers_constants_hold_where_they_fit_and_the_data_sets_elsewhere():
    assert augmentation("neuron_alignment", CIFAR10).std == (0.247, 0.243, 0.261)
    assert augmentation("neuron_alignment", FASHION).std == FASHION.std
    assert augmentation("shift_flip", CIFAR10).mean == CIFAR10.mean
    assert augmentation("scaled", FASHION).mean == (0.0,)


def test_the_protocols_are_those_of_the_papers():
    assert AUGMENTATIONS["neuron_alignment"].steps == (Affine(15.0), Flip(), PadCrop(4))
    assert AUGMENTATIONS["neuron_alignment_tiny"].steps == (
        Flip(),
        PadCrop(8),
        Affine(30.0, (0.8, 1.2)),
        Jitter(contrast=0.25, saturation=0.25),
    )
    assert AUGMENTATIONS["git_rebasin"].steps == (Resample(zoom=(0.8, 1.2), degrees=30.0),)
    assert AUGMENTATIONS["distribution"].steps == (Flip(), PadCrop(4))


def test_an_unknown_augmentation_is_refused_with_the_known_ones():
    with pytest.raises(Refusal, match=r"unknown augmentation 'blur'; known: none, scaled, shift"):
        augmentation("blur", CIFAR10)


def seen(monkeypatch, name, step, n=4000):
    """Return the random numbers that a step hands to a function of `geometry`."""
    arguments = []

    def record(images, *numbers):
        arguments.extend(numbers)
        return images

    monkeypatch.setattr(geometry, name, record)
    step(pictures(n, 1, 2), generator(0))
    return arguments


def test_shifts_reach_both_ends_and_every_pixel_between(monkeypatch):
    pad, offsets = seen(monkeypatch, "crop_padded", PadCrop(4))
    assert pad == 4
    for axis in (0, 1):
        assert offsets[:, axis].unique().tolist() == list(range(9))
    assert not torch.equal(offsets[:, 0], offsets[:, 1])


def test_half_of_the_images_are_mirrored(monkeypatch):
    (mask,) = seen(monkeypatch, "mirror", Flip())
    assert 0.47 < mask.float().mean() < 0.53  # 4 standard deviations


def test_angles_and_scales_fill_their_ranges(monkeypatch):
    degrees, scales = seen(monkeypatch, "rotate_scale", Affine(15.0, (0.8, 1.2)))
    assert -15 <= degrees.min() < -14.9
    assert 14.9 < degrees.max() < 15
    assert 0.8 <= scales.min() < 0.801
    assert 1.199 < scales.max() <= 1.2


def test_zooms_are_uniform_on_a_logarithmic_scale(monkeypatch):
    zooms, places, mirrored, degrees = seen(monkeypatch, "resample", Resample((0.5, 2.0), 30.0))
    assert 0.5 <= zooms.min() < 0.501
    assert 1.99 < zooms.max() <= 2
    assert 0.47 < (zooms < 1).float().mean() < 0.53
    assert -1 <= places.min() < -0.99
    assert 0.99 < places.max() < 1
    assert 0.47 < mirrored.float().mean() < 0.53
    assert -30 <= degrees.min() < -29.9
    assert 29.9 < degrees.max() < 30


def test_jitter_takes_each_image_through_both_changes_once_in_either_order():
    images = pictures(64)
    g = generator(3)
    contrast, saturation = (torch.rand(64, generator=g) * 0.5 + 0.75 for _ in range(2))
    one = adjust_saturation(adjust_contrast(images, contrast), saturation)
    other = adjust_contrast(adjust_saturation(images, saturation), contrast)
    result = Jitter(0.25, 0.25)(images, generator(3))
    is_one = (result == one).flatten(1).all(1)
    is_other = (result == other).flatten(1).all(1)
    assert (is_one | is_other).all()
    assert 10 < int((is_one & ~is_other).sum()) < 54
    assert int((is_other & ~is_one).sum()) > 10


@pytest.mark.parametrize("name", ["shift_flip", "neuron_alignment", "neuron_alignment_tiny"])
def test_a_raw_protocol_is_the_protocol_without_its_normalisation(name):
    raw, usual = augmentation(f"{name}_raw", CIFAR10), augmentation(name, CIFAR10)
    assert raw.steps == usual.steps
    assert (raw.is_raw, usual.is_raw) == (True, False)
    images = augment(pictures(), raw, generator(0))
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, augment(pictures(), usual.unnormalised(), generator(0)))
