"""Weight matching agrees with the algorithm as published, and never loses what it had."""

import os
import subprocess
import sys
from threading import Event

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.alignment import weights
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.costs import Costs
from modeconn_lib.alignment.weights import learnable, match_weights, within
from modeconn_lib.core.params import dot, params_of
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import identity, permute, random_permutations
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.reference import specs
from tests.reference.weight_matching import best_of_all, full_cost, match_by_full_recompute

SEEDS = st.integers(0, 2**31)
# A concatenation and a flatten, places that do not follow each other, three groups on one tensor,
# one group twice on one axis.
SPEC = PermutationSpec(
    {"left": 4, "right": 3, "wide": 5},
    {
        "left": (
            AxisSpan("left", 0),
            AxisSpan("join", 1),
            AxisSpan("fc", 1, 1, 2),
            AxisSpan("twice", 1),
            AxisSpan("twice", 1, 4),
            AxisSpan("cube", 0),
        ),
        "right": (
            AxisSpan("right", 0),
            AxisSpan("join", 1, 4),
            AxisSpan("fc", 0),
            AxisSpan("shuffled", 0, starts=(4, 0, 2)),
            AxisSpan("cube", 1),
        ),
        "wide": (
            AxisSpan("join", 0),
            AxisSpan("shuffled", 1),
            AxisSpan("twice", 0),
            AxisSpan("cube", 2),
        ),
    },
)
SHAPES = {
    "left": (4, 2),
    "right": (3,),
    "join": (5, 8, 3, 3),
    "fc": (3, 10),
    "shuffled": (5, 5),
    "twice": (5, 9),
    "cube": (4, 3, 5),
    "alone": (7,),
}
# The units of "loop" index both axes of one matrix: x + relu(W x).
TWOFOLD = PermutationSpec(
    {"loop": 4, "out": 3},
    {"loop": (AxisSpan("w", 0), AxisSpan("w", 1), AxisSpan("v", 1)), "out": (AxisSpan("v", 0),)},
)


