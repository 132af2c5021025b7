"""Schedules against torch's own and against the numbers of the papers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.errors import Refusal
from modeconn_lib.training.schedules import (
    SCHEDULES,
    garipov,
    one_cycle,
    schedule,
    step,
    step_decay,
)


def torchs(scheduler, optimiser, steps):
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def sgd():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def test_one_cycle_is_torchs():
    optimiser = sgd()
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1.0, total_steps=2001, cycle_momentum=False
    )
    # torch reaches the top one step early, at 0.3 * 2001 - 1: of the order of a step's change
    rates = torchs(theirs, optimiser, 2001)
    ours = [one_cycle(i / 200, 10) for i in range(2001)]
    assert max(abs(a - b) for a, b in zip(rates, ours, strict=True)) < 2e-3
    assert ours[0] == pytest.approx(rates[0])
    assert ours[-1] == pytest.approx(rates[-1])


def test_cosine_is_torchs():
    optimiser = sgd()
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=50)
    rates = torchs(theirs, optimiser, 50)
    assert [schedule("cosine")(float(i), 50) for i in range(50)] == pytest.approx(rates)


@pytest.mark.parametrize(("epoch", "factor"), [(0.0, 1), (19.99, 1), (20.0, 0.5), (249.0, 0.5**12)])
def test_the_step_rule_halves_every_20_epochs(epoch, factor):
    assert step(epoch, 250) == factor
    assert step_decay(epoch, 250) == pytest.approx(factor * 0.9996 ** math.floor(epoch))


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0.0, 1), (5.0, 1), (7.0, 0.505), (9.0, 0.01), (10.0, 0.01)]
)
def test_garipovs_rule_is_constant_then_linear_then_one_percent(epoch, factor):
    assert garipov(epoch, 10) == pytest.approx(factor)


@given(name=st.sampled_from(sorted(SCHEDULES)), share=st.floats(0, 1), epochs=st.integers(1, 300))
def test_every_factor_lies_between_zero_and_one(name, share, epochs):
    assert 0 <= schedule(name)(share * epochs, epochs) <= 1


def test_an_unknown_schedule_is_refused_by_naming_the_known():
    with pytest.raises(Refusal, match="unknown schedule 'linear'; known: constant, step"):
        schedule("linear")
