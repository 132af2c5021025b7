"""The graph computes what the module does, whatever the module overwrites on its way."""

import pytest
import torch

from modeconn_lib.core.params import params_of
from modeconn_lib.permutation.graph import export, mode
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
