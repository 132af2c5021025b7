"""What is normal scores as chance does; what is not, higher."""

import numpy as np
import pytest
import scipy.stats
import torch

from modeconn_lib.evaluation.normality import normality, of_chance


@pytest.mark.parametrize(("n", "d"), [(300, 20), (20, 300)])
def test_it_is_what_scipy_and_numpy_say(n, d):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0)).exp()
    found = normality(x)
    kurtosis = np.abs(scipy.stats.kurtosis(x.double().numpy())).mean()
    correlations = np.corrcoef(x.double().numpy().T)[~np.eye(d, dtype=bool)]
    assert found.kurtosis == pytest.approx(kurtosis)
    assert found.correlation == pytest.approx(np.sqrt((correlations**2).mean()))


def test_normal_samples_score_what_chance_makes_and_others_more():
    normal, chance = torch.randn(2000, 10), of_chance(2000, 10)
    assert normality(normal).kurtosis < 0.3
    assert chance.correlation < 0.05
    heavy = torch.distributions.StudentT(5.0).sample((2000, 10))
    assert normality(heavy).kurtosis > 2 * chance.kurtosis
    mixed = normal @ torch.randn(10, 10)
    assert normality(mixed).correlation > 4 * chance.correlation


def test_a_coordinate_that_never_varies_counts_for_nothing_and_too_few_are_refused():
    x = torch.randn(50, 4)
    assert normality(torch.cat([x, torch.ones(50, 1)], 1)) == normality(x)
    for bad in (torch.randn(1, 4), torch.ones(9, 4), torch.randn(9, 1)):
        with pytest.raises(ValueError, match="needs 2 or more samples of 2 or more coordinates"):
            normality(bad)
