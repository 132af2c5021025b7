"""What the published code of the neuron alignment paper does otherwise than the paper says."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from modeconn_lib.alignment import activations as matching
from modeconn_lib.alignment.activations import (
    STEM_ALONE,
    align_activations,
    correlation,
    cosine,
    gather_moments,
)
from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.alignment.moments import CrossMoments
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import invert, permute, random_permutations
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.batchnorm import reestimate

SHAPE = (1, 16, 16)
SEED = st.integers(0, 2**31)


def images(count=32):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5)).split(16)


@cache
def traced(name):
    return trace(architecture(name).build(SHAPE, 10), torch.zeros(2, *SHAPE))


@cache
def network(name, seed):
    """Parameters of a network with the images' statistics and no dead unit."""
    torch.manual_seed(seed)
    module = architecture(name).build(SHAPE, 10)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d | nn.Linear):
            nn.init.uniform_(m.bias, 0.3, 1.0)
    return reestimate(module, params_of(module), images(), Machine.reference())


def samples(seed, count, units, offset=0.0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, units, generator=g)
    return x + offset, 0.5 * x.flip(1) + torch.randn(count, units, generator=g) + offset


@given(seed=SEED, units=st.integers(1, 8), batch=st.integers(1, 60), offset=st.floats(-5, 5))
def test_the_cosine_is_that_of_vectors_of_samples(seed, units, batch, offset):
    x, y = samples(seed, 60, units, offset)
    moments = CrossMoments.of(x[:batch], y[:batch])
    if batch < 60:
        moments = moments.add(x[batch:], y[batch:])
    a, b = (z.double() / z.double().norm(dim=0) for z in (x, y))
    torch.testing.assert_close(moments.cosine(), a.T @ b, rtol=0, atol=1e-5)


def test_the_cosine_does_not_feel_the_scale_of_a_unit_but_its_mean():
    x, y = samples(0, 200, 4, offset=1.0)
    found = CrossMoments.of(x, y).cosine()
    torch.testing.assert_close(CrossMoments.of(100 * x, y / 7).cosine(), found)
    assert float((CrossMoments.of(x + 3, y).cosine() - found).abs().max()) > 0.1


def test_a_unit_that_is_always_zero_is_at_no_angle_to_any():
    x, y = samples(0, 50, 3)
    x[:, 1] = 0
    found = CrossMoments.of(x, y).cosine()
    assert torch.equal(found[1], torch.zeros(3, dtype=torch.float64))
    assert found[[0, 2]].abs().min() > 0


def test_a_cosine_of_nothing_is_refused():
    x, y = samples(0, 1, 2)
    zeros, product = torch.zeros(2).double(), torch.zeros(2, 2).double()
    nothing = CrossMoments(0, x[0], y[0], zeros, zeros, zeros, zeros, product)
    with pytest.raises(ValueError, match="a second moment needs at least 1 sample, got 0"):
        nothing.cosine()


def test_the_cosine_is_what_the_published_code_computes_for_googlenet():
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(20, 5, 16, 16, generator=g).relu().double() for _ in range(2))
    # second moments summed over the positions of a map, means averaged over them
    mean_x, mean_y = x.mean((0, 2, 3)), y.mean((0, 2, 3))
    covariance = torch.einsum("nihw,njhw->ij", x, y) / 20 - torch.outer(mean_x, mean_y)
    square_x, square_y = (z.square().sum((2, 3)).mean(0) for z in (x, y))
    published = covariance / torch.outer(
        (square_x - mean_x.square()).sqrt(), (square_y - mean_y.square()).sqrt()
    )
    moments = CrossMoments.of(*(z.movedim(1, -1).flatten(0, -2).float() for z in (x, y)))
    # what is left of the means is a share of 1 / 256 positions
    torch.testing.assert_close(cosine(moments), published, rtol=0, atol=1 / 256)
    assert float((correlation(moments) - published).abs().min()) > 0.2


