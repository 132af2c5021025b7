"""Batch-norm statistics estimated anew."""

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.training.batchnorm import reestimate

EXACT = Machine.reference()


def network(momentum=0.1):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3),
        nn.BatchNorm2d(5, momentum=momentum),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(5, 4, 1),
        nn.BatchNorm2d(4, momentum=momentum),
    )


def images(count=40):
    return torch.randn(count, 2, 5, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("momentum", [0.1, 0.9, None])
def test_one_batch_of_everything_gives_the_datas_own_statistics(momentum):
    module, x = network(momentum), images()
    found = reestimate(module, params_of(module), [x], EXACT)
    maps = module[0](x).detach().double()
    torch.testing.assert_close(
        found["1.running_mean"].double(), maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        found["1.running_var"].double(), maps.var((0, 2, 3)), rtol=1e-4, atol=1e-6
    )


def test_several_batches_pool_to_the_statistics_of_all_in_the_first_layer():
    module, x = network(), images()
    whole = reestimate(module, params_of(module), [x], EXACT)
    parts = reestimate(module, params_of(module), x.split(10), EXACT)
    torch.testing.assert_close(parts["1.running_mean"], whole["1.running_mean"])
    # unbiased variances of parts differ from that of the whole by 1 / (10 * 3 * 3)
    torch.testing.assert_close(parts["1.running_var"], whole["1.running_var"], rtol=2 / 90, atol=0)


def test_deeper_layers_feel_the_batch_size_and_less_so_for_larger_batches():
    module, x = network(), images(256)
    whole = reestimate(module, params_of(module), [x], EXACT)
    gap = {
        size: float(
            (
                reestimate(module, params_of(module), x.split(size), EXACT)["5.running_var"]
                - whole["5.running_var"]
            )
            .abs()
            .max()
        )
        for size in (4, 64)
    }
    assert gap[64] < gap[4]


def test_evaluation_with_fresh_statistics_normalises_the_data():
    module, x = network(), images()
    found = reestimate(module, params_of(module), [x], EXACT)
    out = torch.func.functional_call(module.eval(), found, (x,))
    # Running variances are unbiased: deeper means shift by up to 1 / (2 * 360) of a deviation.
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(4), atol=4e-3, rtol=0)
    torch.testing.assert_close(out.var((0, 2, 3)), torch.ones(4), atol=4e-3, rtol=0)


def test_neither_module_nor_parameters_are_changed():
    module, x = network().train(), images()
    params = params_of(module)
    kept = {name: value.clone() for name, value in params.items()}
    module[3].eval()
    reestimate(module, params, [x], EXACT)
    assert module.training
    assert module[1].training
    assert not module[3].training
    assert all(torch.equal(kept[name], params[name]) for name in kept)
    assert all(torch.equal(kept[name], value) for name, value in module.state_dict().items())


def test_a_network_without_batch_norm_is_returned_as_it_is():
    module = nn.Linear(2, 2)
    params = params_of(module)
    assert reestimate(module, params, [], EXACT) == params


def test_only_batch_norm_is_in_training_mode_meanwhile_and_then_all_are_as_before():
    module, seen = network(), []
    module[5].eval()
    module[3].register_forward_hook(lambda *_: seen.append([m.training for m in module]))
    reestimate(module, params_of(module), [images()], EXACT)
    assert seen == [[False, True, False, False, False, True]]
    assert [m.training for m in module] == [True] * 5 + [False]


def test_tied_weights_do_no_harm():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    module[2].weight = module[0].weight
    x = torch.randn(20, 3)
    found = reestimate(module, params_of(module), [x], EXACT)
    torch.testing.assert_close(found["1.running_mean"], module[0](x).mean(0).detach())
    assert found.keys() == module.state_dict().keys()


def test_no_images_are_refused():
    module = network()
    with pytest.raises(ValueError, match="at least one batch of images, got none"):
        reestimate(module, params_of(module), [], EXACT)
