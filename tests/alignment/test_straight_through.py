"""Learning a permutation: its gradient, its best, its resuming, and what is refused."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.alignment import straight_through
from modeconn_lib.alignment.many import merge_many
from modeconn_lib.alignment.straight_through import (
    PUBLISHED,
    Judge,
    LearnPermutation,
    learn_permutation,
)
from modeconn_lib.alignment.weights import learnable, match_weights
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import lerp, params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.permutation.apply import identity, permute, random_permutations
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.fit import OutOfTime, Recipe
from modeconn_lib.training.metrics import measure

EXACT = Machine.reference()
RECIPE = Recipe(3, 0.3, schedule="constant", nesterov=False, weight_decay=0.0)


def network(seed):
    """Batch norm in the middle: its statistics must be those of the midpoint."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(36, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3)
    )
    nn.init.uniform_(module[1].bias, -1, 1)
    return module


MODULE = network(0)
SPEC = trace(MODULE.eval(), torch.zeros(2, 1, 6, 6)).spec
A, B = params_of(network(1)), params_of(network(2))


class Toy:
    """Three batches of sixteen 1 x 6 x 6 images, the same in every epoch."""

    steps, examples = 3, 48

    def __call__(self, epoch, step):
        random = generator(0, "toy", step)
        images = torch.randn(16, 1, 6, 6, generator=random)
        return images, images.flatten(1)[:, :3].argmax(1)


JUDGE = Judge([Toy()(0, step) for step in range(3)])


def found(a=A, b=B, recipe=RECIPE, **options):
    return learn_permutation(MODULE, SPEC, a, b, Toy(), JUDGE, EXACT, recipe, **options)


def objective(start=None, **options):
    options = {"evaluations": 9, "evaluate_every": 3, **options}
    start = identity(SPEC) if start is None else start
    return LearnPermutation(MODULE, SPEC, A, B, JUDGE, EXACT, start=start, **options)


def slow_gradient(free, permutations, images, labels):
    """Autograd through the formula: the projection's value, the free weights' gradient."""
    names = [name for name, _ in MODULE.named_parameters()]
    free = {name: free[name].detach().clone().requires_grad_() for name in names}
    projected = permute(B, SPEC, permutations)
    straight = {n: projected[n] + free[n] - free[n].detach() for n in names}
    middle = {n: 0.5 * (A[n] + straight[n]) for n in names}
    buffers = {name: value.clone() for name, value in MODULE.named_buffers()}
    logits = functional_call(MODULE.train(), {**middle, **buffers}, (images,))
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    return loss.detach(), torch.cat([free[n].grad.reshape(-1) for n in names])


def test_the_step_is_autograd_straight_through_the_projection():
    learner, (images, labels) = objective(), Toy()(0, 0)
    for _ in range(2):  # at A, where the matching is weight matching, and away from it
        free = {n: v.clone() for n, v in learner.network.layout.views(learner.free).items()}
        nearest = match_weights(SPEC, free, learnable(MODULE, B), init=learner.current)
        wanted_loss, wanted = slow_gradient(free, nearest.permutations, images, labels)
        step = learner.gradient(images, labels, generator(7))
        torch.testing.assert_close(step.loss, wanted_loss)
        torch.testing.assert_close(learner.free.grad, wanted, rtol=1e-4, atol=1e-6)
        learner.free.sub_(learner.free.grad, alpha=20.0)


def test_by_default_it_starts_at_the_weight_matching():
    result = found()
    matching = match_weights(SPEC, learnable(MODULE, A), learnable(MODULE, B))
    assert all(torch.equal(p, matching.permutations[g]) for g, p in result.start.items())


