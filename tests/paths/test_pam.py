"""Proximal alternating minimisation: its effect, its parts together, resuming, and refusals."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths import pam
from modeconn_lib.paths.curves import bezier, midpoint
from modeconn_lib.paths.fit import LearnCurve
from modeconn_lib.paths.pam import Method, minimise
from modeconn_lib.permutation.apply import identity, invert, permute, random_permutations
from modeconn_lib.permutation.spec import PermutationSpec
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.fit import OutOfTime, Recipe, fit
from modeconn_lib.training.objectives import TrainNetwork

EXACT = Machine.reference()
RELAX = Recipe(2, 0.5, "constant", 0.0, nesterov=False, weight_decay=0.0)
LEARN = Recipe(2, 0.05, "constant", weight_decay=0.0)
METHOD = Method(RELAX, LEARN, penalty=1e-4, samples=4)


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)
    )


class Toy:
    """Six batches of 32 images, the same in every epoch: which quarter is the brightest."""

    steps, examples = 6, 192

    def __call__(self, epoch, step):
        images = torch.randn(32, 1, 4, 4, generator=generator(0, "toy", step))
        return images, images.flatten(1).unflatten(1, (4, 4)).sum(2).argmax(1)


MODULE = network(0)
SPEC = trace(MODULE.eval(), torch.zeros(2, 1, 4, 4)).spec


NAMED = list(MODULE.named_parameters())


def trained(seed):
    module = network(seed)
    objective = TrainNetwork(module, params_of(module), EXACT)
    fit(objective, Toy(), Recipe(20, 0.1), seed)
    return objective.network.params()


A = trained(1)
B = trained(2)


def found(a=A, b=B, method=METHOD, **options):
    return minimise(MODULE, SPEC, a, b, Toy(), Toy(), EXACT, method, **options)


def test_a_planted_permutation_is_lowered():
    """B is A reordered: the straight line has a barrier that only permutations can remove."""
    planted = permute(A, SPEC, random_permutations(SPEC, generator(3)))
    method = Method(
        Recipe(40, 0.5, "constant", 0.0, nesterov=False, weight_decay=0.0), LEARN, samples=16
    )
    got = found(A, planted, method)
    choice = got.iterations[0].choice
    assert choice.kind != "previous"
    assert choice.losses[choice.best] < 0.75 * choice.losses[0]


def test_begun_at_the_planted_permutation_it_stays():
    p = random_permutations(SPEC, generator(3))
    restored = permute(permute(A, SPEC, p), SPEC, invert(p))
    got = found(A, restored)
    assert all(torch.equal(q, identity(SPEC)[group]) for group, q in got.permutations.items())


def test_the_curve_goes_to_the_permuted_b_exactly():
    got = found(method=Method(RELAX, LEARN, samples=16), seed=3)
    end = permute(B, SPEC, got.permutations)
    assert all(torch.equal(got.curve.at(0.0)[n], A[n]) for n in A)
    assert all(torch.equal(got.curve.at(1.0)[n], end[n]) for n in A)


def test_it_is_learned_as_a_curve_without_permutations_is():
    """Same batches, same t: from the permutations found on, there is no second way to learn."""
    method = Method(RELAX, LEARN, penalty=1e-4, samples=4, nu_curve=math.inf)
    got = found(method=method, seed=7)
    end = permute(B, SPEC, got.permutations)
    objective = LearnCurve(MODULE, bezier(A, midpoint(A, end), end), EXACT, 1e-4)
    history = fit(objective, Toy(), LEARN, 7)
    assert history.losses == pytest.approx(got.iterations[0].learned.losses, rel=1e-6)
    for n, value in objective.result().points[1].items():
        torch.testing.assert_close(got.curve.points[1][n], value)


def test_the_proximal_term_holds_the_curve_back():
    def distance(nu):
        curve = found(method=Method(RELAX, LEARN, samples=1, nu_curve=nu)).curve
        middle = midpoint(curve.points[0], curve.points[2])
        return sum(float((curve.points[1][n] - middle[n]).norm()) for n, _ in NAMED)

    assert distance(0.1) < 0.5 * distance(1e3)
    assert distance(1e3) == pytest.approx(distance(math.inf), rel=0.05)


@pytest.mark.parametrize(("nu", "pull"), [(2.0, 0.25), (math.inf, 0.0)])
def test_a_step_of_the_curve_is_followed_by_the_implicit_proximal_step(nu, pull):
    objective = LearnCurve(MODULE, bezier(A, midpoint(A, B), B), EXACT, proximal=nu)
    start = objective.inner.clone()
    objective.inner.add_(1.0)
    objective.after_step(0.5)
    torch.testing.assert_close(objective.inner, (start + 1 + pull * start) / (1 + pull))


def test_iterations_go_on_from_the_permutation_and_curve_before():
    method = Method(RELAX, LEARN, samples=4, iterations=3)
    got = found(method=method)
    for before, after in zip(got.iterations[:-1], got.iterations[1:], strict=True):
        chosen = before.choice.permutations
        previous = after.choice.proposal.candidates[0]
        assert all(torch.equal(chosen[group], p) for group, p in previous.items())
    for one in got.iterations:
        assert one.choice.losses[one.choice.best] <= one.choice.losses[0]
    assert got.iterations[2].learned.losses[-1] < got.iterations[0].learned.losses[0]


def test_the_matrices_are_doubly_stochastic():
    for one in found(method=Method(RELAX, LEARN, samples=1, iterations=2)).iterations:
        for matrix in one.relaxed.matrices.values():
            assert float(matrix.min()) >= 0
            for axis in (0, 1):
                torch.testing.assert_close(matrix.sum(axis), torch.ones(8), rtol=0, atol=2e-5)


DEEP = nn.Sequential(
    nn.Flatten(),
    *(nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU()),
    nn.Linear(5, 4),
)
DEEP_SPEC = trace(DEEP.eval(), torch.zeros(2, 1, 4, 4)).spec


def deep(seed):
    g = generator(seed, "deep")
    return {n: 0.5 * torch.randn(v.shape, generator=g) for n, v in DEEP.state_dict().items()}


def deeply_found(**options):
    method = Method(replace(RELAX, learning_rate=5.0), LEARN, samples=6)
    a, b = deep(1), deep(2)
    return minimise(DEEP, DEEP_SPEC, a, b, Toy(), Toy(), EXACT, method, seed=4, **options)


@pytest.mark.parametrize("batches", [3, 13, 14, 17, 18, 20])
def test_of_several_groups_each_draws_what_it_drew_before_the_stop(tmp_path, batches):
    """A file gives its tensors back in no order, and the samples are drawn group by group."""
    asked, whole = iter([False] * batches + [True]), deeply_found()
    with pytest.raises(OutOfTime):
        deeply_found(folder=tmp_path, out_of_time=lambda: next(asked))
    resumed = deeply_found(folder=tmp_path)
    before, after = whole.iterations[0].choice, resumed.iterations[0].choice
    assert before.losses == after.losses
    for one, other in zip(before.proposal.candidates, after.proposal.candidates, strict=True):
        assert all(torch.equal(one[group], other[group]) for group in DEEP_SPEC.sizes)
    assert len({tuple(p.tolist()) for one in before.proposal.candidates for p in one.values()}) > 4
    for n, value in whole.curve.points[1].items():
        assert torch.equal(value, resumed.curve.points[1][n])


def test_slices_of_time_shorter_than_comparing_come_to_an_end(tmp_path):
    whole, seen, stops = found(seed=1), [], 0
    while stops < 50:
        asked = iter([False, False, True])
        try:
            got = found(
                seed=1, folder=tmp_path, out_of_time=partial(next, asked), progress=seen.append
            )
            break
        except OutOfTime:
            stops += 1
    assert got.iterations[0].choice.losses == whole.iterations[0].choice.losses
    assert stops > 10


def test_a_second_iteration_is_drawn_to_the_permutation_of_the_first(monkeypatch):
    """With matrices that hardly move, each iteration's are those of the permutation before."""
    planted = permute(A, SPEC, random_permutations(SPEC, generator(3)))
    strong = Recipe(40, 0.5, "constant", 0.0, nesterov=False, weight_decay=0.0)
    first = found(A, planted, Method(strong, LEARN, samples=16)).permutations
    starts, real = [], pam.RelaxPermutation

    def spied(*arguments, **options):
        starts.append(arguments[5])
        return real(*arguments, **options)

    monkeypatch.setattr(pam, "RelaxPermutation", spied)
    found(A, planted, Method(strong, LEARN, samples=16, iterations=2))
    assert all(torch.equal(p, identity(SPEC)[group]) for group, p in starts[0].items())
    assert all(torch.equal(p, first[group]) for group, p in starts[1].items())
    assert any(not torch.equal(p, identity(SPEC)[group]) for group, p in first.items())