@pytest.mark.parametrize("similarity", [correlation, cosine])
def test_a_planted_permutation_of_googlenet_is_undone_heads_and_all(similarity):
    found, a = traced("googlenet_w8"), network("googlenet_w8", 1)
    planted = random_permutations(found.spec, torch.Generator().manual_seed(3))
    b, x = permute(a, found.spec, planted), images()
    alignment = align_activations(found, a, b, x, x[0][:2], similarity=similarity)
    assert len(alignment.groups) == 61
    assert alignment.equivalence_error < 1e-12
    inverse = invert(planted)
    for group, p in alignment.permutations.items():
        assert torch.equal(p, inverse[group]), group


def test_a_stream_of_resnet32_is_seen_at_the_stem_and_all_blocks_and_matched_by_their_sum():
    found = traced("resnet32")
    seen = {group: len(sites) for group, sites in found.sites.items()}
    assert len(seen) == 18
    assert (seen.pop("conv1"), seen.pop("layer2.0.conv2"), seen.pop("layer3.0.conv2")) == (6, 5, 5)
    assert set(seen.values()) == {1}
    a, b, x = network("resnet32", 1), network("resnet32", 2), images()
    alignment = align_activations(found, a, b, x, x[0][:2])
    moments = gather_moments(found, a, b, x)
    for group, p in alignment.permutations.items():
        total = sum(site.correlation() for site in moments[group])
        assert torch.equal(p, best_permutation(total)), group


def test_the_published_code_matches_the_first_stream_of_a_resnet_by_its_stem():
    found, x = traced("resnet32"), images()
    a, b = network("resnet32", 1), network("resnet32", 2)
    paper = align_activations(found, a, b, x, x[0][:2])
    published = align_activations(found, a, b, x, x[0][:2], sites=STEM_ALONE)
    moments = gather_moments(found, a, b, x)
    stem = best_permutation(moments["conv1"][0].correlation())
    assert torch.equal(published.permutations["conv1"], stem)
    assert not torch.equal(paper.permutations["conv1"], stem)
    for group, p in paper.permutations.items():
        assert group == "conv1" or torch.equal(published.permutations[group], p)
    # Both are judged by all sites, where the paper's is the best there is.
    first, other = paper.groups[0], published.groups[0]
    assert first.correlation_before == other.correlation_before
    assert first.correlation_after > other.correlation_after


@pytest.mark.parametrize("sites", [{"conv1": (6,)}, {"conv1": ()}, {"conv1": (-1,)}])
def test_a_site_that_is_not_there_is_refused(sites):
    a, x = network("resnet32", 1), images()
    with pytest.raises(
        ValueError, match="group 'conv1' is seen at 6 sites, numbered from 0; to be"
    ):
        align_activations(traced("resnet32"), a, a, x, x[0], sites=sites)


def test_a_group_that_is_not_there_is_refused():
    a, x = network("resnet32", 1), images()
    with pytest.raises(ValueError, match="group 'stem' is seen at 0 sites"):
        align_activations(traced("resnet32"), a, a, x, x[0], sites={"stem": (0,)})


def test_in_how_many_pieces_images_are_run_does_not_matter(monkeypatch):
    found = traced("resnet32")
    a, b, x = network("resnet32", 1), network("resnet32", 2), torch.cat(images())
    whole = gather_moments(found, a, b, [x])
    monkeypatch.setattr(matching, "SAMPLES", 5 * 256)
    found_pieces = list(matching.pieces(found, [x[:16], x[16:]]))
    assert [len(piece) for piece in found_pieces] == [5, 5, 5, 1] * 2
    assert torch.equal(torch.cat(found_pieces), x)
    for group, sites in gather_moments(found, a, b, [x]).items():
        for site, wanted in zip(sites, whole[group], strict=True):
            assert site.count == wanted.count
            np.testing.assert_allclose(site.correlation(), wanted.correlation(), atol=1e-5)


def test_images_of_a_network_for_one_number_of_them_stay_together(monkeypatch):
    class Fixed(nn.Module):
        """A network that asks for the length of its batch."""

        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(256, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.fc2(self.fc1(x.reshape(len(x), 256)).relu())

    found = trace(Fixed(), images()[0])
    assert found.graph.batch == 16
    monkeypatch.setattr(matching, "SAMPLES", 2)
    assert [len(piece) for piece in matching.pieces(found, images())] == [16, 16]
