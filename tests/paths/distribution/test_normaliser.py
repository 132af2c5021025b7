"""A normaliser can be inverted, begins as a standardisation, and learns what is not normal."""

import math

import pytest
import torch

from modeconn_lib.core.files import DamagedFile, save_tensors
from modeconn_lib.core.params import params_of
from modeconn_lib.paths.distribution.global_connection import LearnLikelihood, UnitBatches
from modeconn_lib.paths.distribution.normaliser import Design, Normaliser
from modeconn_lib.training.fit import Recipe, fit

KINDS = ("realnvp", "iaf")


def bent(samples: int, seed: int = 0) -> torch.Tensor:
    """Return samples of a bent distribution: its second coordinate is about the first squared."""
    x = torch.randn(samples, 3, generator=torch.Generator().manual_seed(seed))
    return torch.stack([4 * x[:, 0] + 1, x[:, 0] ** 2 + 0.2 * x[:, 1], x[:, 2]], 1)


def shaken(kind: str) -> Normaliser:
    torch.manual_seed(1)
    found = Normaliser.of(bent(100), Design(kind, 3, 16))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_as_the_standardisation_of_every_coordinate(kind):
    x = bent(500)
    found = Normaliser.of(x, Design(kind, 3, 16))
    torch.testing.assert_close(found(x), (x - x.mean(0)) / x.std(0))
    normal = torch.distributions.Normal(x.mean(0), x.std(0))
    torch.testing.assert_close(found.log_likelihood(x), normal.log_prob(x).sum(1))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_inverted_and_its_likelihood_is_that_of_a_change_of_variables(kind):
    found, x = shaken(kind).double(), bent(40).double()
    torch.testing.assert_close(found.inverse(found(x)), x)
    assert found.inversion_error(x) < 1e-10
    for row in x[:5]:
        jacobian = torch.autograd.functional.jacobian(lambda v: found(v[None])[0], row)
        normal = -0.5 * (found(row[None]) ** 2).sum() - 1.5 * math.log(2 * math.pi)
        expected = normal + jacobian.det().abs().log()
        torch.testing.assert_close(found.log_likelihood(row[None])[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_map_is_the_same_when_it_is_loaded(kind, tmp_path):
    found, x, path = shaken(kind), bent(40), tmp_path / "map.safetensors"
    found.save(path)
    torch.manual_seed(99)  # orders of coordinates are drawn, and must come from the file
    loaded = Normaliser.load(path)
    assert loaded.design == found.design
    assert torch.equal(loaded(x), found(x))
    assert torch.equal(loaded.inverse(x), found.inverse(x))


def test_what_is_no_saved_map_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(FileNotFoundError):
        Normaliser.load(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(DamagedFile):
        Normaliser.load(path)
    save_tensors(path, {"mean": torch.zeros(3)})
    with pytest.raises(ValueError, match="holds no normaliser; give a file"):
        Normaliser.load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_learning_the_likelihood_finds_what_is_not_normal(kind):
    found, unseen = Normaliser.of(bent(1000), Design(kind, 3, 32)), bent(1000, seed=1)
    before = found.log_likelihood(unseen).mean().item()
    recipe = Recipe(30, 1e-2, weight_decay=0.0, optimiser="adam")
    fit(LearnLikelihood(found), UnitBatches(bent(1000), 128, seed=0), recipe, seed=0)
    assert found.log_likelihood(unseen).mean().item() > before + 0.5
    assert found.inversion_error(unseen) < 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_normaliser_is_the_same_map(kind):
    found = shaken(kind)
    again = Normaliser(3, found.design)
    again.load_state_dict(params_of(found))
    assert torch.equal(again(bent(10)), found(bent(10)))


def test_a_map_that_overflows_has_an_infinite_error():
    found = Normaliser.of(bent(50), Design("realnvp", 2, 8))
    found.scale[0] = math.nan
    assert found.inversion_error(bent(50)) == math.inf


@pytest.mark.parametrize("x", [torch.zeros(1, 4), torch.zeros(5, 1), torch.full((5, 4), math.nan)])
def test_units_that_say_nothing_are_refused(x):
    with pytest.raises(ValueError, match=r"needs 2 or more units of 2 or more coordinates"):
        Normaliser.of(x, Design())


def test_a_coordinate_that_never_varies_is_left_alone():
    x = torch.cat([bent(50), torch.full((50, 1), 7.0)], 1)
    found = Normaliser.of(x, Design("realnvp", 2, 8))
    assert torch.isfinite(found(x)).all()
    torch.testing.assert_close(found.inverse(found(x)), x)


@pytest.mark.parametrize("given", [{"transforms": 0}, {"hidden": 0}, {"blocks": 1}])
def test_a_design_that_cannot_be_built_is_refused(given):
    with pytest.raises(ValueError, match="at least 1 transform, 1 hidden unit and 2 blocks"):
        Design(**given)


def test_blocks_that_no_hidden_unit_would_see_are_refused():
    assert Design("realnvp", hidden=8).blocks == 16  # which has none
    with pytest.raises(ValueError, match="8 hidden units see 8 of 16 blocks; give at least 15"):
        Design("iaf", hidden=8)


def test_a_coordinate_sees_all_earlier_blocks_and_its_inverse_takes_a_pass_a_block():
    torch.manual_seed(0)
    found = Normaliser.of(torch.randn(50, 12), Design("iaf", 1, 12, blocks=4)).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    at = torch.randn(50, 12, dtype=torch.float64)  # at any one, some hidden units are silent
    jacobian = torch.func.vmap(torch.func.jacrev(lambda v: found(v[None])[0]))(at)
    block = found.flow.transform.transforms[0].order
    sees = (jacobian != 0).any(0) & ~torch.eye(12, dtype=torch.bool)
    assert torch.equal(sees, block[:, None] > block)
    assert block.bincount().tolist() == [3, 3, 3, 3]
    assert found.flow.transform.transforms[0].passes == 4


def test_batches_hold_every_unit_once_and_are_drawn_anew_each_epoch():
    units = torch.arange(10.0)[:, None].expand(10, 2)
    batches = UnitBatches(units, 4, seed=3)
    epochs = [torch.cat([batches(e, s)[0][:, 0] for s in range(batches.steps)]) for e in (0, 1)]
    for found in epochs:
        assert found.sort().values.tolist() == list(range(10))
    assert not torch.equal(*epochs)
    assert torch.equal(batches(1, 2)[0], UnitBatches(units, 4, seed=3)(1, 2)[0])
    assert (batches.steps, batches.examples) == (3, 10)
