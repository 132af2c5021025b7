"""A unit's weights are one row, wherever they lie."""

import pytest
import torch
from torch import nn

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.models.tinyten import tinyten
from modeconn_lib.paths.distribution.samples import (
    Units,
    butterflies,
    rows,
    samples,
    with_samples,
)
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace


@pytest.fixture(scope="module")
def one_hidden():
    module = mlp((1, 3, 2), 4, widths=(5,))
    return trace(module, torch.zeros(2, 1, 3, 2)).spec, params_of(module)


def test_a_butterfly_is_what_a_unit_reads_its_bias_and_what_reads_it(one_hidden):
    spec, params = one_hidden
    params["fc1.bias"] = torch.arange(5.0)
    found = samples(params, butterflies(spec, "fc1", params))
    expected = torch.cat(
        [params["fc1.weight"], params["fc1.bias"][:, None], params["fc.weight"].T], 1
    )
    assert found.shape == (5, 6 + 1 + 4)
    assert torch.equal(found.sort(1).values, expected.sort(1).values)


def test_rows_are_weights_and_bias_of_one_layer(one_hidden):
    _, params = one_hidden
    found = samples(params, rows(params, "fc"))
    assert torch.equal(found, torch.cat([params["fc.weight"], params["fc.bias"][:, None]], 1))


def test_samples_go_back_where_they_came_from_in_convolutions_and_flattened_maps():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2)
    )
    params, spec = params_of(module), trace(module, torch.zeros(2, 3, 6, 6)).spec
    for group in spec.sizes:
        units = butterflies(spec, group, params)
        found = samples(params, units)
        assert found.numel() == sum(params[s.tensor].numel() for s in units.spans)
        back = with_samples(params, units, found)
        assert all(torch.equal(back[name], value) for name, value in params.items())
        changed = with_samples(params, units, -2 * found)
        for span in units.spans:
            assert torch.equal(changed[span.tensor], -2 * params[span.tensor])
        others = params.keys() - {span.tensor for span in units.spans}
        assert all(torch.equal(changed[name], params[name]) for name in others)


def test_statistics_of_batch_norm_belong_to_the_units_and_counters_do_not():
    module = tinyten((3, 32, 32), 10)
    params, spec = params_of(module), trace(module, torch.zeros(2, 3, 32, 32)).spec
    for group in spec.sizes:
        names = [span.tensor for span in butterflies(spec, group, params).spans]
        assert any(name.endswith("running_var") for name in names)
        assert not any(name.endswith("num_batches_tracked") for name in names)


def test_what_does_not_fit_is_refused(one_hidden):
    spec, params = one_hidden
    units = butterflies(spec, "fc1", params)
    with pytest.raises(ValueError, match=r"5 units of 11 coordinates, got values of shape \(5, 9"):
        with_samples(params, units, torch.zeros(5, 9))
    with pytest.raises(ValueError, match="no group 'fc9'; there are: fc1"):
        butterflies(spec, "fc9", params)
    with pytest.raises(ValueError, match=r"no layer 'relu1' with rows of weights; .* fc1, fc"):
        rows(params, "relu1")


def test_weights_between_units_of_one_group_are_refused():
    spans = AxisSpan("w", 0), AxisSpan("w", 1)
    spec = PermutationSpec({"stream": 3}, {"stream": spans})
    with pytest.raises(ValueError, match="'w' holds weights from units of 'stream' to units of"):
        butterflies(spec, "stream", {"w": torch.zeros(3, 3)})


def test_a_stretch_that_begins_late_is_taken_alone():
    units = Units(2, (AxisSpan("w", 1, offset=1, block=2),))
    w = torch.arange(10.0).reshape(2, 5)
    assert samples({"w": w}, units).tolist() == [[1, 6, 2, 7], [3, 8, 4, 9]]
    changed = with_samples({"w": w}, units, torch.zeros(2, 4))["w"]
    assert changed.tolist() == [[0, 0, 0, 0, 0], [5, 0, 0, 0, 0]]
