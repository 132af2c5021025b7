r"""Networks that are a chain of linear layers with ReLUs between, as their matrices.

module, Params  ->  chain  ->  Layer, Layer, ...  ->  mix, preactivations, spectral_norms

What the theory of Tatro et al. 2020 is about: :math:`W_L \sigma W_{L-1} \dots \sigma W_1 x`
(equation 10), with biases. All numbers are float64. Where a chain comes from, and what it was
trained for, is not known here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from modeconn_lib.core.params import Params


@dataclass(frozen=True, slots=True)
class Layer:
    """One affine map; in a chain, all but the last are followed by a ReLU."""

    weight: Float[Tensor, "units inputs"]
    bias: Float[Tensor, " units"]


Chain = tuple[Layer, ...]


def layer_names(module: nn.Module) -> tuple[str, ...]:
    """Return the names of a chain's linear layers, first to last.

    Raises
    ------
    ValueError
        If the module is not a flatten, if any, and then linear layers with ReLUs between; the
        message names the first part that is out of place.
    """
    wanted: tuple[type[nn.Module], ...] = (nn.Flatten, nn.Linear)
    found: list[str] = []
    for name, part in _parts("", module):
        if not isinstance(part, wanted):
            raise ValueError(
                f"{name or 'the network'} is a {type(part).__name__}, where a chain of linear "
                f"layers and ReLUs has a {' or a '.join(one.__name__ for one in wanted)}"
            )
        if isinstance(part, nn.Linear):
            found.append(name)
        wanted = (nn.ReLU,) if isinstance(part, nn.Linear) else (nn.Linear,)
    if not found or wanted == (nn.Linear,):
        raise ValueError("the network ends without a linear layer, whose outputs a loss could read")
    return tuple(found)


def chain(module: nn.Module, params: Params) -> Chain:
    """Return the layers of a network (raises as `layer_names`)."""
    out = []
    for name in layer_names(module):
        weight = params[f"{name}.weight"].detach().double()
        bias = params.get(f"{name}.bias")
        zero = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
        out.append(Layer(weight, zero if bias is None else bias.detach().double()))
    return tuple(out)


def mix(a: Chain, b: Chain, t: float) -> Chain:
    r"""Return :math:`(1 - t)\,\theta_A + t\,\theta_B`, equations 12 and 13."""
    return tuple(
        Layer(torch.lerp(x.weight, y.weight, t), torch.lerp(x.bias, y.bias, t))
        for x, y in zip(a, b, strict=True)
    )


def preactivations(
    network: Chain, x: Float[Tensor, "samples inputs"]
) -> list[Float[Tensor, "samples _"]]:
    r"""Return :math:`f_1, \dots, f_L` of equation 14; the last are the outputs."""
    found: list[Tensor] = []
    for layer in network:
        inputs = found[-1].relu() if found else x
        found.append(torch.addmm(layer.bias, inputs, layer.weight.T))
    return found


def spectral_norms(network: Chain) -> Float[ndarray, " layers"]:
    r"""Return :math:`\lVert W_i \rVert_2` of every layer.

    Biases do not count: they cancel in every difference that the theory bounds.
    """
    return _norms(layer.weight for layer in network)


def homogeneous_norms(network: Chain) -> Float[ndarray, " layers"]:
    """Return the spectral norms with the biases counted as weights of a constant input."""
    return _norms(homogeneous(layer) for layer in network)


def homogeneous(layer: Layer) -> Float[Tensor, "rows columns"]:
    """Return weights and biases as one matrix, of inputs that end with a 1 (equation 37)."""
    top = torch.cat([layer.weight, layer.bias[:, None]], 1)
    bottom = torch.zeros_like(top[:1])
    bottom[0, -1] = 1
    return torch.cat([top, bottom])


def _norms(matrices: Iterable[Tensor]) -> Float[ndarray, " layers"]:
    return np.array([float(torch.linalg.matrix_norm(matrix, 2)) for matrix in matrices])


def _parts(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return what a module is made of, in order; only a `Sequential` says what the order is."""
    if not isinstance(module, nn.Sequential):
        return [(name, module)]
    prefix = f"{name}." if name else ""
    return [part for n, child in module.named_children() for part in _parts(prefix + n, child)]
