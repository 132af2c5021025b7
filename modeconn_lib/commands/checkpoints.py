"""Files of weights that a user hands in: read, refused, written.

path  ->  read  ->  Checkpoint  ->  fits the module  ->  Params in float32  ->  save in its dtypes

Only safetensors are read: a pickle file can run code. Everything is checked before any work.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile, atomic_write, load_tensors, pack_tensors
from modeconn_lib.core.params import Params, same_network

Place = tuple[int, tuple[int, ...]]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl"}
_HEADER = 8  # bytes before the "{" of a safetensors file
_COUNTER = "num_batches_tracked"  # of batch norm; nothing that is computed here depends on it


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The content of a file of weights.

    Attributes
    ----------
    tensors
        As they are in the file, in its dtypes.
    metadata
        The file's own, kept when it is written again.
    """

    path: Path
    tensors: Params
    metadata: Mapping[str, str]

    def params(self, module: nn.Module) -> Params:
        """Return every entry of the module's ``state_dict`` from the file, halves as float32.

        Batch norm's batch counter is taken from the module where the file lacks it, and a tensor
        that the module uses under two names may be in the file under one.
        """
        found = {name: _wide(value) for name, value in self.tensors.items()}
        state = module.state_dict()
        kept = {_place(state[name]): value for name, value in found.items() if name in state}
        for name, value in state.items():
            stand_in = _lacking(name, value, kept)
            if name not in found and stand_in is not None:
                found[name] = stand_in
        return {name: found[name] for name in state}

    def as_in_file(self, params: Params) -> Params:
        """Return the entries that the file has, in the file's dtypes."""
        return {name: params[name].to(value.dtype) for name, value in self.tensors.items()}


def read(path: Path) -> Checkpoint:
    """Return the content of a safetensors file.

    Raises
    ------
    Refusal
        If there is no such file, it is a pickle file, or it is not whole.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER + 1)
    except OSError as error:
        raise Refusal(f"cannot read {path} ({error.strerror})") from None
    if start[_HEADER:] != b"{":
        raise Refusal(_not_safetensors(path, start))
    try:
        tensors = load_tensors(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (DamagedFile, OSError, KeyError) as error:
        raise Refusal(_one_line(f"{path} cannot be read: {error}")) from None
    return Checkpoint(path, tensors, metadata)


def check_fits(file: Checkpoint, module: nn.Module, arch: str) -> None:
    """Refuse a file whose tensors are not those of the module, or are not finite numbers.

    Raises
    ------
    Refusal
        Naming the first tensor that differs, and how many do.
    """
    state, tensors = module.state_dict(), file.tensors
    kept = {_place(state[name]): value for name, value in tensors.items() if name in state}
    odd = [name for name in tensors if name not in state]
    lacks = [n for n, v in state.items() if n not in tensors and _lacking(n, v, kept) is None]
    if odd or lacks:
        first, who = (lacks[0], "lacks") if lacks else (odd[0], "has")
        rest = f" ({len(lacks)} are missing and {len(odd)} are not known to it)"
        hint = _prefix_hint(odd, state)
        raise Refusal(f"{file.path} is not a file of {arch}: it {who} {first!r}{rest}{hint}")
    here = [name for name in state if name in tensors]  # in the network's order
    shapes = [name for name in here if tensors[name].shape != state[name].shape]
    if shapes:
        first = shapes[0]
        raise Refusal(
            f"{file.path} is not a file of {arch}: {first!r} has shape "
            f"{tuple(tensors[first].shape)}, expected {tuple(state[first].shape)} "
            f"({len(shapes)} differ)"
        )
    for name in here:
        _check_values(file.path, name, tensors[name], state[name].dtype)


def check_alike(files: Sequence[Checkpoint]) -> None:
    """Refuse files that differ in names, shapes or dtypes.

    Raises
    ------
    Refusal
        Naming two files and the first tensor that differs.
    """
    first, *others = files
    for other in others:
        try:
            same_network(first.tensors, other.tensors)
        except ValueError as error:
            raise Refusal(f"{first.path} and {other.path} cannot be matched: {error}") from None


def check_output(out: Path, inputs: Sequence[Path], *, force: bool) -> None:
    """Refuse a place that cannot or should not be written to.

    Raises
    ------
    Refusal
        If `out` is an input, exists (unless forced), is not named like a safetensors file, or
        its folder cannot be written to.
    """
    if out.suffix != ".safetensors":
        raise Refusal(f"the output {str(out)!r} must end in .safetensors, which is what is written")
    if out.resolve() in [path.resolve() for path in inputs]:
        raise Refusal(f"the output {out} is one of the inputs; choose another name for --out")
    if out.is_dir():
        raise Refusal(f"the output {out} is a folder; name a file")
    if out.exists() and not force:
        raise Refusal(f"the output {out} exists; choose another name, or --force to replace it")
    folder = next(place for place in out.absolute().parents if place.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):  # the one sure way to know
            pass
    except OSError as error:
        raise Refusal(f"cannot write to the folder {folder} ({error.strerror})") from None


def save(out: Path, params: Params, like: Checkpoint) -> None:
    """Write a network atomically, with the names, dtypes and metadata of another file."""
    atomic_write(out, pack_tensors(like.as_in_file(params), like.metadata))


def _wide(value: Tensor) -> Tensor:
    half = value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value


def _place(value: Tensor) -> Place:
    """What two names of one tensor have in common."""
    return value.data_ptr(), tuple(value.shape)


def _lacking(name: str, value: Tensor, kept: Mapping[Place, Tensor]) -> Tensor | None:
    """Return what stands for an entry that a file lacks, or None if it may not lack it."""
    if name.rpartition(".")[2] == _COUNTER:
        return value
    return kept.get(_place(value)) if value.numel() else None


def _check_values(path: Path, name: str, value: Tensor, expected: torch.dtype) -> None:
    """Refuse a wrong kind of numbers, and those that are not finite."""
    right = value.dtype in FLOATS if expected in FLOATS else value.dtype == expected
    if not right:
        raise Refusal(
            f"{path}: {name!r} is {value.dtype}, expected {expected}"
            + (" or another of float16, bfloat16, float64" if expected in FLOATS else "")
        )
    if value.is_floating_point() and not (finite := torch.isfinite(value)).all():
        count = int((~finite).sum())
        raise Refusal(f"{path}: {count} of {value.numel()} entries of {name!r} are NaN or infinite")


def _prefix_hint(odd: Sequence[str], state: Mapping[str, Tensor]) -> str:
    """Say so if the names are right but for what a wrapper has put before them."""
    prefix = odd[0].partition(".")[0] + "." if odd else ""
    if prefix and all(name.startswith(prefix) and name[len(prefix) :] in state for name in odd):
        return f"; its names begin with {prefix!r}: write it again without"
    return ""


def _not_safetensors(path: Path, start: bytes) -> str:
    """Say what a file is instead, and how to convert it."""
    if start[:2] == b"PK" or start[:1] == b"\x80" or path.suffix in PICKLES:
        return (
            f"{path} is a pickle file, which can run code when it is read; convert it: "
            "from safetensors.torch import save_file; "
            f'save_file(torch.load("{path.name}", weights_only=True), '
            f'"{path.stem}.safetensors")'
        )
    return f"{path} is not a whole safetensors file: it begins with {start!r}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
