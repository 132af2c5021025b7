"""Choosing among permutations: on common images, at common t, and never to the worse."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.paths.birkhoff import nearest_permutation
from modeconn_lib.paths.doubly_stochastic import project
from modeconn_lib.paths.permuted_curve import permuted_curve
from modeconn_lib.paths.rounding import (
    Choice,
    Judge,
    Proposal,
    choose,
    propose,
)
from modeconn_lib.permutation.apply import (
    identity,
    permute,
    random_permutations,
    squared_distance,
)
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.fit import OutOfTime

EXACT = Machine.reference()


def network(seed):
    """Batch norm, whose statistics must be those of each batch, and dropout, which must rest."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(6, 3),
    )


MODULE = network(0)
SPEC = trace(MODULE.eval(), torch.zeros(2, 1, 4, 4)).spec
A, B = params_of(network(1)), params_of(network(2))
DEVIATION = {n: 0.1 * torch.randn_like(v) for n, v in network(3).named_parameters()}


class Toy:
    """Four batches, the last one smaller."""

    steps, examples = 4, 56

    def __call__(self, epoch, step):
        random = generator(0, "toy", epoch, step)
        n = 16 if step < 3 else 8
        return torch.randn(n, 1, 4, 4, generator=random), torch.randint(3, (n,), generator=random)


def matrices(seed=0):
    g = torch.Generator().manual_seed(seed)
    return {name: project(torch.rand(n, n, generator=g))[0] for name, n in SPEC.sizes.items()}


def chosen(previous=None, **options):
    previous = identity(SPEC) if previous is None else previous
    proposal = propose(previous, matrices(), generator(5), **options)
    return choose(MODULE, SPEC, A, B, DEVIATION, proposal, Judge(Toy(), EXACT))


def test_the_candidates_are_the_previous_the_projection_and_samples():
    previous = random_permutations(SPEC, generator(1))
    proposal = propose(previous, matrices(), generator(5), samples=3)
    assert proposal.kinds == ("previous", "projection", "sample", "sample", "sample")
    for group, p in previous.items():
        assert torch.equal(proposal.candidates[0][group], p)
        assert torch.equal(proposal.candidates[1][group], nearest_permutation(matrices()[group]))
        terms = proposal.mixtures[group].permutations.tolist()
        assert all(one[group].tolist() in terms for one in proposal.candidates[2:])


def test_a_candidates_loss_is_the_mean_along_its_curve_with_statistics_of_the_batch():
    permutations = random_permutations(SPEC, generator(2))
    (found,) = Judge(Toy(), EXACT).losses(MODULE, SPEC, A, B, DEVIATION, [permutations])
    curve = permuted_curve(SPEC, A, B, permutations, DEVIATION)
    module, total = MODULE.eval(), 0.0
    module[2].train()
    for k in range(4):
        images, labels = Toy()(0, k)
        logits = functional_call(module, curve.at((k + 0.5) / 4), (images,))
        total += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    assert found == pytest.approx(total / 56, rel=1e-5)


def test_a_loss_depends_on_no_other_candidate():
    several = [random_permutations(SPEC, generator(i)) for i in range(3)]
    judge = Judge(Toy(), EXACT)
    together = judge.losses(MODULE, SPEC, A, B, DEVIATION, several)
    alone = [judge.losses(MODULE, SPEC, A, B, DEVIATION, [one])[0] for one in several]
    assert together == alone


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_never_rises(seed):
    found = chosen(random_permutations(SPEC, generator(seed)), samples=8)
    assert found.losses[found.best] == min(found.losses) <= found.losses[0]


def test_where_the_previous_permutations_win_they_stay():
    """The published code compares samples with the projection alone, and took one that is worse."""
    p, q, r = (random_permutations(SPEC, generator(seed)) for seed in range(3))
    found = Choice(
        Proposal(("previous", "projection", "sample"), (p, q, r), {}), (1.0, 3.0, 2.0), (0.0,) * 3
    )
    assert found.kind == "previous"
    assert found.permutations is p


