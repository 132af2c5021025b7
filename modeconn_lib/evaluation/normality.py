"""How far samples are from being independent and normally distributed.

samples  ->  normality  ->  Normality;  of as many normal samples  ->  what chance alone makes
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Normality:
    """Two things that are 0 for very many independent normal samples.

    Attributes
    ----------
    kurtosis
        Mean over coordinates of the absolute excess kurtosis: heavy tails, or light ones.
    correlation
        Root of the mean squared correlation of two coordinates, 0 to 1.
    """

    kurtosis: float
    correlation: float


def normality(samples: Float[Tensor, "samples coordinates"]) -> Normality:
    """Return how far the samples are from normal; coordinates that never vary are left out.

    Raises
    ------
    ValueError
        If fewer than two samples, or fewer than two coordinates that vary, are given.
    """
    x = samples.double()
    x = x[:, x.std(0) > 0] if len(x) > 1 else x[:, :0]
    if x.shape[1] < 2:
        raise ValueError(
            "normality needs 2 or more samples of 2 or more coordinates that vary, got shape "
            f"{tuple(samples.shape)}, of which {x.shape[1]} vary"
        )
    z = (x - x.mean(0)) / x.std(0, correction=0)
    n, d = z.shape
    kurtosis = float(((z**4).mean(0) - 3).abs().mean())
    # All squared correlations, those of a coordinate with itself taken away: by the smaller Gram.
    gram = z.T @ z if d <= n else z @ z.T
    squares = float((gram / n).square().sum()) - d
    return Normality(kurtosis, max(0.0, squares / (d * (d - 1))) ** 0.5)


def of_chance(samples: int, coordinates: int, seed: int = 0) -> Normality:
    """Return what `normality` says of as many samples that are normal."""
    random = torch.Generator().manual_seed(seed)
    return normality(torch.randn(samples, coordinates, generator=random))
