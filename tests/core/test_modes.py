"""A mode is for a while: afterwards every part is in its own."""

import pytest
from torch import nn

from modeconn_lib.core.modes import mode


def network():
    module = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3), nn.Dropout()))
    module[1][0].eval()  # frozen
    return module


@pytest.mark.parametrize("training", [True, False])
def test_every_part_is_in_the_mode_and_then_in_its_own(training):
    module = network()
    before = [part.training for part in module.modules()]
    with mode(module, training):
        assert {part.training for part in module.modules()} == {training}
    assert [part.training for part in module.modules()] == before


def test_an_error_changes_nothing_about_that():
    module = network()
    with pytest.raises(KeyError), mode(module, training=False):
        raise KeyError
    assert module.training
    assert not module[1][0].training