def test_a_proximal_term_counts_the_units_that_moved():
    previous = identity(SPEC)
    far = {group: p.flip(0) for group, p in previous.items()}
    assert squared_distance(far, previous) == 2 * sum(len(p) for p in far.values()) == 12
    proposal = Proposal(("previous", "projection"), (previous, far), {})
    free = choose(MODULE, SPEC, A, B, DEVIATION, proposal, Judge(Toy(), EXACT))
    held = choose(MODULE, SPEC, A, B, DEVIATION, proposal, Judge(Toy(), EXACT), proximal=0.01)
    assert free.penalties == (0.0, 0.0)
    assert held.penalties == (0.0, 600.0)
    assert held.losses == free.losses
    assert held.best == 0


def test_equal_orders_of_different_groups_are_different_candidates():
    """Two groups of one size: what counts is which of them is reordered."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3)
    )
    spec = trace(module.eval(), torch.zeros(2, 1, 4, 4)).spec
    a, b = params_of(module), {n: torch.randn_like(v) for n, v in params_of(module).items()}
    still = {n: torch.zeros_like(v) for n, v in a.items()}
    one, other = spec.sizes
    p, q = torch.arange(5), torch.arange(5).flip(0)
    pair = ({one: p, other: q}, {other: p, one: q})
    proposal = Proposal(("previous", "projection"), pair, {})
    found = choose(module, spec, a, b, still, proposal, Judge(Toy(), EXACT))
    alone = [Judge(Toy(), EXACT).losses(module, spec, a, b, still, [each])[0] for each in pair]
    assert list(found.losses) == alone
    assert alone[0] != alone[1]


def test_of_equals_the_previous_permutations_stay():
    p, q = (random_permutations(SPEC, generator(seed)) for seed in range(2))
    assert (
        Choice(Proposal(("previous", "projection"), (p, q), {}), (1.0, 1.0), (0.0, 0.0)).best == 0
    )


def test_equal_candidates_are_measured_once(monkeypatch):
    seen = []

    def losses(self, module, spec, a, b, deviation, candidates, *, folder):
        seen.append(len(candidates))
        return [float(i) for i in range(len(candidates))]

    monkeypatch.setattr(Judge, "losses", losses)
    p, q = (random_permutations(SPEC, generator(seed)) for seed in range(2))
    proposal = Proposal(("previous", "projection", "sample", "sample"), (p, q, p, q), {})
    found = choose(MODULE, SPEC, A, B, DEVIATION, proposal, Judge(Toy(), EXACT))
    assert seen == [2]
    assert found.losses == (0.0, 1.0, 0.0, 1.0)


def test_the_module_stays_as_it_was():
    MODULE.train()
    before = params_of(MODULE)
    Judge(Toy(), EXACT).losses(MODULE, SPEC, A, B, DEVIATION, [identity(SPEC)])
    assert all(part.training for part in MODULE.modules())
    assert all(torch.equal(before[n], v) for n, v in params_of(MODULE).items())


def test_it_stops_when_time_is_up_and_counts_every_image():
    asked, counted = iter([False, False, True]), []
    judge = Judge(Toy(), EXACT, out_of_time=lambda: next(asked), progress=counted.append)
    with pytest.raises(OutOfTime, match="batch 3 of 4"):
        judge.losses(MODULE, SPEC, A, B, DEVIATION, [identity(SPEC)] * 2)
    assert counted == [32, 32]


def test_permuting_both_ways_is_the_same_function():
    """What the judge calls a permuted B is what `permute` makes: its end is the same network."""
    permutations = random_permutations(SPEC, generator(2))
    end = permuted_curve(SPEC, A, B, permutations, DEVIATION).at(1.0)
    assert all(torch.equal(v, permute(B, SPEC, permutations)[n]) for n, v in end.items())
