"""The objective never rises where the theorem says so, and its parts are what they should be."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeconn_lib.core.params import combine, params_of
from modeconn_lib.models.layers import huberised
from modeconn_lib.models.mlp import mlp
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.doubly_stochastic import matrix
from modeconn_lib.paths.downhill import _step as downhill_step
from modeconn_lib.paths.downhill import best_swap, downhill, tables
from modeconn_lib.paths.monotone import Rule, choose, descend, descend_curve
from modeconn_lib.paths.smoothed import Problem, clip_norm
from modeconn_lib.permutation.apply import (
    check_permutations,
    identity,
    invert,
    permute,
    random_permutations,
    squared_distance,
)
from modeconn_lib.permutation.trace import trace

SHAPE = (1, 3, 3)
WIDTHS = (6, 5)


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def spec():
    return trace(mlp(SHAPE, 3, WIDTHS).eval(), torch.zeros(2, *SHAPE)).spec


def network(seed: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        params = params_of(mlp(SHAPE, 3, WIDTHS))
    drawn = source(seed)
    return {n: 3 * v + 0.1 * torch.randn(v.shape, generator=drawn) for n, v in params.items()}


@pytest.fixture(scope="module")
def problem(spec):
    return made(spec)


def made(spec, seed: int = 0, delta: float = 1e-6) -> Problem:
    sharp = mlp(SHAPE, 3, WIDTHS).double()
    drawn = source(seed)
    return Problem(
        sharp=sharp,
        smooth=huberised(sharp, delta),
        delta=delta,
        spec=spec,
        a=network(2 * seed),
        b=network(2 * seed + 1),
        images=torch.randn(40, *SHAPE, generator=drawn, dtype=torch.float64),
        labels=torch.randint(0, 3, (40,), generator=drawn),
        points=4,
    )


def bend(problem: Problem, seed: int = 0, size: float = 0.05) -> torch.Tensor:
    return size * torch.randn(len(problem.start), generator=source(seed), dtype=torch.float64)


def test_the_objective_is_the_mean_loss_on_the_curve_of_equation_35(problem):
    phi, p = bend(problem), random_permutations(problem.spec, source(1))
    end = problem.end(p)
    a, b = (
        {n: v.double() for n, v in problem.layout.views(f).items()} for f in (problem.start, end)
    )
    control = combine((1.0, 1.0), (midpoint(a, b), problem.layout.views(phi)))
    curve = bezier(a, control, b)
    losses = []
    for t in (0.125, 0.375, 0.625, 0.875):
        outputs = torch.func.functional_call(problem.sharp, curve.at(t), (problem.images,))
        losses.append(float(torch.nn.functional.cross_entropy(outputs, problem.labels)))
    assert problem.objective(problem.sharp, phi, end) == pytest.approx(np.mean(losses), rel=1e-12)


def test_gradients_are_those_of_small_steps(problem):
    phi, end = bend(problem), problem.end(identity(problem.spec))
    value, by_phi, by_end = problem.gradient(phi, end)
    assert value == pytest.approx(problem.objective(problem.smooth, phi, end), rel=1e-12)
    way, step = bend(problem, 5, 1.0), 1e-6
    for slope, moved in ((by_phi, (step, 0.0)), (by_end, (0.0, step))):
        there, back = (
            problem.objective(problem.smooth, phi + s * moved[0] * way, end + s * moved[1] * way)
            for s in (1, -1)
        )
        assert float(slope @ way) == pytest.approx((there - back) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("delta", [1e-1, 1e-3])
def test_smooth_and_sharp_objective_are_no_farther_apart_than_equation_48_says(spec, delta):
    for seed in range(5):
        problem = made(spec, seed, delta)
        end = problem.end(random_permutations(spec, source(seed)))
        phi = problem.project(bend(problem, seed, 1.0), end)
        apart = abs(
            problem.objective(problem.smooth, phi, end) - problem.objective(problem.sharp, phi, end)
        )
        assert 0 < apart <= problem.rounding


def test_the_rounding_bound_is_the_formula(problem):
    norms = [
        np.linalg.svd(v.double(), compute_uv=False)[0]
        for of in (problem.a, problem.b)
        for v in of.values()
        if v.ndim == 2
    ]
    k = max(norms)
    assert problem.norm_bound == pytest.approx(k, rel=1e-9)
    # sqrt 2 for cross-entropy, 6 units in the widest layer, 3 layers.
    assert problem.rounding == pytest.approx(2**0.5 * 6**0.5 * 0.5e-6 * (k + k**2), rel=1e-9)


def test_the_order_in_which_a_file_gives_its_tensors_back_does_not_matter(problem):
    backwards = dict(reversed(problem.a.items()))
    other = replace(problem, a=backwards, b=dict(reversed(problem.b.items())))
    assert other.rounding == problem.rounding
    assert torch.equal(other.start, problem.start)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), bound=st.floats(0.1, 5))
def test_a_clipped_matrix_is_the_nearest_within_the_bound(seed, bound):
    weight = torch.randn(4, 6, generator=source(seed), dtype=torch.float64)
    clipped = clip_norm(weight, bound)
    assert float(torch.linalg.matrix_norm(clipped, 2)) <= bound * (1 + 1e-12)
    torch.testing.assert_close(clip_norm(clipped, bound), clipped)
    # Nearest: the way out makes an obtuse angle with the way to any other matrix within.
    other = torch.randn(4, 6, generator=source(seed + 1), dtype=torch.float64)
    other *= bound / float(torch.linalg.matrix_norm(other, 2))
    assert float(((weight - clipped) * (other - clipped)).sum()) <= 1e-9


def test_a_projected_curve_is_allowed_and_one_that_is_allowed_stays(problem):
    end = problem.end(identity(problem.spec))
    far = bend(problem, size=2.0)
    assert not problem.allowed(far, end)
    near = problem.project(far, end)
    assert problem.allowed(near, end)
    assert problem.project(near, end) is near
    biases = problem.layout.views(far - near)
    assert not any(biases[name].any() for name in biases if name not in problem.matrices)


def test_distance_is_that_of_the_matrices(spec):
    p, q = (random_permutations(spec, source(seed)) for seed in (1, 2))
    expected = sum(float((matrix(p[g]) - matrix(q[g])).square().sum()) for g in p)
    assert squared_distance(p, q) == expected
    assert squared_distance(p, p) == 0


def test_the_best_candidate_is_chosen_by_objective_and_distance(problem):
    phi, p = torch.zeros_like(problem.start), identity(problem.spec)
    now = problem.objective(problem.smooth, phi, problem.end(p))
    others = [random_permutations(problem.spec, source(seed)) for seed in range(12)]
    for nu in (0.5, 1e6):
        costs = [now] + [
            problem.objective(problem.smooth, phi, problem.end(q))
            + squared_distance(p, q) / (2 * nu)
            for q in others
        ]
        chosen, value = choose(problem, phi, p, now, others, nu)
        assert value + squared_distance(p, chosen) / (2 * nu) == pytest.approx(
            min(costs), rel=1e-12
        )
    assert squared_distance(p, choose(problem, phi, p, now, others, 1e-3)[0]) == 0
    assert squared_distance(p, choose(problem, phi, p, now, others, 1e6)[0]) > 0


def test_an_order_that_breaks_the_norm_bound_is_never_chosen(problem):
    p, end = identity(problem.spec), problem.end(identity(problem.spec))
    phi = problem.project(bend(problem, size=2.0), end)
    others = [random_permutations(problem.spec, source(seed)) for seed in range(12)]
    assert not any(problem.allowed(phi, problem.end(q)) for q in others)
    chosen, _ = choose(problem, phi, p, float("inf"), others, 1e9)
    assert squared_distance(p, chosen) == 0


@pytest.mark.parametrize("nu", [1e-2, 1e3])
def test_a_curve_step_lowers_objective_and_proximal_term_within_the_bound(problem, nu):
    end = problem.end(identity(problem.spec))
    phi = problem.project(bend(problem, size=0.5), end)
    before = problem.objective(problem.smooth, phi, end)
    after, value = descend_curve(problem, phi, end, nu, steps=5)
    assert value == problem.objective(problem.smooth, after, end)
    assert value + float((after - phi).square().sum()) / (2 * nu) < before
    assert problem.allowed(after, end)


@pytest.mark.parametrize("seed", range(3))
def test_no_accepted_iterate_is_worse(spec, seed):
    problem = made(spec, seed)
    found = descend(problem, downhill(2, seed), Rule(iterations=8))
    sharp = [one.sharp for one in found.accepted]
    assert len(sharp) > 2
    assert sharp == sorted(sharp, reverse=True)
    for before, after in pairwise(found.iterates):
        assert after.smooth + after.by_phi + after.by_p <= before.smooth + 1e-12
        assert after.accepted == (after.by_phi + after.by_p >= 2 * found.rounding)
        assert abs(after.sharp - after.smooth) <= found.rounding
    end = problem.end(found.permutations)
    assert problem.allowed(found.phi, end)
    assert problem.objective(problem.sharp, found.phi, end) == sharp[-1]


def test_the_rule_stops_where_corners_are_wide_and_the_refused_iterate_does_not_count(spec):
    problem = made(spec, 0, delta=1.0)
    found = descend(problem, downhill(2, 0), Rule(iterations=8))
    assert [one.accepted for one in found.iterates] == [True, False]
    assert not found.phi.any()
    assert squared_distance(found.permutations, identity(spec)) == 0


def test_it_begins_where_it_is_told_and_reports_every_iteration(problem):
    start, done = random_permutations(problem.spec, source(3)), []
    found = descend(problem, lambda *_: [], Rule(iterations=3, factor=0.0), start, done.append)
    assert done == [1, 1, 1]
    line = problem.objective(problem.sharp, torch.zeros_like(problem.start), problem.end(start))
    assert found.iterates[0].sharp == line
    assert squared_distance(found.permutations, start) == 0


def test_tables_are_the_slopes_of_relaxed_permutations(problem):
    p, phi = random_permutations(problem.spec, source(4)), bend(problem)
    slope = tables(problem, phi, p)
    here = problem.end(p)
    _, _, gradient = problem.gradient(phi, here)
    for group in problem.spec.sizes:
        q = random_permutations(problem.spec, source(5))[group]
        # Linear in each group: from p to q the table promises what the gradient does.
        rows = torch.arange(len(q))
        promised = float(slope[group][rows, q].sum() - slope[group][rows, p[group]].sum())
        moved = problem.end({**p, group: q}) - here
        assert promised == pytest.approx(float(gradient @ moved), rel=1e-9)


def test_the_best_swap_is_the_best_of_all(problem):
    slope = torch.randn(5, 5, generator=source(0), dtype=torch.float64)
    p, rows = torch.tensor([3, 1, 0, 4, 2]), torch.arange(5)
    worth = {}
    for i in range(5):
        for k in range(5):
            q = p.clone()
            q[[i, k]] = p[[k, i]]
            worth[tuple(q.tolist())] = float(slope[rows, q].sum())
    assert tuple(best_swap(slope, p).tolist()) == min(worth, key=worth.get)


@pytest.mark.parametrize("seed", range(5))
def test_a_step_downhill_goes_down(seed):
    slope = torch.randn(6, 6, generator=source(seed), dtype=torch.float64)
    p = torch.randperm(6, generator=source(seed))
    moved = downhill_step(p, slope, 0.5) - matrix(p).double()
    assert float((slope * moved).sum()) < -0.01


def test_downhill_candidates_are_permutations_and_the_same_every_time(problem):
    phi, p = bend(problem), random_permutations(problem.spec, source(6))
    first, second = (list(downhill(3, 7)(problem, phi, p, 2)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        check_permutations(problem.spec, one)
        assert squared_distance(one, other) == 0
    assert len({tuple(torch.cat(list(q.values())).tolist()) for q in first}) > 5


def test_without_the_proximal_terms_rule_there_is_no_limit_but_the_number(problem):
    found = descend(problem, downhill(1, 0), Rule(iterations=2, factor=0.0))
    assert len(found.accepted) == 3


def test_an_order_that_undoes_a_planted_one_is_taken_and_kept(spec):
    base, planted = made(spec), random_permutations(spec, source(8))
    outputs = torch.func.functional_call(
        base.sharp, {n: v.double() for n, v in base.a.items()}, (base.images,)
    )
    # B is A in another order, and what A says is right.
    problem = replace(base, b=permute(base.a, spec, planted), labels=outputs.argmax(1).detach())
    found = descend(problem, lambda *_: [invert(planted)], Rule(iterations=3))
    assert [one.moved for one in found.iterates[:3]] == [
        0,
        squared_distance(identity(spec), planted) // 2,
        0,
    ]
    assert squared_distance(found.permutations, invert(planted)) == 0
    assert found.iterates[1].sharp < found.iterates[0].sharp
