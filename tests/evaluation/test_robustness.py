"""Robustness along a path: with which statistics, at which network, on which images."""

import numpy as np
import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.evaluation.along_path import Protocol, measure_path
from modeconn_lib.evaluation.robustness import (
    STATISTICS,
    Attacked,
    RobustProtocol,
    measure_robust_path,
    measure_robustness,
    with_statistics,
    withstood,
)
from modeconn_lib.paths.curves import segment
from modeconn_lib.training.attacks import Attack, perturb
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.metrics import measure

EXACT, ATTACK, NONE = Machine.reference(), Attack(0.1, 0.05, 3), Attack(epsilon=0.0)


def network(seed=0, norm=True):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*(layers if norm else layers[::2]), nn.Flatten(), nn.Linear(64, 3)).eval()


def batches(count=3, seed=0, size=16):
    g = torch.Generator().manual_seed(seed)
    return [
        (torch.rand(size, 1, 6, 6, generator=g), torch.randint(3, (size,), generator=g))
        for _ in range(count)
    ]


def line(norm=True):
    return segment(params_of(network(1, norm)), params_of(network(2, norm)))


def protocol(attack=ATTACK, **changed):
    found = {"test": batches(), "statistics": batches(2, 5), "attack": attack, "machine": EXACT}
    return RobustProtocol(**{**found, **changed})


def attacked(module, params, images, labels, k):
    """The k-th batch as `Attacked` makes it, said again in other words."""
    whole = network()
    whole.load_state_dict(params)
    for mine, theirs in zip(whole.modules(), module.modules(), strict=True):
        mine.training = theirs.training
    loss = lambda x: nn.functional.cross_entropy(whole(x), labels)  # noqa: E731
    return perturb(loss, images, ATTACK, generator(0, "attack", k))


def test_without_an_attack_a_robust_path_is_a_path():
    path, module, ts = line(), network(), (0.0, 0.5, 1.0)
    found = measure_robust_path(path, module, ts, protocol(NONE))
    images = [x for x, _ in batches(2, 5)]
    plain = measure_path(path, module, ts, Protocol(batches(), batches(), images, EXACT))
    for kind in STATISTICS:
        for robust in ("", "robust_"):
            for what in ("loss", "accuracy"):
                values = getattr(found[kind], f"{robust}{what}")
                np.testing.assert_allclose(values, getattr(plain, f"test_{what}"), rtol=1e-6)


def test_images_are_attacked_at_the_network_with_the_statistics_that_classify_them():
    path, module, setup = line(), network(), protocol()
    found = measure_robust_path(path, module, (0.0, 0.3, 1.0), setup)
    for kind in STATISTICS:
        point = with_statistics(module, path.at(0.3), kind, setup)
        images = [(attacked(module, point, x, y, k), y) for k, (x, y) in enumerate(batches())]
        wanted = measure(module, point, images, EXACT)
        assert found[kind].robust_loss[1] == pytest.approx(wanted.loss)
        assert found[kind].robust_accuracy[1] == pytest.approx(wanted.accuracy)
        clean = measure(module, point, batches(), EXACT)
        assert found[kind].loss[1] == pytest.approx(clean.loss)
        assert (found[kind].robust_loss > found[kind].loss).all()


def test_attacked_statistics_are_those_of_images_attacked_while_the_batch_normalises_itself():
    module, point = network(), line().at(0.5)
    in_training = network()
    in_training[1].train()
    images = [attacked(in_training, point, x, y, k) for k, (x, y) in enumerate(batches(2, 5))]
    found = with_statistics(module, point, "attacked", protocol())
    wanted = reestimate(module, point, images, EXACT)
    clean = with_statistics(module, point, "clean", protocol())
    for name in ("1.running_mean", "1.running_var"):
        torch.testing.assert_close(found[name], wanted[name])
        assert not torch.allclose(found[name], clean[name], rtol=1e-4)
    plain = reestimate(module, point, [x for x, _ in batches(2, 5)], EXACT)
    assert torch.equal(clean["1.running_mean"], plain["1.running_mean"])


@pytest.mark.parametrize("by_batch", [False, True])
def test_attacking_changes_neither_network_nor_module(by_batch):
    module, point = network(), line().at(0.5)
    before = {name: value.clone() for name, value in point.items()}
    state = params_of(module)
    module.train()
    list(Attacked(batches(), module, point, ATTACK, EXACT, by_batch))
    assert all(part.training for part in module.modules())
    for name, value in point.items():
        assert torch.equal(value, before[name])
        assert torch.equal(module.state_dict()[name], state[name])


def test_attacked_batches_are_the_same_each_time_they_are_asked_for():
    found = Attacked(batches(), network(), line().at(0.5), ATTACK, EXACT)
    for (x, y), (again, label) in zip(found, found, strict=True):
        assert torch.equal(x, again)
        assert torch.equal(y, label)
    first, second = (x for x, _ in Attacked([batches()[0]] * 2, *_arguments()))
    assert not torch.equal(first, second)  # every batch has a start of its own


def _arguments():
    return network(), line().at(0.5), ATTACK, EXACT


def test_without_batch_norm_both_kinds_of_statistics_are_one_and_measured_once():
    calls = []

    class Counted(list):
        def __iter__(self):
            calls.append(1)
            return super().__iter__()

    setup = protocol(test=Counted(batches()))
    found = measure_robust_path(line(False), network(norm=False), (0.0, 1.0), setup)
    assert np.array_equal(found["clean"].robust_loss, found["attacked"].robust_loss)
    assert len(calls) == 2 * 2  # at each t, without the attack and with it


def test_the_images_that_withstand_are_as_many_as_the_robust_accuracy_says():
    module, point = network(), params_of(network(3))
    (images, labels), *_ = batches()
    left = withstood(module, point, images, labels, ATTACK, EXACT)
    found = measure_robustness(module, point, [(images, labels)], ATTACK, EXACT)
    assert left.shape == (16,)
    assert float(left.double().mean()) == pytest.approx(found.attacked.accuracy)
    assert found.attacked.accuracy < found.clean.accuracy


def test_progress_is_told_of_each_point():
    told = []
    measure_robust_path(line(), network(), (0.0, 0.5, 1.0), protocol(NONE, progress=told.append))
    assert told == [1, 1, 1]


def test_an_unknown_kind_of_statistics_is_refused():
    with pytest.raises(ValueError, match=r"statistics 'dirty'; known: clean, attacked"):
        with_statistics(network(), line().at(0.5), "dirty", protocol())
