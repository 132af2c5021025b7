"""What inputs a network takes, found by giving it some.

module, shapes  ->  forward pass of each  ->  the first shape that it takes, or why it takes none
"""

import inspect
import re

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from modeconn_lib.commands.user_module import named
from modeconn_lib.core.errors import Refusal

Shape = tuple[int, ...]

# What torch raises where inputs do not fit; all else is a mistake in the network.
MISFITS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
_INDICES = re.compile(r"indices|index tensor|for index", re.IGNORECASE)


@torch.no_grad()
def accepted(module: nn.Module, arch: str, shapes: tuple[Shape, ...], data: str = "") -> Shape:
    """Return the first shape of which the network takes two inputs.

    Parameters
    ----------
    data
        What the user named with ``--data`` if the shape is that of its images.

    Raises
    ------
    Refusal
        If it takes none of them, with the first reason.
    """
    _check_forward(module, arch)
    reason = broken = ""
    for shape in shapes:
        try:
            module(torch.zeros(2, *shape))
        except MISFITS as error:
            reason = reason or named(error)
        except Exception as error:  # the user's code: it may raise anything
            sizes = "x".join(map(str, shape))
            broken = broken or f"{arch} fails on inputs of shape {sizes}: {named(error)}"
        else:
            return shape
    if broken:
        raise Refusal(broken)
    tried = ", ".join("x".join(map(str, shape)) for shape in shapes)
    whose = f" (the shape of --data {data})" if data else ""
    raise Refusal(
        f"{arch} does not take inputs of shape {tried}{whose} ({reason}); {_advice(reason, data)}"
    )


@torch.no_grad()
def is_random(module: nn.Module, example: torch.Tensor) -> bool:
    """Return whether two passes of the same inputs differ by more than rounding."""
    passes = zip(*(tree_leaves(module(example)) for _ in range(2)), strict=True)
    pairs = [(y, z) for y, z in passes if isinstance(y, torch.Tensor) and y.is_floating_point()]
    return any(float((y - z).abs().max()) > 1e-3 * float(y.abs().max()) for y, z in pairs)


def _advice(reason: str, data: str) -> str:
    if _INDICES.search(reason):
        return (
            "inputs are float tensors here, and it seems to want indices; wrap it in a module "
            "that makes them of a float tensor"
        )
    return "name other data with --data" if data else "give one with --shape C,H,W"


def _check_forward(module: nn.Module, arch: str) -> None:
    """Refuse a network that is not called with one input."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # compiled, it tells nothing of itself
        return
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind not in free]
    if len(needed) > 1 or not parameters:
        names = f" ({', '.join(p.name for p in needed)})" if needed else ""
        raise Refusal(
            f"the forward of {arch} needs {len(needed)} inputs{names}; wrap it in a module that "
            "takes one"
        )
