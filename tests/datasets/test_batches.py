"""Every image once an epoch, and a batch that depends on its place alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.datasets.augmentation import augmentation
from modeconn_lib.datasets.batches import (
    batch_indices,
    plain_batches,
    training_batch,
    training_batches,
)
from modeconn_lib.datasets.colour import normalise
from modeconn_lib.datasets.images import load

DATA = load("fashion_mnist_small", "test").first(100)
PROTOCOL = augmentation("neuron_alignment", DATA.info)


@given(
    n=st.integers(1, 200),
    size=st.integers(1, 64),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 300),
)
def test_an_epoch_holds_every_example_once(n, size, seed, epoch):
    parts = batch_indices(n, size, seed, epoch)
    assert sorted(torch.cat(parts).tolist()) == list(range(n))
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {
        tuple(torch.cat(batch_indices(50, 8, seed, epoch)).tolist())
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert len(orders) == 6


def test_the_order_does_not_depend_on_the_size_of_batches():
    assert torch.equal(torch.cat(batch_indices(50, 7, 0, 1)), torch.cat(batch_indices(50, 9, 0, 1)))


@pytest.mark.parametrize(("n", "size"), [(0, 4), (4, 0)])
def test_empty_batches_are_refused(n, size):
    with pytest.raises(ValueError, match=f"got n={n}, batch_size={size}"):
        batch_indices(n, size, 0, 0)


@pytest.mark.parametrize("start", [0, 1, 6])
def test_an_epoch_taken_up_in_the_middle_goes_on_with_the_same_batches(start):
    whole = list(training_batches(DATA, PROTOCOL, 16, seed=5, epoch=2))
    rest = list(training_batches(DATA, PROTOCOL, 16, seed=5, epoch=2, start=start))
    assert len(rest) == len(whole) - start
    for (images, labels), (same_images, same_labels) in zip(rest, whole[start:], strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)


def test_batches_of_one_epoch_are_not_augmented_alike():
    indices = torch.arange(8)
    batches = [
        training_batch(DATA, indices, PROTOCOL, 0, epoch, k)[0]
        for epoch, k in ((0, 0), (0, 1), (1, 0))
    ]
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


def test_batches_do_not_touch_torchs_own_random_state():
    before = torch.get_rng_state()
    list(training_batches(DATA, PROTOCOL, 16, seed=0, epoch=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_measuring_sees_every_image_once_in_order_and_as_it_is():
    images, labels = zip(*plain_batches(DATA, PROTOCOL, 32), strict=True)
    assert torch.equal(torch.cat(labels), DATA.labels)
    assert torch.equal(torch.cat(images), normalise(DATA.images, PROTOCOL.mean, PROTOCOL.std))
