"""Files of weights that a user hands in: read, refused, written.

path  ->  read  ->  Checkpoint  ->  Params in float32  ->  save, in the file's dtypes

Only safetensors are read: a pickle file can run code. `fits` holds a file against a network.
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
from modeconn_lib.core.params import Params

Place = tuple[int, tuple[int, ...], tuple[int, ...]]

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
        kept = {place_of(state[name]): value for name, value in found.items() if name in state}
        for name, value in state.items():
            stand_in = stand_in_of(name, value, kept)
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
    """Write a network atomically, with the names, dtypes and metadata of another file.

    Raises
    ------
    Refusal
        If the file's dtypes do not hold a number of the network; nothing is written then.
    """
    written = like.as_in_file(params)
    for name, value in written.items():
        odd = not_finite(value)
        if odd and odd > not_finite(like.tensors[name]):  # a mask may have some of its own
            raise Refusal(
                f"nothing was written: {odd} of {value.numel()} entries of {name!r} would be NaN "
                f"or infinite in {value.dtype}, the dtype of {like.path}; a wider one or smaller "
                "--weights may hold them"
            )
    atomic_write(out, pack_tensors(written, like.metadata))


def single(params: Params) -> Params:
    """Return the network with all floats in float32, in which modules compute here."""
    return {n: v.float() if v.is_floating_point() else v for n, v in params.items()}


def not_finite(value: Tensor) -> int:
    """Return how many entries are NaN or infinite."""
    return int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0


def _wide(value: Tensor) -> Tensor:
    half = value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value


def place_of(value: Tensor) -> Place:
    """What two names of one tensor have in common."""
    return value.data_ptr(), tuple(value.shape), value.stride()


def stand_in_of(name: str, value: Tensor, kept: Mapping[Place, Tensor]) -> Tensor | None:
    """Return what stands for an entry that a file lacks, or None if it may not lack it."""
    if name.rpartition(".")[2] == _COUNTER:
        return value
    return kept.get(place_of(value)) if value.numel() else None


def _not_safetensors(path: Path, start: bytes) -> str:
    """Say what a file is instead, and how to convert it."""
    if start[:2] == b"PK" or start[:1] == b"\x80" or path.suffix in PICKLES:
        old, new = path, path.with_suffix(".safetensors")
        if path == new:  # torch.load goes by the name
            old = path.with_suffix(".pt")
        rename = f"rename it to {old.name} and " if path == new else ""
        return (
            f"{path} is a pickle file, which can run code when it is read; {rename}convert it: "
            "from safetensors.torch import save_file; "
            f"save_file({{n: v.clone().contiguous() for n, v in torch.load({str(old)!r}, "
            f"map_location='cpu', weights_only=True).items()}}, {str(new)!r})"
        )
    return f"{path} is not a whole safetensors file: it begins with {start!r}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
