"""The networks written down are what they are said to be, and so are their bounds."""

import numpy as np
import pytest
import torch

from modeconn_lib.evaluation import bound_examples
from modeconn_lib.evaluation.bounds import LOSSES, loss_bound, measure_segment, recursion
from modeconn_lib.evaluation.chains import mix, preactivations, spectral_norms

T = np.linspace(0, 1, 21)
RMSE = {"rmse": LOSSES["rmse"]}


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def loss_and_bound(example):
    found = measure_segment(example.a, example.b, [(example.x, example.y)], T, RMSE)
    high = recursion(found.ends, spectral_norms(example.a), spectral_norms(example.b), T)
    loss = found.losses["rmse"]
    return loss, loss_bound(loss[0], loss[-1], high.deviation, T, 1.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hidden", [1, 2, 3, 5])
def test_the_loss_is_its_bound_at_every_t(hidden, seed):
    if hidden == 1:
        example = bound_examples.one_hidden(6, 20, source(seed))
    else:
        example = bound_examples.several_hidden(6, 20, hidden, source(seed))
    loss, bound = loss_and_bound(example)
    np.testing.assert_allclose(loss, bound, rtol=1e-12)
    # Not trivially: half-way it is worse than at both ends, and both ends have errors.
    assert loss[10] > 1.5 * max(loss[0], loss[-1])
    assert min(loss) > 0.01


@pytest.mark.parametrize("make", [bound_examples.one_hidden, bound_examples.same_sign])
def test_the_conditions_of_c2_are_met_by_one_hidden_layer(make):
    example = make(6, 20, source(0))
    of_a, of_b = preactivations(example.a, example.x), preactivations(example.b, example.x)
    for t in T:  # condition 2: no ReLU cuts anything off
        assert preactivations(mix(example.a, example.b, t), example.x)[0].min() > 0
    first, other = (network[1].weight for network in (example.a, example.b))
    for weight in (first, other):  # condition 3: multiples of isometries
        gram = weight.T @ weight
        torch.testing.assert_close(gram, gram[0, 0] * torch.eye(6, dtype=torch.float64))
    assert of_b[0].min() > of_a[0].max()  # condition 4
    assert first.min() >= 0 >= other.max()
    assert min((of_a[1] - example.y).min(), (of_b[1] - example.y).min()) >= 0  # condition 5


def test_terms_of_one_sign_do_not_meet_the_bound():
    loss, bound = loss_and_bound(bound_examples.same_sign(6, 20, source(0)))
    assert (loss[1:-1] < 0.999 * bound[1:-1]).all()


def test_two_hidden_layers_of_one_unit_do_not_either():
    example = bound_examples.one_unit()
    of_a, of_b = preactivations(example.a, example.x), preactivations(example.b, example.x)
    assert [float(f) for f in of_a] == [1, 2, 2]
    assert [float(f) for f in of_b] == [2, 4, 2]
    loss, bound = loss_and_bound(example)
    assert (loss[10], bound[10]) == (1.5, 2.0)


def test_in_several_hidden_layers_the_ends_agree_behind_the_first():
    example = bound_examples.several_hidden(6, 20, 3, source(0))
    ends = measure_segment(example.a, example.b, [(example.x, example.y)], T, RMSE).ends
    assert ends[0] > 1
    assert (ends[1:] < 1e-12).all()


def test_fewer_than_two_layers_are_not_several():
    with pytest.raises(ValueError, match="2 hidden layers or more, got 1"):
        bound_examples.several_hidden(6, 20, 1, source(0))


def test_a_joint_order_lowers_the_sum_and_raises_the_bound():
    asis, swapped = bound_examples.shared_order(source(0))
    ends = [measure_segment(e.a, e.b, [(e.x, e.y)], T, RMSE).ends[:-1] for e in (asis, swapped)]
    assert (ends[1] ** 2).sum() < (ends[0] ** 2).sum() / 2
    assert ends[1][0] < 1e-12 < ends[0][0]
    assert ends[0][1] < 1e-12 < ends[1][1]
    assert (loss_and_bound(swapped)[1][1:-1] > 2 * loss_and_bound(asis)[1][1:-1]).all()
    # The same function in either order.
    outputs = [preactivations(e.b, e.x)[-1] for e in (asis, swapped)]
    torch.testing.assert_close(*outputs)


def test_aligned_random_networks_keep_their_function_and_come_nearer_in_every_layer():
    farther = 0
    drawn = source(0)
    for _ in range(60):
        asis, aligned = bound_examples.drawn(3, 20, drawn)
        torch.testing.assert_close(
            *(preactivations(example.b, example.x)[-1] for example in (asis, aligned))
        )
        one, other = (measure_segment(e.a, e.b, [(e.x, e.y)], T, RMSE) for e in (asis, aligned))
        assert (other.ends[:2] <= one.ends[:2] * (1 + 1e-12)).all()
        farther += bool((other.to_a[10, :2] > one.to_a[10, :2] * (1 + 1e-9)).any())
    assert farther > 0  # equation 25 is not about the true distances
