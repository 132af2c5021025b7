"""Cross moments against numpy, however the samples come."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.alignment.moments import CrossMoments

SEED = st.integers(0, 2**31)


def samples(seed, count, units, offset=0.0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, units, generator=g)
    return x + offset, 0.5 * x.flip(1) + torch.randn(count, units, generator=g) + offset


def feed(x, y, batch):
    first, *rest = zip(x.split(batch), y.split(batch), strict=True)
    moments = CrossMoments.of(*first)
    for part in rest:
        moments = moments.add(*part)
    return moments


@given(seed=SEED, units=st.integers(1, 8), batch=st.integers(1, 60))
def test_correlation_is_numpys_whatever_the_batch_size(seed, units, batch):
    x, y = samples(seed, 60, units)
    found = feed(x, y, batch).correlation().numpy()
    wanted = np.corrcoef(x.double().T.numpy(), y.double().T.numpy())[:units, units:]
    # float32 products of 60 samples about a sample: 1e-5 is some tens of roundings
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@given(seed=SEED, units=st.integers(1, 8), batch=st.integers(1, 60))
def test_squared_distance_is_the_mean_over_samples(seed, units, batch):
    x, y = samples(seed, 60, units, offset=3.0)
    found = feed(x, y, batch).squared_distance()
    wanted = (x[:, :, None].double() - y[:, None, :].double()).square().mean(0)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_large_offset_costs_no_digits():
    x, y = samples(0, 4000, 3)
    plain, shifted = feed(x, y, 100), feed(x + 1000, y - 1000, 100)
    # float32 holds 1000 + x to 6e-5: the data themselves differ by that much
    torch.testing.assert_close(plain.correlation(), shifted.correlation(), atol=2e-4, rtol=0)


@given(level=st.floats(-1e6, 1e6, width=32), batch=st.integers(1, 60))
def test_a_constant_unit_correlates_with_nothing(level, batch):
    x, y = samples(1, 60, 3)
    x[:, 1] = level
    found = feed(x, y, batch).correlation()
    assert torch.equal(found[1], torch.zeros(3, dtype=torch.float64))
    assert torch.isfinite(found).all()


def test_a_unit_correlates_fully_with_itself_and_inversely_with_its_negative():
    x, _ = samples(2, 100, 4)
    torch.testing.assert_close(
        feed(x, x, 30).correlation().diagonal(),
        torch.ones(4, dtype=torch.float64),
        rtol=0,
        atol=1e-6,
    )
    torch.testing.assert_close(
        feed(x, -x, 30).correlation().diagonal(),
        -torch.ones(4, dtype=torch.float64),
        rtol=0,
        atol=1e-6,
    )


def test_many_samples_are_summed_in_float64():
    x = torch.full((300_000, 1), 1.0)
    x[::2] = -1.0
    x[0] = 0.0
    moments = feed(x, x, 300_000)
    assert float(moments.square_x[0]) == 299_999


@given(seed=SEED, units=st.integers(1, 8), batch=st.integers(1, 60), offset=st.floats(-5, 5))
def test_the_second_moment_is_the_mean_product_whatever_the_batch_size(seed, units, batch, offset):
    x, y = samples(seed, 60, units, offset)
    wanted = x.double().T @ y.double() / 60
    torch.testing.assert_close(feed(x, y, batch).second_moment(), wanted, rtol=1e-6, atol=1e-5)


@given(seed=SEED, units=st.integers(1, 8), offset=st.floats(-5, 5))
def test_distances_and_twice_the_products_add_up_to_the_squares(seed, units, offset):
    x, y = samples(seed, 60, units, offset)
    moments = feed(x, y, 20)
    found = moments.squared_distance() + 2 * moments.second_moment()
    squares = x.double().square().mean(0)[:, None] + y.double().square().mean(0)[None, :]
    torch.testing.assert_close(found, squares, rtol=1e-5, atol=1e-5)


def test_the_second_moment_of_swapped_samples_is_its_transpose():
    x, y = samples(3, 50, 4, offset=2.0)
    there, back = feed(x, y, 7).second_moment(), feed(y, x, 7).second_moment()
    torch.testing.assert_close(there, back.T, rtol=1e-6, atol=1e-6)


def test_the_second_moment_of_one_sample_is_its_product():
    x, y = samples(4, 1, 3, offset=1.0)
    wanted = torch.outer(x[0].double(), y[0].double())
    assert torch.equal(feed(x, y, 1).second_moment(), wanted)


def test_a_second_moment_of_nothing_is_refused():
    x, y = samples(0, 1, 2)
    zeros, product = torch.zeros(2).double(), torch.zeros(2, 2).double()
    nothing = CrossMoments(0, x[0], y[0], zeros, zeros, zeros, zeros, product)
    with pytest.raises(ValueError, match="a second moment needs at least 1 sample, got 0"):
        nothing.second_moment()


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        feed(*samples(0, 1, 2), 1).correlation()
