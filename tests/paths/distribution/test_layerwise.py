"""Deep networks are connected layer by layer, from A itself to B itself."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.distribution.layerwise import Method, connect
from modeconn_lib.paths.distribution.transport import exchanges
from modeconn_lib.permutation.apply import permute, random_permutations
from modeconn_lib.permutation.trace import trace

BATCHES = [torch.randn(30, 1, 4, 4, generator=torch.Generator().manual_seed(i)) for i in range(2)]
RULES = ("linear", "arc", "transport")
METHODS = [Method(rule, adjust, 4, ridge=0.0) for rule in RULES for adjust in (False, True)]
METHODS += [Method("transport", True, 4), Method("arc", True, 4, positions=2)]  # with its ridge


def fully_connected(width: int = 9):
    return mlp((1, 4, 4), 3, widths=(width, width + 2)), ("fc1", "fc2", "fc")


def convolutional():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5, 3),
    )
    return network, ("0", "3", "6")


def connected(build, method: Method, **given):
    torch.manual_seed(0)
    module, _ = build(**given)
    a, b = params_of(module), params_of(build(**given)[0])
    for network in (a, b):
        for name in network:
            network[name] += 0.3 * torch.randn_like(network[name])
    spec = trace(module, BATCHES[0]).spec
    return module, a, b, connect(module, a, b, spec, BATCHES, method)


@pytest.mark.parametrize("build", [fully_connected, convolutional])
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_it_leads_from_a_to_b_in_bs_own_order_without_a_gap(build, method):
    _, a, b, found = connected(build, method)
    for t, end in ((0.0, a), (1.0, b)):
        there = found.path.at(t)
        assert all(torch.equal(there[name], value) for name, value in end.items())
    assert len(found.parts) == (3 if method.adjust else 2)
    if method.rule == "transport":
        wanted = [len(exchanges(p)) for p in found.orders.values()]
        assert [path.legs for path in found.exchanges] == [legs for legs in wanted if legs]
    else:
        assert not found.exchanges
        assert not found.orders


@pytest.mark.parametrize("build", [fully_connected, convolutional])
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_between_two_of_its_networks_only_two_layers_change(build, method):
    _, a, _, found = connected(build, method)
    _, layers = build()
    pairs = list(pairwise(layers))
    for i, part in enumerate(found.parts):
        changing = pairs[i] if i < len(pairs) else layers[-1:]
        before, middle = part.at(0.0), part.at(0.5)
        changed = {name for name in a if not torch.allclose(before[name], middle[name])}
        assert changed
        assert {name.rpartition(".")[0] for name in changed} <= set(changing)


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_with_more_units_than_images_every_adjusted_network_computes_what_a_does(rule, adjust):
    module, a, _, found = connected(fully_connected, Method(rule, adjust, 3, ridge=0.0), width=90)
    assert max(found.residuals.values()) < 1e-4
    corners = [part.at(1.0) for part in found.parts[:-1]]
    if adjust:
        corners += [part.at(b) for part in found.parts[:-1] for b in part.breakpoints]
    for corner in corners:
        for x in BATCHES:
            out, wanted = (functional_call(module, n, (x,)) for n in (corner, a))
            torch.testing.assert_close(out, wanted, rtol=1e-2, atol=1e-2)


def test_the_last_straight_line_of_an_adjusted_path_changes_the_last_layer_only():
    _, a, _, found = connected(fully_connected, Method("arc", True, 3, ridge=0.0))
    ends = found.parts[-1].at(0.0), found.parts[-1].at(1.0)
    changed = {name for name in a if not torch.equal(ends[0][name], ends[1][name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_matched_networks_that_differ_in_order_alone_stay_what_they_are():
    torch.manual_seed(0)
    module, _ = fully_connected()
    a, spec = params_of(module), trace(module, BATCHES[0]).spec
    moved = random_permutations(spec, torch.Generator().manual_seed(3))
    b = permute(a, spec, moved)
    found = connect(module, a, b, spec, BATCHES, Method("transport", False, ridge=0.0))
    for group, p in found.orders.items():
        assert torch.equal(moved[group][p], torch.arange(len(p)))
    for part in found.parts:
        for t in (0.0, 0.5, 1.0):
            out = functional_call(module, part.at(t), (BATCHES[0],))
            wanted = functional_call(module, a, (BATCHES[0],))
            torch.testing.assert_close(out, wanted, rtol=1e-3, atol=1e-3)


def test_without_images_it_is_refused():
    module, _ = fully_connected()
    a, spec = params_of(module), trace(module, BATCHES[0]).spec
    with pytest.raises(ValueError, match="needs at least one batch of images, got none"):
        connect(module, a, a, spec, [], Method("linear", True))


@pytest.mark.parametrize("given", [{"points": 1}, {"positions": -1}, {"ridge": -1.0}])
def test_a_method_that_does_not_exist_is_refused(given):
    with pytest.raises(ValueError, match="points is at least 2, positions and ridge are at least"):
        Method("arc", True, **given)


def test_of_two_adjusted_networks_no_arc_is_made():
    with pytest.raises(ValueError, match="at 2 values of t a path has no arc; give at least 3"):
        Method("arc", True, 2)
    middles = {}
    for rule in ("linear", "arc"):
        *_, found = connected(fully_connected, Method(rule, True, 3))
        middles[rule] = found.parts[0].at(0.5)
    assert any(not torch.equal(v, middles["arc"][n]) for n, v in middles["linear"].items())


def test_a_ridge_makes_the_networks_between_two_adjusted_ones_better():
    """With about as many units as images, weights that fit best are large and differ with t."""

    def worst(ridge: float) -> float:
        method = Method("linear", True, 4, ridge=ridge)
        module, a, _, found = connected(fully_connected, method, width=50)
        part = found.parts[0]
        legs = len(part.breakpoints) - 1
        lost = []
        for x in BATCHES:
            wanted = functional_call(module, a, (x,))
            for i in range(legs):
                out = functional_call(module, part.at((i + 0.5) / legs), (x,))
                lost.append(float((out - wanted).norm() / wanted.norm()))
        return max(lost)

    assert worst(1e-2) < 0.7 * worst(0.0)