@pytest.mark.parametrize("batches", [0, 5, 12, 14, 18, 25, 30, 35])
def test_a_run_stopped_anywhere_and_resumed_is_bit_identical(tmp_path, batches):
    asked = iter([False] * batches + [True])
    method = Method(RELAX, LEARN, samples=4, iterations=2)
    whole = found(method=method, seed=1)
    with pytest.raises(OutOfTime):
        found(method=method, seed=1, folder=tmp_path, out_of_time=lambda: next(asked))
    resumed = found(method=method, seed=1, folder=tmp_path)
    for before, after in zip(whole.iterations, resumed.iterations, strict=True):
        assert before.choice.losses == after.choice.losses
        assert before.learned.losses == after.learned.losses
        assert before.relaxed.lowest == after.relaxed.lowest
        assert before.relaxed.history.losses == after.relaxed.history.losses
        for group, matrix in before.relaxed.matrices.items():
            assert torch.equal(matrix, after.relaxed.matrices[group])
    for n, value in whole.curve.points[1].items():
        assert torch.equal(value, resumed.curve.points[1][n])


def test_progress_counts_every_image_once_also_over_a_stop(tmp_path):
    images = (2 + 2) * 192
    whole: list[int] = []
    found(progress=whole.append)
    asked, after = iter([False] * 25 + [True]), []  # in the curve: the rest is not done again
    with pytest.raises(OutOfTime):
        found(folder=tmp_path, out_of_time=lambda: next(asked))
    found(folder=tmp_path, progress=after.append)
    assert sum(whole) > images
    assert sum(after) == images


