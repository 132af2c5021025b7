"""Objectives whose learned tensors are brought back after every step."""

import pytest
import torch

from modeconn_lib.training.fit import OutOfTime, Recipe, fit
from modeconn_lib.training.objectives import Step
from modeconn_lib.training.schedules import schedule


class Toy:
    """Three batches of two numbers."""

    steps, examples = 3, 6

    def __call__(self, epoch, step):
        return torch.tensor([float(epoch), float(step)]), torch.zeros(2, dtype=torch.long)


class Ball:
    """Drawn far away by every batch, and brought back into the unit ball."""

    def __init__(self):
        self.x = torch.zeros(2)
        self.x.grad = torch.zeros(2)
        self.learned = (self.x,)
        self.rates = []

    def gradient(self, images, labels, generator):
        assert float(self.x.norm()) <= 1 + 1e-6
        self.x.grad.copy_(-5 * torch.randn(2, generator=generator) + images)
        return Step(self.x.sum(), torch.tensor(0))

    def after_step(self, rate):
        self.rates.append(rate)
        self.x.div_(self.x.norm().clamp_min(1))

    def state(self):
        return {"x": self.x}


RECIPE = Recipe(2, 0.5, momentum=0.0, nesterov=False, weight_decay=0.0)


def test_learned_tensors_are_brought_back_after_every_step_at_its_rate():
    ball = Ball()
    fit(ball, Toy(), RECIPE, 0)
    assert float(ball.x.norm()) == pytest.approx(1)
    factor = schedule("one_cycle")
    assert ball.rates == [0.5 * factor(epoch + k / 3, 2) for epoch in range(2) for k in range(3)]


@pytest.mark.parametrize("batches", range(6))
def test_a_run_stopped_anywhere_and_resumed_is_bit_identical(tmp_path, batches):
    asked = iter([False] * batches + [True])
    whole, stopped, resumed = Ball(), Ball(), Ball()
    fit(whole, Toy(), RECIPE, 0)
    with pytest.raises(OutOfTime):
        fit(stopped, Toy(), RECIPE, 0, folder=tmp_path, out_of_time=lambda: next(asked))
    fit(resumed, Toy(), RECIPE, 0, folder=tmp_path)
    assert torch.equal(whole.x, resumed.x)
