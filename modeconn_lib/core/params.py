"""A network as plain data: a dictionary from `state_dict` names to tensors.

module  ->  Params  ->  lerp, dot  |  Layout: Params <-> one flat buffer  ->  safetensors file

`Params` holds parameters and buffers alike. Arithmetic works on the floating-point entries;
integer entries (batch norm's batch counter) are taken from the first argument. Nothing here
knows what the tensors mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Params = dict[str, Tensor]


def params_of(module: nn.Module) -> Params:
    """Return a detached copy of every parameter and buffer of `module`."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def untied(module: nn.Module, params: Params) -> Params:
    """Return `params` with each tied tensor under its first name only.

    As `torch.func.functional_call` wants them: it ties the other names itself.
    """
    kinds = (module.named_parameters, module.named_buffers)
    first, every = (
        {name for named in kinds for name, _ in named(remove_duplicate=once)}
        for once in (True, False)
    )
    return {name: value for name, value in params.items() if name not in every - first}


def same_network(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless `a` and `b` have the same names, shapes and dtypes.

    Raises
    ------
    ValueError
        Naming the first entry that differs, and how.
    """
    if a.keys() != b.keys():
        only = sorted(a.keys() ^ b.keys())
        raise ValueError(
            f"the networks differ: {only[0]!r} is in one of them only ({len(only)} such)"
        )
    for name, value in a.items():
        if value.shape != b[name].shape or value.dtype != b[name].dtype:
            raise ValueError(
                f"the networks differ in {name!r}: {tuple(value.shape)} {value.dtype} "
                f"against {tuple(b[name].shape)} {b[name].dtype}"
            )


def combine(weights: Iterable[float], networks: Iterable[Params]) -> Params:
    r"""Return :math:`\sum_i w_i \theta_i`; integer entries are those of the first network.

    The sum is taken in the order given, in each tensor's own dtype.
    """
    pairs = list(zip(weights, networks, strict=True))
    (first_weight, first), rest = pairs[0], pairs[1:]
    out: Params = {}
    for name, value in first.items():
        if not value.is_floating_point():
            out[name] = value.clone()
            continue
        total = value * first_weight
        for weight, network in rest:
            total.add_(network[name], alpha=weight)
        out[name] = total
    return out


def lerp(a: Params, b: Params, t: float) -> Params:
    r"""Return :math:`(1 - t)\,\theta_A + t\,\theta_B`."""
    return combine((1 - t, t), (a, b))


def dot(a: Params, b: Params) -> float:
    r"""Return :math:`\langle \theta_A, \theta_B \rangle` of the floating entries, in float64."""
    return sum(
        float((value.double() * b[name].double()).sum())
        for name, value in a.items()
        if value.is_floating_point()
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each tensor lies in one flat buffer.

    Attributes
    ----------
    shapes
        Name and shape of each tensor, in the buffer's order.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @staticmethod
    def of(params: Mapping[str, Tensor]) -> "Layout":
        """Layout of the given tensors, in their order."""
        return Layout(tuple((name, tuple(value.shape)) for name, value in params.items()))

    @property
    def size(self) -> int:
        """Number of entries of the buffer."""
        return sum(torch.Size(shape).numel() for _, shape in self.shapes)

    def ravel(self, params: Mapping[str, Tensor]) -> Float[Tensor, " params"]:
        """Copy the layout's tensors of `params` into a new flat buffer."""
        return torch.cat([params[name].reshape(-1) for name, _ in self.shapes])

    def views(self, flat: Float[Tensor, " params"]) -> Params:
        """Return the tensors as views of `flat`: writing to the buffer changes them."""
        sizes = [torch.Size(shape).numel() for _, shape in self.shapes]
        pieces = flat.split(sizes)
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self.shapes, pieces, strict=True)
        }
