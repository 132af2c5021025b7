r"""Weight adjustment: let a layer make of new inputs what it made of the old ones.

module, network, reference, layer, images  ->  Adjustment  ->  at(network)  ->  Adjusted

Anokhin & Yarotsky 2020, section 3.5: solve :math:`W X \approx W^A X^A` for the weights of a layer
whose inputs have changed from :math:`X^A` to :math:`X`. Biases stay those of A.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from modeconn_lib.core.params import Params
from modeconn_lib.paths.distribution.inputs import inputs
from modeconn_lib.paths.distribution.least_squares import LeastSquares


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A network with one layer adjusted.

    Attributes
    ----------
    residual
        How much of the layer's outputs on the images could not be kept: the root of the summed
        squared differences over that of the squares, 0 to 1.
    rank
        How many directions of the layer's inputs were used.
    """

    params: Params
    residual: float
    rank: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one layer is to put out on a set of images, without its bias.

    Attributes
    ----------
    images
        Batches as the network takes them.
    targets
        What the layer is to put out on each batch, one row a value as in `inputs.inputs`.
    positions, by_batch
        As in `inputs.inputs`.
    """

    module: nn.Module
    layer: str
    bias: Tensor | None
    images: Sequence[Tensor]
    targets: Sequence[Float[Tensor, "_ _"]]
    positions: int
    by_batch: bool

    def at(self, params: Params, ridge: float = 0.0) -> Adjusted:
        """Return the network with the layer's weights solved for, and its bias the reference's.

        Parameters
        ----------
        ridge
            As of `least_squares.LeastSquares.solve`.
        """
        name = f"{self.layer}.weight"
        old = params[name]
        fit = LeastSquares(old[0].numel(), len(old), old.device)
        for batch, targets in zip(self.images, self.targets, strict=True):
            x = inputs(
                self.module, params, self.layer, batch, self.positions, by_batch=self.by_batch
            )
            fit.add(x, targets.to(x.device))
        found = fit.solve(ridge)
        out = params | {name: found.weight.to(old.dtype).reshape(old.shape)}
        if self.bias is not None:
            out[f"{self.layer}.bias"] = self.bias.clone()
        return Adjusted(out, found.residual, found.rank)


@torch.no_grad()
def adjustment(
    module: nn.Module,
    reference: Params,
    layer: str,
    images: Iterable[Tensor],
    positions: int = 0,
    *,
    by_batch: bool = False,
) -> Adjustment:
    """Return the adjustment that keeps what the layer puts out in the reference network.

    Parameters as of `inputs.inputs`.

    Raises
    ------
    ValueError
        If there are no images, or as `inputs.inputs`.
    """
    batches = list(images)
    if not batches:
        raise ValueError("weight adjustment needs at least one batch of images, got none")
    weight = reference[f"{layer}.weight"].flatten(1)
    targets = [
        inputs(module, reference, layer, x, positions, by_batch=by_batch) @ weight.T
        for x in batches
    ]
    bias = reference.get(f"{layer}.bias")
    return Adjustment(module, layer, bias, batches, targets, positions, by_batch)
