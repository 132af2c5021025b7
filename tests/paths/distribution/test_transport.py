"""Transport takes A to B itself, and every exchange leaves what B computes."""

from itertools import permutations

import ot
import pytest
import torch
from torch.func import functional_call

from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.distribution.samples import butterflies, samples
from modeconn_lib.paths.distribution.transport import (
    after,
    exchanged_units,
    exchanges,
    in_order,
    match,
    reorder,
    transport,
)
from modeconn_lib.permutation.trace import trace

X = torch.linspace(-2, 2, 60).reshape(10, 1, 3, 2)


@pytest.fixture(scope="module", params=[6, 40])
def pair(request):
    torch.manual_seed(request.param)
    module = mlp((1, 3, 2), 4, widths=(request.param,))
    a, b = (params_of(mlp((1, 3, 2), 4, widths=(request.param,))) for _ in range(2))
    for network in (a, b):
        network["fc1.bias"] += torch.randn(request.param)
    spec = trace(module, X).spec
    return module, a, b, butterflies(spec, "fc1", a)


def test_the_match_is_the_optimal_plan_of_pot(pair):
    _, a, b, units = pair
    p = match(a, b, units)
    x, y = samples(a, units).double(), samples(b, units).double()
    costs = ot.dist(x.numpy(), y.numpy())
    plan = ot.emd(ot.unif(len(x)), ot.unif(len(y)), costs)
    assert sorted(p.tolist()) == list(range(units.size))
    ours = (x - y[p]).square().sum().item()
    assert ours == pytest.approx((plan * costs).sum() * units.size, rel=1e-9)


def test_the_match_is_the_best_of_all_permutations():
    torch.manual_seed(0)
    a, b = (params_of(mlp((1, 3, 2), 4, widths=(6,))) for _ in range(2))
    units = butterflies(trace(mlp((1, 3, 2), 4, widths=(6,)), X).spec, "fc1", a)
    x, y = samples(a, units).double(), samples(b, units).double()
    best = min((x - y[list(q)]).square().sum().item() for q in permutations(range(6)))
    found = (x - y[match(a, b, units)]).square().sum().item()
    assert found == pytest.approx(best, rel=1e-12)


def cycles(p: torch.Tensor) -> int:
    seen, count = set(), 0
    for i in range(len(p)):
        if i not in seen:
            count += 1
            while i not in seen:
                seen.add(i)
                i = int(p[i])
    return count


@pytest.mark.parametrize("units", [1, 2, 5, 50])
@pytest.mark.parametrize("seed", range(5))
def test_the_exchanges_bring_every_order_home_in_the_fewest_steps(units, seed):
    p = torch.randperm(units, generator=torch.Generator().manual_seed(seed))
    steps = exchanges(p)
    assert len(steps) == units - cycles(p)
    assert after(p, steps).tolist() == list(range(units))
    settled: set[int] = set()
    for k in range(1, len(steps) + 1):
        home = {i for i, unit in enumerate(after(p, steps[:k]).tolist()) if unit == i}
        assert settled < home  # one more at home each time, and none leaves
        settled = home
    for k, ((i, j), pair) in enumerate(zip(steps, exchanged_units(p), strict=True)):
        order = after(p, steps[:k])
        assert (order[i], order[j]) == pair


def test_the_path_begins_at_a_and_ends_at_b_in_its_own_order(pair):
    _, a, b, units = pair
    path = transport(a, b, units, match(a, b, units))
    assert path.breakpoints[0] == 0.0
    assert path.breakpoints[-1] == 1.0
    for t, end in ((0.0, a), (1.0, b)):
        found = path.at(t)
        assert all(torch.equal(found[name], value) for name, value in end.items())


def test_after_every_exchange_the_network_computes_what_b_does(pair):
    module, a, b, units = pair
    p = match(a, b, units)
    path = transport(a, b, units, p)
    expected = functional_call(module, b, (X,))
    corners = path.breakpoints[1:]
    assert len(corners) == 1 + len(exchanges(p))
    for t in corners:
        torch.testing.assert_close(functional_call(module, path.at(t), (X,)), expected)
    between = functional_call(module, path.at((corners[0] + corners[1]) / 2), (X,))
    assert not torch.allclose(between, expected, atol=1e-3)


def test_half_way_through_an_exchange_both_units_are_their_mean(pair):
    _, _, b, units = pair
    p = torch.arange(units.size).roll(1)
    path = reorder(b, units, p)
    (i, j), *_ = exchanges(p)
    before = samples(in_order(b, units, p), units)
    middle = samples(path.at(0.5 / path.legs), units)
    for place in (i, j):
        torch.testing.assert_close(middle[place], (before[i] + before[j]) / 2)
    others = [k for k in range(units.size) if k not in (i, j)]
    assert torch.equal(middle[others], before[others])


def test_where_b_is_in_order_there_is_nothing_to_exchange(pair):
    _, a, b, units = pair
    assert reorder(b, units, torch.arange(units.size)) is None
    assert transport(a, b, units, torch.arange(units.size)).breakpoints == (0.0, 1.0)
