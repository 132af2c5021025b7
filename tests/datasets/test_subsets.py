"""Parts of a training set: what is dealt to whom, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.images import Images
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.datasets.subsets import split_by_label, subset

LABELS = st.lists(st.integers(0, 5), max_size=60).map(lambda of: torch.tensor(of, dtype=torch.long))
SPLIT = [{"kind": "split", "side": side} for side in (0, 1)]


def images(n: int = 50, name: str = "cifar10") -> Images:
    """Image i holds nothing but the byte i."""
    info = dataset(name)
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, *info.shape)
    return Images(info, "train", pixels, torch.arange(n) % info.classes)


def numbers(found: Images) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


@given(LABELS)
def test_the_halves_of_a_split_share_nothing_and_leave_nothing_out(labels):
    first, second = split_by_label(labels, 6)
    assert sorted(first.tolist() + second.tolist()) == list(range(len(labels)))


def test_cifar_100_is_cut_as_published():
    labels = torch.arange(100).repeat_interleave(500)
    first, second = split_by_label(labels, 100)
    counts = [(int((labels[i] < 50).sum()), int((labels[i] >= 50).sum())) for i in (first, second)]
    assert counts == [(5_000, 20_000), (20_000, 5_000)]


def test_images_are_shuffled_before_they_are_dealt_out():
    labels = torch.arange(100).repeat_interleave(500)
    seen = labels[split_by_label(labels, 100)[0]].bincount(minlength=100)
    assert 60 < seen[:50].min() <= seen[:50].max() < 140
    assert 360 < seen[50:].min() <= seen[50:].max() < 440


def test_another_seed_is_another_split():
    labels = torch.arange(10).repeat(20)
    usual, same, other = (split_by_label(labels, 10, *s)[0].tolist() for s in ((), (123,), (1,)))
    assert usual == same != other


def test_the_sides_of_a_split_are_the_two_halves_of_the_images():
    first, second = (subset(images(), choice) for choice in SPLIT)
    assert sorted(numbers(first) + numbers(second)) == list(range(50))
    assert numbers(first) == sorted(numbers(first))


def test_labels_go_with_their_images():
    found = subset(images(), {"kind": "random", "share": 0.5, "seed": 3})
    assert found.labels.tolist() == [i % 10 for i in numbers(found)]


@given(st.floats(0.02, 1.0), st.integers(0, 2**31))
def test_a_random_share_is_as_large_as_asked_for_and_has_no_image_twice(share, seed):
    found = numbers(subset(images(), {"kind": "random", "share": share, "seed": seed}))
    assert len(set(found)) == len(found) == round(share * 50)


def test_the_same_choice_is_the_same_images_and_another_seed_is_not():
    first, again, other = (
        numbers(subset(images(), {"kind": "random", "share": 0.5, "seed": seed}))
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"kind": "third"}, "unknown kind of subset 'third'; known: split, random"),
        ({}, "unknown kind of subset None"),
        ({"kind": "split"}, "'split' is told by 'kind', 'side'; got 'kind'"),
        ({"kind": "split", "side": 0, "seed": 1}, "got 'kind', 'side', 'seed'"),
        ({"kind": "split", "side": 2}, "sides 0 and 1, not 2"),
        ({"kind": "split", "side": -1}, "sides 0 and 1, not -1"),
        ({"kind": "random", "share": 0.5}, "is told by 'kind', 'seed', 'share'"),
        ({"kind": "random", "share": 0.0, "seed": 1}, "above 0 and at most 1, not 0.0"),
        ({"kind": "random", "share": 1.5, "seed": 1}, "above 0 and at most 1, not 1.5"),
        ({"kind": "random", "share": 0.001, "seed": 1}, "of 50 images is empty"),
    ],
)
def test_a_choice_of_nothing_known_is_refused(choice, words):
    with pytest.raises(Refusal, match=words):
        subset(images(), choice)
