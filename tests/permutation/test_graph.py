"""The graph computes what the module does, whatever the module overwrites on its way."""

import pytest
import torch

from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import params_of
from modeconn_lib.permutation.graph import export
from tests.permutation import networks

X = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("network", networks.ALL, ids=lambda network: network.__name__)
def test_the_graph_computes_what_the_module_does(network):
    module, example = network(), X[:2]
    with mode(module, training=False), torch.no_grad():
        graph = export(module, example)
        (y,) = graph.module(*graph.arguments(params_of(module), X))  # more images than traced
        torch.testing.assert_close(y, module(X), rtol=0, atol=0)


def test_running_the_graph_leaves_its_arguments_alone():
    module = networks.Overwriting().eval()
    graph, params, x = export(module, X[:2]), params_of(module), X.clone()
    before = {name: value.clone() for name, value in params.items()}
    graph.module(*graph.arguments(params, x))
    assert torch.equal(x, X)
    assert all(torch.equal(value, before[name]) for name, value in params.items())


class Fixed(networks.Flatten):
    def forward(self, x):
        return super().forward(x).reshape(len(x), -1)


def test_a_network_that_fixes_its_batch_size_says_so():
    module = Fixed().eval()
    graph, params = export(module, X[:2]), params_of(module)
    assert graph.module(*graph.arguments(params, X[:2]))[0].shape == (2, 4)
    with pytest.raises(ValueError, match="traced for batches of 2 only, got 5; trace it with"):
        graph.arguments(params, X)


def test_one_example_is_refused():
    with pytest.raises(ValueError, match="an example of at least 2 inputs, got 1"):
        export(networks.Flatten(), X[:1])
