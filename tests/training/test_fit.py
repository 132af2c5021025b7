"""The training loop: against a plain loop, resumed, stopped, and refused."""

import itertools

import pytest
import torch
from torch import nn

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime, Recipe, fit
from modeconn_lib.training.objectives import TrainNetwork
from modeconn_lib.training.schedules import schedule

RECIPE = Recipe(epochs=3, learning_rate=0.1)


class Toy:
    """Three batches of eight 1 x 6 x 6 images, made from their position."""

    steps, examples = 3, 24

    def __call__(self, epoch, step):
        random = generator(0, "toy", epoch, step)
        return (
            torch.randn(8, 1, 6, 6, generator=random),
            torch.randint(4, (8,), generator=random),
        )


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(80, 4)
    )


def trained(recipe=RECIPE, **options):
    module = network()
    objective = TrainNetwork(module, params_of(module), Machine.reference())
    history = fit(objective, Toy(), recipe, 0, **options)
    return objective.network.params(), history


def test_the_loop_is_torchs_own_training():
    module, batches = network().train(), Toy()
    optimiser = torch.optim.SGD(
        module.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    for epoch in range(3):
        for step in range(3):
            rate = 0.1 * schedule("one_cycle")(epoch + step / 3, 3)
            optimiser.param_groups[0]["lr"] = rate
            images, labels = batches(epoch, step)
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(images), labels).backward()
            optimiser.step()
    ours, _ = trained()
    for name, value in params_of(module).items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def test_the_history_holds_the_mean_loss_and_accuracy_of_each_epoch():
    module = network()
    objective = TrainNetwork(module, params_of(module), Machine.reference())
    seen = []
    inner = objective.gradient

    def spy(images, labels, random):
        seen.append(inner(images, labels, random))
        return seen[-1]

    objective.gradient = spy
    history = fit(objective, Toy(), RECIPE, 0)
    losses = [float(step.loss) for step in seen]
    assert history.losses == pytest.approx([sum(losses[i : i + 3]) / 3 for i in (0, 3, 6)])
    assert history.accuracies[2] == sum(int(step.correct) for step in seen[6:]) / 24


@pytest.mark.parametrize("batches", range(10))
def test_a_run_stopped_anywhere_and_resumed_is_bit_identical(tmp_path, batches):
    asked = iter([False] * batches + [True] + [False] * 100)
    whole, whole_history = trained()
    if batches < 9:
        with pytest.raises(OutOfTime, match="stopped in epoch"):
            trained(folder=tmp_path, out_of_time=lambda: next(asked))
    resumed, history = trained(folder=tmp_path)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert history.losses == whole_history.losses
    assert history.accuracies == whole_history.accuracies


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_every_optimiser_goes_on_where_it_stopped(tmp_path, optimiser):
    recipe = Recipe(epochs=3, learning_rate=0.01, optimiser=optimiser)
    asked = iter([False] * 5 + [True])
    with pytest.raises(OutOfTime):
        trained(recipe, folder=tmp_path, out_of_time=lambda: next(asked))
    resumed, _ = trained(recipe, folder=tmp_path)
    whole, _ = trained(recipe)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_clock_that_strikes_between_two_looks_does_no_harm(tmp_path, monkeypatch):
    strikes = itertools.cycle([False, True])
    monkeypatch.setattr("modeconn_lib.training.fit._Clock.save_is_due", lambda _: next(strikes))

    def killed(examples):
        if next(batches) == 5:
            raise KeyboardInterrupt

    batches = itertools.count()
    with pytest.raises(KeyboardInterrupt):
        trained(folder=tmp_path, progress=killed)
    resumed, _ = trained(folder=tmp_path)
    whole, _ = trained()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_progress_counts_every_image_once_also_over_a_stop(tmp_path):
    asked, before, after = iter([False] * 5 + [True]), [], []
    with pytest.raises(OutOfTime):
        trained(folder=tmp_path, out_of_time=lambda: next(asked), progress=before.append)
    trained(folder=tmp_path, progress=after.append)
    assert sum(before) == 5 * 8
    assert after[0] == 5 * 8
    assert sum(after) == 3 * 24


def test_a_loss_that_is_not_finite_ends_the_run_with_its_place():
    module = network()
    objective = TrainNetwork(module, params_of(module), Machine.reference())
    with pytest.raises(NonFiniteLoss, match=r"the loss became (inf|nan) in epoch \d of 3.*smaller"):
        fit(objective, Toy(), Recipe(epochs=3, learning_rate=1e12), 0)


def test_the_given_parameters_are_not_changed():
    module = network()
    start = params_of(module)
    fit(TrainNetwork(module, start, Machine.reference()), Toy(), RECIPE, 0)
    assert all(torch.equal(start[name], value) for name, value in params_of(module).items())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"epochs": 1, "learning_rate": -1.0}, "learning_rate must be positive, got -1.0"),
        ({"epochs": 1, "schedule": "up"}, "unknown schedule 'up'"),
        ({"epochs": 1, "optimiser": "lion"}, "unknown optimiser 'lion'; known: sgd, adam, adamw"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(wrong, message):
    with pytest.raises(Refusal, match=message):
        Recipe(**wrong)
