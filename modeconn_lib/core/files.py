"""Files that are whole or absent: written aside, synced, renamed; verified when read.

bytes  ->  atomic_write  ->  file  ->  checked against a SHA-256  ->  bytes

Tensors are stored as safetensors, never pickled.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor


class DamagedFile(ValueError):
    """A file whose content is not what was written."""


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of `value`: sorted keys, no spaces, no NaN.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def atomic_write(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds the old content or all of the new, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # the rename itself must reach the disk, too
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def pack_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the safetensors bytes of `tensors`; the same tensors always give the same bytes."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(plain, dict(metadata) if metadata else None)


def unpack_tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    """Return the tensors of safetensors bytes read from `path` (named in the error).

    Raises
    ------
    DamagedFile
        If the bytes are not whole safetensors.
    """
    try:
        return dict(sorted(safetensors.torch.load(data).items()))  # as read, in no order
    except SafetensorError as error:
        raise DamagedFile(f"{path} is not a whole safetensors file ({error})") from None


def read_verified(path: Path, digest: str) -> bytes:
    """Return the content of `path`, whose SHA-256 must be `digest`.

    Raises
    ------
    DamagedFile
        If the content differs.
    """
    data = path.read_bytes()
    if sha256(data) != digest:
        raise DamagedFile(
            f"{path} is damaged or truncated: its sha256 is {sha256(data)[:16]}, not {digest[:16]}"
        )
    return data


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors atomically and return the SHA-256 of the file."""
    data = pack_tensors(tensors)
    atomic_write(path, data)
    return sha256(data)


def load_tensors(path: Path, digest: str | None = None) -> dict[str, Tensor]:
    """Read tensors, checked against `digest` where one is given.

    Raises
    ------
    DamagedFile
        If the file is truncated or altered.
    """
    data = path.read_bytes() if digest is None else read_verified(path, digest)
    return unpack_tensors(data, path)
