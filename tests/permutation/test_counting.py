"""Counts of symmetries are those of the paper, and of the definition."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.permutation.apply import permute
from modeconn_lib.permutation.counting import (
    PUBLISHED_LAYERS,
    log10_symmetries,
    published_count,
)
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.reference import specs


@pytest.mark.parametrize(
    ("network", "exponent"),
    [("MLP (3 layers, 512 width)", 3498), ("VGG16", 35160), ("ResNet50", 55109)],
)
def test_table_1_is_reproduced_to_the_digit(network, exponent):
    assert published_count(PUBLISHED_LAYERS[network]) == exponent


def test_layers_that_a_residual_stream_ties_count_once():
    module = torchvision().models.resnet50()
    hand = specs.torchvision_resnet((3, 4, 6, 3), 3, 4)
    traced = trace(module, torch.zeros(2, 3, 64, 64)).spec
    assert int(log10_symmetries(traced)) == 25638
    assert log10_symmetries(hand) == pytest.approx(log10_symmetries(traced), abs=1e-6)


@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_there_are_as_many_networks_as_counted(sizes):
    names = [f"fc{i}" for i in range(len(sizes))]
    spec = PermutationSpec(
        dict(zip(names, sizes, strict=True)), {name: (AxisSpan(name, 0),) for name in names}
    )
    params = {name: torch.arange(n) for name, n in spec.sizes.items()}
    orders = [map(torch.tensor, itertools.permutations(range(n))) for n in sizes]
    seen = {
        tuple(map(tuple, (v.tolist() for v in permute(params, spec, p).values())))
        for choice in itertools.product(*orders)
        for p in [dict(zip(names, choice, strict=True))]
    }
    assert math.log10(len(seen)) == pytest.approx(log10_symmetries(spec), abs=1e-12)


@given(sizes=st.lists(st.integers(0, 300), max_size=6))
def test_the_published_count_drops_less_than_one_a_layer(sizes):
    exact = sum(math.lgamma(n + 1) for n in sizes) / math.log(10)
    assert 0 <= exact - published_count(sizes) + 1e-9 < len(sizes) + 1e-6


def test_the_published_count_rounds_down_exact_integers():
    # 25! = 15511210043330985984000000 has 26 digits, and is known digit by digit.
    assert published_count([25]) == 25
    assert published_count([0, 1, 3, 4]) == 1  # 1, 1, 6, 24
