"""The table of data sets."""

import math

import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.info import SPLITS
from modeconn_lib.datasets.registry import DATASETS, dataset


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_is_complete_and_consistent(name):
    info = dataset(name)
    assert info.name == name
    assert len(info.mean) == len(info.std) == info.shape[0]
    assert all(0 < value < 1 for value in (*info.mean, *info.std))
    assert info.train % info.classes == 0 or name == "mnist"  # the others are balanced
    assert info.licence
    assert info.source
    assert info.title
    assert info.size("train") == info.train
    assert info.size("test") == info.test


def test_every_set_but_one_is_known_by_its_content():
    unknown = [name for name, info in DATASETS.items() if set(info.fingerprints) != set(SPLITS)]
    assert unknown == ["tiny_imagenet"]
    digests = [digest for info in DATASETS.values() for digest in info.fingerprints.values()]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)


def test_the_sets_of_the_papers_are_there():
    sizes = {name: (math.prod(info.shape), info.classes) for name, info in DATASETS.items()}
    assert sizes["cifar10"] == (3072, 10)
    assert sizes["cifar100"] == (3072, 100)
    assert sizes["mnist"] == sizes["fashion_mnist"] == (784, 10)
    assert sizes["tiny_imagenet"] == (12288, 200)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(Refusal, match=r"unknown data set 'cifar11'; known: cifar10, .*folder:PATH"):
        dataset("cifar11")
