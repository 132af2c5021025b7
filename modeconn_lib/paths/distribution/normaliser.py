r"""A learned map :math:`\nu` that makes the units of trained networks normally distributed.

units of some networks  ->  Normaliser.of    ->  nu(x), nu.inverse(z), nu.log_likelihood(x)
nu.save(path), path     ->  Normaliser.load  ->  the same map, for any pair of such networks

Anokhin & Yarotsky 2020, section 3.3. It is invertible by construction (a normalising flow of the
library zuko) and starts as the standardisation of every coordinate, with which equation 7 is the
arc of equation 6 about the mean of the networks it was made from.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import zuko
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from modeconn_lib.core.files import atomic_write, canonical_json, load_tensors, pack_tensors

Kind = Literal["realnvp", "iaf"]
_DESIGN = "normaliser"  # what a file's metadata calls its design
_FLOWS = {"realnvp": zuko.flows.RealNVP, "iaf": zuko.flows.MAF}


@dataclass(frozen=True, slots=True)
class Design:
    """How a normaliser is built.

    Attributes
    ----------
    kind
        ``realnvp``: half of the coordinates scale and shift the other half (Dinh et al. 2016);
        both directions cost the same. ``iaf``: every coordinate is scaled and shifted by those
        before it, as the networks of Kingma et al. 2016 do, here from units to normal variables:
        that direction is one pass, as a likelihood needs it, the inverse one pass a block. (Used
        so, it is also called a masked autoregressive flow: Papamakarios et al. 2017.)
    transforms
        Layers of the flow; each changes the halves', or the coordinates', roles.
    hidden
        Units of the two hidden layers that compute scales and shifts.
    blocks
        Of ``iaf`` alone: coordinates, in an order drawn at random for each transform, come in so
        many blocks, and within a block do not see one another. As many blocks as coordinates is
        the full autoregression, at a pass a coordinate; for its hidden units to look at all of
        them, `hidden` must be as large.
    """

    kind: Kind = "realnvp"
    transforms: int = 4
    hidden: int = 256
    blocks: int = 16

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if self.kind not in _FLOWS or self.transforms < 1 or self.hidden < 1 or self.blocks < 2:
            raise ValueError(
                "a normaliser is of kind 'realnvp' or 'iaf', with at least 1 transform, 1 hidden "
                f"unit and 2 blocks; got {asdict(self)}"
            )
        if self.kind == "iaf" and self.hidden < self.blocks - 1:
            raise ValueError(
                f"{self.hidden} hidden units see {self.hidden} of {self.blocks} blocks; give at "
                f"least {self.blocks - 1} hidden units, or fewer blocks"
            )


class Normaliser(nn.Module):
    r"""The map :math:`\nu` of equation 7, and its inverse."""

    mean: Tensor
    scale: Tensor

    def __init__(self, coordinates: int, design: Design) -> None:
        super().__init__()
        self.design = design
        self.register_buffer("mean", torch.zeros(coordinates))
        self.register_buffer("scale", torch.ones(coordinates))
        own = {"passes": design.blocks, "randperm": True} if design.kind == "iaf" else {}
        self.flow: Any = _FLOWS[design.kind](
            coordinates, transforms=design.transforms, hidden_features=(design.hidden,) * 2, **own
        )
        for transform in self.flow.transform.transforms:
            last = [layer for layer in transform.hyper if list(layer.parameters())][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @staticmethod
    def of(units: Float[Tensor, "samples coordinates"], design: Design) -> "Normaliser":
        """Return the normaliser that standardises the coordinates of these units, untrained.

        Raises
        ------
        ValueError
            If there are fewer than two units or coordinates, or some value is not finite.
        """
        if min(units.shape) < 2 or not torch.isfinite(units).all():
            raise ValueError(
                "a normaliser needs 2 or more units of 2 or more coordinates, all finite; got "
                f"shape {tuple(units.shape)}"
            )
        found = Normaliser(units.shape[1], design)
        found.mean.copy_(units.double().mean(0))
        spread = units.double().std(0)
        found.scale.copy_(torch.where(spread > 0, spread, 1.0))  # what never varies stays
        return found.to(units.device)

    @staticmethod
    def of_state(state: Mapping[str, Tensor], design: Design) -> "Normaliser":
        """Return the map that has this `state_dict`."""
        found = Normaliser(len(state["mean"]), design)
        found.load_state_dict(dict(state))
        return found

    def save(self, path: Path) -> None:
        """Write the map and its design to a safetensors file."""
        design = canonical_json(asdict(self.design)).decode()
        atomic_write(path, pack_tensors(self.state_dict(), {_DESIGN: design}))

    @staticmethod
    def load(path: Path) -> "Normaliser":
        """Return the map of a file that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        DamagedFile
            If it is not whole.
        ValueError
            If it holds no map.
        """
        state = load_tensors(path)
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
        if _DESIGN not in about:
            raise ValueError(f"{path} holds no normaliser; give a file that Normaliser.save wrote")
        return Normaliser.of_state(state, Design(**json.loads(about[_DESIGN])))

    def standardised(self, x: Float[Tensor, "samples _"]) -> Float[Tensor, "samples _"]:
        """Return x in deviations from the mean: what the map is before it is learned."""
        return (x - self.mean) / self.scale

    def forward(self, x: Float[Tensor, "samples _"]) -> Float[Tensor, "samples _"]:
        r"""Return :math:`\nu(x)`."""
        z: Tensor = self.flow().transform(self.standardised(x))
        return z

    def inverse(self, z: Float[Tensor, "samples _"]) -> Float[Tensor, "samples _"]:
        r"""Return :math:`\nu^{-1}(z)`."""
        y: Tensor = self.flow().transform.inv(z)
        return y * self.scale + self.mean

    def log_likelihood(self, x: Float[Tensor, "samples _"]) -> Float[Tensor, " samples"]:
        r"""Return :math:`\log(\eta(\nu(x)) \lvert\det \partial\nu / \partial x\rvert)`, in nats."""
        y = self.standardised(x)
        found: Tensor = self.flow().log_prob(y) - self.scale.log().sum()
        return found

    @torch.no_grad()
    def inversion_error(self, x: Float[Tensor, "samples _"]) -> float:
        r"""Return the largest :math:`\lvert \nu^{-1}(\nu(x)) - x \rvert`, in standard deviations.

        Infinite where a value on the way is not finite.
        """
        error = float(((self.inverse(self(x)) - x) / self.scale).abs().max())
        return error if math.isfinite(error) else math.inf