@pytest.mark.parametrize("rate", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_returns_the_best_that_was_judged_and_never_worse_than_its_start(rate, seed):
    start = random_permutations(SPEC, generator(seed, "start"))
    recipe = Recipe(4, rate, schedule="constant", nesterov=False, weight_decay=0.0)
    result = found(recipe=recipe, start=start, evaluate_every=2)
    assert all(torch.equal(p, start[g]) for g, p in result.start.items())
    assert result.losses[result.best] == min(result.losses) <= result.losses[0]
    assert midpoint_loss(result.start) == pytest.approx(result.losses[0], rel=1e-12)
    assert midpoint_loss(result.permutations) == pytest.approx(min(result.losses), rel=1e-12)


def midpoint_loss(permutations):
    """The definition: mix, take the statistics anew, measure."""
    middle = lerp(A, permute(B, SPEC, permutations), 0.5)
    statistics = [images for images, _ in JUDGE.images]
    return measure(MODULE, reestimate(MODULE, middle, statistics, EXACT), JUDGE.images, EXACT).loss


def test_the_best_stays_while_the_search_moves_on():
    learner = objective(evaluations=30, evaluate_every=1)
    seen = []
    for k in range(30):
        images, labels = Toy()(0, k % 3)
        learner.gradient(images, labels, generator(k))
        seen.append({g: p.clone() for g, p in (learner.current if k else learner.start).items()})
        learner.free.sub_(learner.free.grad, alpha=5.0)
    best = int(learner.losses.argmin())
    assert 0 < best < 29  # else the test could not tell the best from the first or the last
    assert all(torch.equal(p, seen[best][g]) for g, p in learner.best.items())
    assert any(not torch.equal(p, learner.best[g]) for g, p in learner.current.items())


def test_learning_finds_a_better_midpoint_than_weight_matching():
    result = found(recipe=Recipe(20, 1.0, schedule="constant", weight_decay=0.0))
    assert min(result.losses) < result.losses[0] - 0.01
    assert result.best_epoch == result.epochs[result.best] > 0


def test_a_permuted_copy_is_recognised_at_once():
    b = permute(A, SPEC, random_permutations(SPEC, generator(5, "planted")))
    result = found(b=b)
    back = permute(b, SPEC, result.permutations)
    assert all(torch.equal(value, A[name]) for name, value in back.items())
    assert result.best == 0


def test_judgements_are_where_they_are_said_to_be():
    result = found(evaluate_every=2)
    assert result.epochs == pytest.approx((0, 2 / 3, 4 / 3, 2, 8 / 3, 3))
    assert len(result.losses) == 6
    assert found().epochs == (0, 1, 2, 3)
    assert len(result.history.losses) == 3


@pytest.mark.parametrize("batches", [0, 1, 4, 6, 8])
def test_a_search_stopped_anywhere_and_resumed_is_bit_identical(tmp_path, batches):
    often = {"match_every": 4, "evaluate_every": 4}  # between, the last matching must be kept
    options = {"seed": 3, "start": identity(SPEC), **often}
    asked = iter([False] * batches + [True])
    with pytest.raises(OutOfTime):
        found(folder=tmp_path, out_of_time=lambda: next(asked), **options)
    resumed, whole = found(folder=tmp_path, **options), found(**options)
    assert resumed.losses == whole.losses
    assert resumed.history.losses == whole.history.losses
    for group, p in whole.permutations.items():
        assert torch.equal(p, resumed.permutations[group])


@pytest.mark.parametrize(("every", "calls"), [(1, 9), (2, 5), (4, 3), (100, 1)])
def test_matching_is_done_as_often_as_asked_and_goes_on_from_the_last(monkeypatch, every, calls):
    inits, results = [], []

    def spy(*networks, init=None, **options):
        inits.append({group: p.clone() for group, p in init.items()})
        matching = match_weights(*networks, init=init, **options)
        results.append({group: p.clone() for group, p in matching.permutations.items()})
        return matching

    monkeypatch.setattr(straight_through, "match_weights", spy)
    found(start=identity(SPEC), match_every=every, evaluate_every=100)
    assert len(inits) == calls + 1  # and once more when training has ended
    for before, init in zip([identity(SPEC), *results], inits, strict=False):
        assert all(torch.equal(p, init[group]) for group, p in before.items())


def with_dropout(seed):
    torch.manual_seed(seed)
    layers = nn.Linear(36, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 3)
    return nn.Sequential(nn.Flatten(), *layers)


def test_dropout_brings_no_chance_into_the_search():
    module, spec = with_dropout(0), trace(with_dropout(0), torch.zeros(2, 1, 6, 6)).spec
    a, b = params_of(with_dropout(1)), params_of(with_dropout(2))
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        results.append(learn_permutation(module, spec, a, b, Toy(), JUDGE, EXACT, RECIPE))
    assert results[0].history.losses == results[1].history.losses
    assert results[0].losses == results[1].losses


class TiedMLP(nn.Sequential):
    """A layer that is used twice, under two names."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        first, tied = nn.Linear(36, 8), nn.Linear(8, 8)
        super().__init__(nn.Flatten(), first, nn.ReLU(), tied, nn.ReLU(), nn.Linear(8, 8))
        self.append(nn.ReLU()).append(nn.Linear(8, 3))
        self[5].weight = tied.weight


def test_tied_weights_are_matched_learned_and_merged():
    module = TiedMLP(0)
    traced = trace(module, torch.zeros(2, 1, 6, 6))
    a, b = params_of(TiedMLP(1)), params_of(TiedMLP(2))
    assert traced.spec.sizes
    result = learn_permutation(module, traced.spec, a, b, Toy(), JUDGE, EXACT, RECIPE)
    assert check_equivalence(traced, b, result.permutations, Toy()(0, 0)[0]) < 1e-12
    moved = permute(b, traced.spec, result.permutations)
    assert torch.equal(moved["3.weight"], moved["5.weight"])
    middle = measure(module, lerp(a, moved, 0.5), JUDGE.images, EXACT).loss
    assert middle == pytest.approx(min(result.losses), rel=1e-6)
    merge = merge_many(traced.spec, [a, b], learned=learnable(module, a))
    assert torch.equal(merge.merged["3.weight"], merge.merged["5.weight"])


def test_nothing_given_is_changed():
    start = random_permutations(SPEC, generator(0, "start"))
    given = [*A.values(), *B.values(), *start.values(), *params_of(MODULE).values()]
    before = [value.clone() for value in given]
    found(start=start)
    after = [*A.values(), *B.values(), *start.values(), *params_of(MODULE).values()]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


def test_networks_of_float64_are_learned_in_float32():
    wide = [{n: v.double() if v.is_floating_point() else v for n, v in p.items()} for p in (A, B)]
    assert found(*wide, start=identity(SPEC)).losses == found(start=identity(SPEC)).losses


def test_the_judge_takes_its_statistics_from_the_images_it_is_told_to():
    other = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(1)) + 1
    middle = reestimate(MODULE, lerp(A, B, 0.5), [other], EXACT)
    wanted = measure(MODULE, middle, JUDGE.images, EXACT).loss
    assert Judge(JUDGE.images, [other]).loss(MODULE, A, B, EXACT) == wanted
    assert JUDGE.loss(MODULE, A, B, EXACT) != wanted


def test_the_published_recipe_has_no_penalty_and_a_constant_rate():
    assert (PUBLISHED.learning_rate, PUBLISHED.momentum, PUBLISHED.epochs) == (0.01, 0.9, 250)
    assert (PUBLISHED.weight_decay, PUBLISHED.nesterov) == (0, False)
    assert PUBLISHED.schedule == "constant"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match_every": 0}, "every 1 batch or more, got match_every=0, evaluate_every=3"),
        ({"evaluate_every": 0}, "every 1 batch or more, got match_every=1, evaluate_every=0"),
        ({"start": {}}, "is in the spec only"),
        ({"b": {**B, "1.weight": torch.zeros(1)}}, r"the networks differ in '1\.weight'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        found(**{"start": identity(SPEC), **options})
