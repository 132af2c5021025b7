"""Whether files of weights are those of a network, and of the same one.

Checkpoint, module  ->  names, shapes, dtypes, finite numbers  ->  nothing, or a refusal

Everything is checked before any work.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from modeconn_lib.commands.checkpoints import (
    Checkpoint,
    Place,
    not_finite,
    place_of,
    stand_in_of,
)
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.params import same_network

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_fits(file: Checkpoint, module: nn.Module, arch: str) -> None:
    """Refuse a file whose tensors are not those of the module, or are not finite numbers.

    Raises
    ------
    Refusal
        Naming the first tensor that differs, and how many do.
    """
    state, tensors = module.state_dict(), file.tensors
    _check_names(file, state, arch)
    here = [name for name in state if name in tensors]  # in the network's order
    shapes = [name for name in here if tensors[name].shape != state[name].shape]
    if shapes:
        first = shapes[0]
        raise Refusal(
            f"{file.path} is not a file of {arch}: {first!r} has shape "
            f"{tuple(tensors[first].shape)}, expected {tuple(state[first].shape)} "
            f"({len(shapes)} differ)"
        )
    buffers = {name for name, _ in module.named_buffers(remove_duplicate=False)}
    for name in here:
        own = state[name] if name in buffers else None
        _check_values(file.path, name, tensors[name], state[name].dtype, own)
    _check_tied(file, state, arch)


def _check_names(file: Checkpoint, state: Mapping[str, Tensor], arch: str) -> None:
    """Refuse a file that lacks an entry of the network, or has another."""
    tensors = file.tensors
    kept = {place_of(state[name]): value for name, value in tensors.items() if name in state}
    odd = [name for name in tensors if name not in state]
    lacks = [n for n, v in state.items() if n not in tensors and stand_in_of(n, v, kept) is None]
    if odd or lacks:
        first, who = (lacks[0], "lacks") if lacks else (odd[0], "has")
        rest = f" ({len(lacks)} are missing and {len(odd)} are not known to it)"
        hint = _prefix_hint(odd, state) or ("" if lacks else "; write it again without")
        raise Refusal(f"{file.path} is not a file of {arch}: it {who} {first!r}{rest}{hint}")


def _check_tied(file: Checkpoint, state: Mapping[str, Tensor], arch: str) -> None:
    """Refuse a file that gives two values to a tensor that the network has once."""
    first: dict[Place, str] = {}
    for name, value in state.items():
        if not value.numel() or name not in file.tensors:
            continue
        other = first.setdefault(place_of(value), name)
        if other == name:
            continue
        a, b = file.tensors[other], file.tensors[name]
        if not torch.equal(a.double(), b.double()):
            raise Refusal(
                f"{file.path} is not a file of {arch}: {other!r} and {name!r} are one tensor of "
                "the network, and two that differ in the file"
            )


def check_alike(files: Sequence[Checkpoint]) -> None:
    """Refuse files of one network whose tensors are not of the same dtypes.

    A name that only one of them has, as each alone may lack it, is no difference.

    Raises
    ------
    Refusal
        Naming two files and the first tensor that differs.
    """
    first, *others = files
    for other in others:
        shared = [name for name in first.tensors if name in other.tensors]
        a, b = ({n: file.tensors[n] for n in shared} for file in (first, other))
        try:
            same_network(a, b)
        except ValueError as error:
            raise Refusal(
                f"{first.path} and {other.path} cannot be matched: {error}; write one of them "
                "again in the dtypes of the other"
            ) from None


def _check_values(
    path: Path, name: str, value: Tensor, expected: torch.dtype, own: Tensor | None
) -> None:
    """Refuse a wrong kind of numbers, and NaN or infinity unless a buffer has them by itself."""
    right = value.dtype in FLOATS if expected in FLOATS else value.dtype == expected
    if not right:
        raise Refusal(
            f"{path}: {name!r} is {value.dtype}, expected {expected}"
            + (" or another of float16, bfloat16, float64" if expected in FLOATS else "")
        )
    count = not_finite(value)
    if count and (own is None or not torch.equal(value, own.to(value.dtype))):
        raise Refusal(f"{path}: {count} of {value.numel()} entries of {name!r} are NaN or infinite")


def _prefix_hint(odd: Sequence[str], state: Mapping[str, Tensor]) -> str:
    """Say so if the names are right but for what a wrapper has put before them."""
    prefix = odd[0].partition(".")[0] + "." if odd else ""
    if prefix and all(name.startswith(prefix) and name[len(prefix) :] in state for name in odd):
        return f"; its names begin with {prefix!r}: write it again without"
    return ""