def network(seed, shapes=None, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    made = {n: torch.randn(s, generator=g, dtype=dtype) for n, s in (shapes or SHAPES).items()}
    return {**made, "count": torch.tensor(3)}


def random(spec, seed):
    return random_permutations(spec, torch.Generator().manual_seed(seed))


def assert_equal(p, q):
    assert p.keys() == q.keys()
    assert all(torch.equal(p[group], q[group]) for group in p)


@given(seed=SEEDS)
def test_it_does_what_full_recomputation_does(seed):
    a, b = network(seed), network(seed + 1)
    found = match_weights(SPEC, a, b, seed=seed)
    slow, _ = match_by_full_recompute(SPEC, a, b, seed=seed)
    assert_equal(found.permutations, slow)
    assert found.objective == pytest.approx(dot(a, permute(b, SPEC, slow)), rel=1e-12)
    assert found.start == pytest.approx(dot(a, b), rel=1e-12)


@given(seed=SEEDS)
def test_tables_that_are_updated_are_those_computed_anew(seed):
    a, b = network(seed), network(seed + 1)
    costs = Costs(SPEC, a, b)
    at = identity(SPEC)
    for step, group in enumerate(("left", "wide", "right", "left", "right", "wide", "wide")):
        torch.testing.assert_close(costs.table(group), full_cost(SPEC, a, b, at, group))
        at[group] = random(SPEC, seed + step)[group]
        costs.move(group, at[group])
        assert costs.objective() == pytest.approx(dot(a, permute(b, SPEC, at)), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_visits_side_by_side_find_what_one_after_the_other_finds(seed, monkeypatch):
    spec = specs.mlp((9,) * 12)
    sizes = [7, *(9,) * 12, 4]
    shapes = {f"fc{i + 1}.weight": (sizes[i + 1], sizes[i]) for i in range(12)}
    shapes |= {f"fc{i + 1}.bias": (9,) for i in range(12)} | {"fc.weight": (4, 9)}
    a, b = network(seed, shapes), network(seed + 1, shapes)
    runs = []
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        monkeypatch.setattr(weights, "_WORKERS", 4)
        runs.append(match_weights(spec, a, b, seed=seed))
    assert_equal(runs[0].permutations, runs[1].permutations)
    assert (runs[0].objectives, runs[0].sweeps) == (runs[1].objectives, runs[1].sweeps)


# A stream s + W s, concatenated with g: neither changes the other's table, both the tensor "out".
BESIDE = PermutationSpec(
    {"s": 6, "g": 6},
    {
        "s": (AxisSpan("w", 0), AxisSpan("w", 1), AxisSpan("out", 1)),
        "g": (AxisSpan("out", 1, 6),),
    },
)


@pytest.mark.parametrize("seed", [10, 34, 36])  # at which s is not to move
def test_what_a_group_on_two_axes_gains_is_not_mixed_with_anothers_gain(seed, monkeypatch):
    a, b = (network(k, {"w": (6, 6), "out": (3, 12)}) for k in (seed, seed + 1))
    assert weights.visits(["s", "g"], 1, 0, 0) == ["s", "g"]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone = match_weights(BESIDE, a, b, seed=1)
    objective, table, move = Costs.objective, Costs.table, Costs.move
    read, moved = Event(), Event()

    def read_and_wait(self, tensors=None):
        found = objective(self, tensors)
        if tensors is not None and not read.is_set():
            read.set()
            moved.wait(0.3)  # g has this long to come between the two readings for s
        return found

    def table_after_reading(self, group):
        if group == "g":
            read.wait(10)
        return table(self, group)

    def move_and_tell(self, group, p):
        move(self, group, p)
        if group == "g" and read.is_set():
            moved.set()

    monkeypatch.setattr(Costs, "objective", read_and_wait)
    monkeypatch.setattr(Costs, "table", table_after_reading)
    monkeypatch.setattr(Costs, "move", move_and_tell)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    beside = match_weights(BESIDE, a, b, seed=1)
    assert_equal(beside.permutations, alone.permutations)
    assert (beside.objectives, beside.sweeps) == (alone.objectives, alone.sweeps)


@pytest.mark.parametrize("name", ["mlp_small", "resnet20_layernorm"])
def test_float32_networks_reach_what_full_recomputation_reaches(name):
    torch.manual_seed(0)
    a, b = (params_of(architecture(name).build((3, 12, 12), 10)) for _ in range(2))
    spec = specs.mlp((64, 32)) if name == "mlp_small" else specs.resnet(3, 1, specs.LAYER_NORM)
    found = match_weights(spec, a, b, seed=1)
    slow, _ = match_by_full_recompute(spec, a, b, seed=1)
    assert found.objective == pytest.approx(dot(a, permute(b, spec, slow)), rel=1e-7)
    # The sums are float64: what float32 products lose is far below float32's last digit.
    exact = dot(a, permute(b, spec, found.permutations))
    assert found.objective == pytest.approx(exact, rel=1e-8)


@given(seed=SEEDS, orders=st.integers(1, 3))
def test_it_is_never_worse_than_its_start_nor_better_than_the_best(seed, orders):
    shapes = {"w": (4, 3), "b": (4,), "v": (3, 4)}
    spec = PermutationSpec(
        {"one": 4, "two": 3},
        {
            "one": (AxisSpan("w", 0), AxisSpan("b", 0), AxisSpan("v", 1)),
            "two": (AxisSpan("v", 0),),
        },
    )
    a, b = network(seed, shapes), network(seed + 1, shapes)
    init = random(spec, seed)
    found = match_weights(spec, a, b, init=init, orders=orders, seed=seed)
    assert found.start == pytest.approx(dot(a, permute(b, spec, init)), rel=1e-12)
    assert found.start <= found.objective <= best_of_all(spec, a, b) + 1e-9
    assert found.objective == max(*found.objectives, found.start)
    assert len(found.objectives) == orders


@given(seed=SEEDS)
def test_what_is_found_is_best_in_every_group(seed):
    a, b = network(seed), network(seed + 1)
    found = match_weights(SPEC, a, b, seed=seed)
    for group, p in found.permutations.items():
        cost, rows = full_cost(SPEC, a, b, found.permutations, group), torch.arange(len(p))
        best = float(cost[rows, best_permutation(cost)].sum())
        assert float(cost[rows, p].sum()) == pytest.approx(best, rel=1e-12)
    again = match_weights(SPEC, a, b, init=found.permutations)
    assert_equal(again.permutations, found.permutations)


@given(seed=SEEDS)
def test_a_group_on_two_axes_of_a_tensor_never_loses(seed):
    shapes = {"w": (4, 4), "v": (3, 4)}
    a, b = network(seed, shapes), network(seed + 1, shapes)
    found = match_weights(TWOFOLD, a, b, seed=seed)
    assert found.objective == pytest.approx(dot(a, permute(b, TWOFOLD, found.permutations)))
    assert dot(a, b) - 1e-9 <= found.objective <= best_of_all(TWOFOLD, a, b) + 1e-9


def test_a_group_on_two_axes_is_matched_at_all():
    shapes = {"w": (4, 4), "v": (3, 4)}
    pairs = [(network(s, shapes), network(s + 1000, shapes)) for s in range(20)]
    gains = [match_weights(TWOFOLD, a, b).objective - dot(a, b) for a, b in pairs]
    assert min(gains) >= 0
    assert sum(gain > 1 for gain in gains) > 15


@given(seed=SEEDS)
def test_one_hidden_layer_is_put_back_in_order(seed):
    spec, shapes = specs.mlp((8,)), {"fc1.weight": (8, 5), "fc1.bias": (8,), "fc.weight": (2, 8)}
    a = network(seed, shapes)
    b = permute(a, spec, random(spec, seed))
    found = match_weights(spec, a, b)
    assert found.objective == pytest.approx(dot(a, a), rel=1e-12)
    assert torch.equal(permute(b, spec, found.permutations)["fc1.weight"], a["fc1.weight"])


def test_arguments_are_not_written_to():
    a, b = network(0), network(1)
    init = random(SPEC, 2)
    before = [{k: v.clone() for k, v in x.items()} for x in (a, b, init)]
    match_weights(SPEC, a, b, init=init, orders=2)
    for now, then in zip((a, b, init), before, strict=True):
        assert_equal(now, then)


def test_more_orders_are_never_worse_and_each_is_its_own():
    a, b = network(0), network(1)
    runs = [match_weights(SPEC, a, b, orders=k, seed=4) for k in (1, 2, 6)]
    assert [r.objectives for r in runs] == [runs[2].objectives[:k] for k in (1, 2, 6)]
    assert runs[0].objective <= runs[1].objective <= runs[2].objective
    assert len(set(runs[2].objectives)) > 1


def test_no_sweep_means_no_change():
    found = match_weights(SPEC, network(0), network(1), max_sweeps=0)
    assert_equal(found.permutations, identity(SPEC))
    assert (found.sweeps, found.objective) == (0, found.start)


def test_batch_norm_statistics_do_not_count():
    torch.manual_seed(0)
    module = architecture("tinyten").build((3, 32, 32), 10)
    params = params_of(module)
    kept = learnable(module, params)
    assert kept.keys() == dict(module.named_parameters()).keys()
    part = within(specs.tinyten(), kept)
    assert not any("running" in s.tensor for spans in part.spans.values() for s in spans)
    assert match_weights(specs.tinyten(), kept, kept).objective == pytest.approx(dot(kept, kept))


def test_a_tied_weight_counts_once():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    module[4].weight = module[2].weight
    params = params_of(module)
    kept = learnable(module, params)
    assert params.keys() - kept.keys() == {"4.weight"}
    squares = sum(float(p.detach().double().square().sum()) for p in module.parameters())
    spec = trace(module, torch.zeros(2, 4)).spec
    assert match_weights(spec, kept, kept).objective == pytest.approx(squares)


SCRIPT = """
from tests.alignment.test_weights import SPEC, match_weights, network
found = match_weights(SPEC, network(0), network(1), orders=2, seed=3)
print({group: p.tolist() for group, p in found.permutations.items()}, found.objectives)
"""


def test_another_process_with_another_hash_seed_finds_the_same(root):
    said = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    ]
    assert said[0] == said[1] != ""


REFUSED = [
    ({"orders": 0}, "at least 1 order of the groups, got 0"),
    ({"init": {"left": torch.arange(4)}}, "'right' is in the spec only"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        match_weights(SPEC, network(0), network(1), **options)


def test_networks_that_do_not_fit_are_refused():
    a, b = network(0), network(1)
    with pytest.raises(ValueError, match="the networks differ in 'left'"):
        match_weights(SPEC, a, {**b, "left": torch.zeros(4, 3)})
    short = {"left": torch.zeros(2, 2)}
    with pytest.raises(ValueError, match="group 'left' claims entries 0:4"):
        match_weights(SPEC, a | short, b | short)
    b["alone"][0] = float("nan")
    with pytest.raises(ValueError, match="weights must be finite, but <a, b> is nan"):
        match_weights(SPEC, a, b)
