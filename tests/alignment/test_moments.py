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
    # float32 products of 60 samples about a shift: 1e-5 is some tens of roundings
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


@given(
    level=st.floats(-1e6, 1e6, width=32),
    batch=st.integers(1, 60),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_a_constant_unit_correlates_with_nothing(level, batch, dtype):
    x, y = (z.to(dtype) for z in samples(1, 60, 3))
    x[:, 1] = level / 3
    moments = feed(x, y, batch)
    assert float(moments.sum_x[1]) == float(moments.square_x[1]) == 0
    found = moments.correlation()
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


def test_batches_are_summed_in_float64():
    x = torch.tensor([[4096.0], [-4096.0], [0.5], [-0.5]])
    assert float(feed(x, x, 2).square_x[0]) == 2**25 + 0.5  # float32 would be 4 from the next


@pytest.mark.parametrize("batch", [1000, 40_000, 200_000])
def test_a_unit_that_is_active_in_the_first_sample_alone_keeps_its_variance(batch):
    x = torch.zeros(200_000, 3)
    x[0] = torch.tensor([5.3, 3.7, 0.0])
    x[1:, 2] = samples(0, 199_999, 1)[0][:, 0].relu()
    wanted = np.corrcoef(x.double().T.numpy())
    moments = feed(x, x, batch)
    # some 10,000 products in one float32 sum; about the first sample the error is 50
    np.testing.assert_allclose(moments.correlation().numpy(), wanted, atol=1e-3)
    variances = x.double().var(0, correction=0)
    torch.testing.assert_close(moments.variances()[0], variances, rtol=1e-3, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_multiplied_in_float32(dtype):
    x, y = samples(5, 40_000, 3, offset=20.0)
    x, y = x.to(dtype), y.to(dtype)
    found, wanted = feed(x, y, 30_000), feed(x.float(), y.float(), 30_000)
    assert torch.equal(found.product, wanted.product)
    assert torch.equal(found.correlation(), wanted.correlation())
    assert torch.equal(found.second_moment(), wanted.second_moment())


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


def test_a_unit_that_is_not_a_number_is_not_taken_for_a_dead_one():
    x, y = samples(0, 20, 3)
    x[4, 1] = float("nan")
    found = feed(x, y, 7).correlation()
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="moments need at least 1 sample, got 0"):
        CrossMoments.of(torch.zeros(0, 3), torch.zeros(0, 3))


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        feed(*samples(0, 1, 2), 1).correlation()
