"""Networks of mixed units, curves to permuted networks, and the relaxed permutation's gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.core.seeds import generator
from modeconn_lib.models.registry import architecture
from modeconn_lib.paths.curves import segment
from modeconn_lib.paths.doubly_stochastic import matrix, project
from modeconn_lib.paths.permuted_curve import RelaxPermutation, mix, permuted_curve
from modeconn_lib.permutation.apply import identity, permute, random_permutations
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.permutation.networks import ChannelsLastFlatten, Concatenation, Flatten, Shuffle
from tests.reference.pam import loss_on_curve, mixed_mlp

EXACT = Machine.reference()
SEEDS = st.integers(0, 2**31)


def mlp(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)
    )


MODULE = mlp(0)
SPEC = trace(MODULE.eval(), torch.zeros(2, 1, 3, 3)).spec
FIRST, SECOND = SPEC.sizes
A, B = params_of(mlp(1)), params_of(mlp(2))
ZERO = {name: torch.zeros_like(value) for name, value in A.items()}


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(32, 1, 3, 3, generator=g), torch.randint(3, (32,), generator=g)


def built(name):
    """A network of the library, or a small one with a concatenation, a flatten or a shuffle."""
    small = {
        "concatenation": Concatenation,
        "flatten": Flatten,
        "channels_last_flatten": ChannelsLastFlatten,
        "shuffle": Shuffle,
    }
    torch.manual_seed(0)
    if name in small:
        return small[name](), (3, 8, 8)
    shape = (1, 28, 28) if name == "mlp" else (3, 32, 32)
    return architecture(name).build(shape, 10), shape


@pytest.mark.parametrize(
    "name",
    [
        "mlp",
        "tinyten",
        "resnet20_layernorm",
        "concatenation",
        "flatten",
        "channels_last_flatten",
        "shuffle",
    ],
)
def test_matrices_of_permutations_permute_exactly(name):
    module, shape = built(name)
    spec = trace(module.eval(), torch.zeros(2, *shape)).spec
    params = {
        n: torch.randn_like(v) if v.is_floating_point() else v for n, v in params_of(module).items()
    }
    permutations = random_permutations(spec, generator(0, name))
    wanted = permute(params, spec, permutations)
    found = mix(params, spec, {group: matrix(p) for group, p in permutations.items()})
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[n], wanted[n]) for n in wanted)
    assert not all(torch.equal(params[n], wanted[n]) for n in wanted)


def test_units_that_fill_an_axis_in_another_order_are_found():
    spans = (AxisSpan("a", 0), AxisSpan("b", 0, starts=(2, 0, 1)))
    spec = PermutationSpec({"g": 3}, {"g": spans})
    params = {"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor([2.0, 3.0, 1.0])}
    p = torch.tensor([1, 0, 2])
    found = mix(params, spec, {"g": matrix(p)})
    assert found["b"].tolist() == permute(params, spec, {"g": p})["b"].tolist()
    assert found["b"][[2, 0, 1]].tolist() == found["a"].tolist()


@given(seed=SEEDS)
def test_units_are_mixed_as_the_formula_says(seed):
    g = torch.Generator().manual_seed(seed)
    first, second = (project(torch.rand(n, n, generator=g))[0] for n in (5, 4))
    found = mix(B, SPEC, {FIRST: first, SECOND: second})
    for name, wanted in mixed_mlp(B, first, second).items():
        torch.testing.assert_close(found[name], wanted, rtol=1e-5, atol=1e-6)


def test_what_the_network_lacks_is_left_out():
    module, shape = built("tinyten")
    spec = trace(module.eval(), torch.zeros(2, *shape)).spec
    weights = {name: value.detach() for name, value in module.named_parameters()}
    found = mix(weights, spec, {g: torch.eye(n) for g, n in spec.sizes.items()})
    assert found.keys() == weights.keys()


@given(seed=SEEDS)
@settings(max_examples=10)
def test_the_curve_is_the_papers_and_its_ends_are_exact(seed):
    g = torch.Generator().manual_seed(seed)
    permutations = random_permutations(SPEC, g)
    deviation = {name: torch.randn(value.shape, generator=g) for name, value in A.items()}
    curve = permuted_curve(SPEC, A, B, permutations, deviation)
    end = permute(B, SPEC, permutations)
    assert all(torch.equal(curve.at(0.0)[n], A[n]) for n in A)
    assert all(torch.equal(curve.at(1.0)[n], end[n]) for n in A)
    t = float(torch.rand((), generator=g))
    for n, value in curve.at(t).items():
        bent = (A[n] + end[n]) / 2 + deviation[n]
        wanted = (1 - t) ** 2 * A[n] + t**2 * end[n] + 2 * t * (1 - t) * bent
        torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-5)


def test_without_deviation_the_curve_is_the_straight_line():
    curve, line = permuted_curve(SPEC, A, B, identity(SPEC), ZERO), segment(A, B)
    for n, value in curve.at(0.3).items():
        torch.testing.assert_close(value, line.at(0.3)[n])


def relaxation(module=MODULE, spec=SPEC, a=A, b=B, deviation=None, start=None, **options):
    deviation = ZERO if deviation is None else deviation
    start = identity(spec) if start is None else start
    return RelaxPermutation(module, spec, a, b, deviation, start, EXACT, **options)


def test_the_gradient_is_autograd_through_the_formula():
    deviation = {name: 0.3 * torch.randn_like(value) for name, value in A.items()}
    objective = relaxation(deviation=deviation)
    torch.manual_seed(0)
    for stack in objective.stacks.values():
        stack.data.copy_(project(torch.rand_like(stack))[0])
    images, labels = batch()
    step = objective.gradient(images, labels, generator(3))
    first, second = (objective.matrices()[g].detach().requires_grad_() for g in (FIRST, SECOND))
    t = float(torch.rand((), generator=generator(3), dtype=torch.float64))
    wanted = loss_on_curve(MODULE, A, deviation, mixed_mlp(B, first, second), t, images, labels)
    wanted.backward()
    torch.testing.assert_close(step.loss, wanted.detach())
    torch.testing.assert_close(objective.stacks[5].grad[0], first.grad, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(objective.stacks[4].grad[0], second.grad, rtol=1e-4, atol=1e-7)


def test_a_residual_stream_has_one_matrix_and_batch_norm_moves_along():
    module, shape = built("resnet32")
    spec = trace(module.eval(), torch.zeros(2, *shape)).spec
    assert len(spec.sizes) == 3 + 15
    a, b = params_of(module), params_of(built("resnet32")[0])
    zero = {name: torch.zeros_like(value) for name, value in module.named_parameters()}
    objective = relaxation(module, spec, a, b, zero)
    assert sum(len(stack) for stack in objective.learned) == 18
    images = torch.randn(4, *shape, generator=generator(0))
    objective.gradient(images, torch.tensor([0, 1, 2, 3]), generator(0))
    assert all(bool((g.grad.abs().amax((1, 2)) > 0).all()) for g in objective.learned)


def test_a_step_is_the_implicit_proximal_step_and_the_projection():
    objective = relaxation(proximal=2.0)
    start = {n: stack.detach().clone() for n, stack in objective.stacks.items()}
    torch.manual_seed(0)
    for stack in objective.stacks.values():
        stack.data.add_(0.05 * torch.randn_like(stack))
    moved = {n: stack.detach().clone() for n, stack in objective.stacks.items()}
    objective.after_step(0.5)
    for n, stack in objective.stacks.items():
        wanted, _ = project((moved[n] + 0.25 * start[n]) / 1.25)
        torch.testing.assert_close(stack.detach(), wanted)
        assert float(stack.detach().min()) >= 0
    assert float(objective.lowest) < 0


def test_the_matrices_start_at_the_permutations_given():
    start = random_permutations(SPEC, generator(1))
    matrices = relaxation(start=start).matrices()
    assert all(torch.equal(matrices[group], matrix(p)) for group, p in start.items())


def test_the_networks_given_are_not_changed():
    before = {name: value.clone() for name, value in B.items()}
    objective = relaxation()
    objective.gradient(*batch(), generator(0))
    objective.after_step(0.1)
    assert all(torch.equal(before[name], B[name]) for name in B)


def test_nested_groups_are_refused():
    spec = PermutationSpec(
        {"heads": 2, "dims": 4},
        {"heads": (), "dims": (AxisSpan("1.weight", 0),)},
        {"dims": "heads"},
    )
    with pytest.raises(ValueError, match=r"'dims' is inside 'heads'.*whole_blocks"):
        relaxation(spec=spec, start={"heads": torch.arange(2), "dims": torch.arange(4)})


@pytest.mark.parametrize("proximal", [0.0, -1.0, float("nan")])
def test_a_proximal_term_without_sense_is_refused(proximal):
    with pytest.raises(ValueError, match="proximal, the nu of PAM, must be positive, got"):
        relaxation(proximal=proximal)