def test_networks_that_differ_are_refused():
    with pytest.raises(ValueError, match="the networks differ"):
        found(b={**B, "more": torch.zeros(1)})


def test_a_spec_of_another_network_is_refused():
    spec = PermutationSpec({"x": 2}, {"x": ()})
    other = PermutationSpec(spec.sizes, {"y": ()})
    with pytest.raises(ValueError, match="size or spans"):
        minimise(MODULE, other, A, B, Toy(), Toy(), EXACT, METHOD)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ({"iterations": 0}, "iterations must be positive, got 0"),
        ({"nu_curve": 0.0}, "nu_curve must be positive, got 0.0"),
        ({"nu_permutation": -1.0}, "nu_permutation must be positive, got -1.0"),
        ({"nu_choice": math.nan}, "nu_choice must be positive, got nan"),
        ({"samples": -1}, "draws 0 samples or more of 1 term or more, got samples=-1"),
        ({"terms": 0}, "terms=0"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(number, said):
    with pytest.raises(ValueError, match=said):
        Method(RELAX, LEARN, **number)


def test_a_curve_without_a_positive_nu_is_refused():
    for nu in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="the nu of a proximal term, must be positive"):
            LearnCurve(MODULE, bezier(A, midpoint(A, B), B), EXACT, proximal=nu)
