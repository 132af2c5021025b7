"""A result, and the key that says what it is the result of.

step, version, config, inputs, data  ->  record_key  ->  Record  <->  bytes of one JSON file

The key covers everything a result depends on and nothing else: where, when and by which commit it
was made is its provenance, which is kept but not hashed. So what a GPU computed is found on a
laptop. Nothing here knows where files lie.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from modeconn_lib.core.files import DamagedFile, canonical_json, sha256

_CHECKSUM = ',\n "checksum": "{}"\n}}\n'  # the end of every file; covers all that comes before it
_CHECKSUM_BYTES = len(_CHECKSUM.format("0" * 64))


@dataclass(frozen=True, slots=True)
class Record:
    """What one step found, as plain JSON values. Lists and tuples are the same thing here.

    Attributes
    ----------
    step, version
        What was done; the version is raised by hand when its meaning changes.
    config
        Everything the result depends on besides `inputs` and `data`.
    inputs
        Keys of the records it was computed from, in the order the step expects.
    data
        Fingerprint of the data set, or empty.
    scalars
        Single numbers and words.
    series
        Small arrays: lists, possibly nested.
    tensors
        ``{"sha256": ..., "bytes": ...}`` of the safetensors file that belongs to it, or None.
    provenance
        How it was made (`provenance.collect`); not part of the key.
    key
        `record_key` of the first five; never passed in.

    Raises
    ------
    ValueError
        If a number is not finite or the step's name would not do as the name of a folder.
    TypeError
        If something is not a plain JSON value.
    """

    step: str
    version: int
    config: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    data: str = ""
    scalars: Mapping[str, float | int | str | bool | None] = field(default_factory=dict)
    series: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tensors: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Make every value what it will be when read back, and compute the key."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.step):
            raise ValueError(f"a step is named in lower case, like 'curve_fit', got {self.step!r}")
        for name in ("config", "scalars", "series", "tensors", "provenance"):
            object.__setattr__(self, name, _plain(getattr(self, name), name))
        key = record_key(self.step, self.version, self.config, self.inputs, self.data)
        object.__setattr__(self, "key", key)

    def number(self, name: str) -> float:
        """Return the scalar called `name` as a number.

        Raises
        ------
        KeyError
            If there is none, naming those there are.
        TypeError
            If it is not a number.
        """
        if name not in self.scalars:
            known = ", ".join(self.scalars) or "none"
            raise KeyError(f"{self.step} record {self.key[:16]} has no {name!r}; it has: {known}")
        value = self.scalars[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name!r} of {self.step} record {self.key[:16]} is {value!r}")
        return float(value)

    def to_bytes(self) -> bytes:
        """Return the content of the record's file: readable in a diff, its checksum last."""
        body = "{\n " + ",\n ".join(
            f"{json.dumps(name)}: {_lines(getattr(self, name))}" for name in _FILE_ORDER
        )
        return (body + _CHECKSUM.format(sha256(body.encode()))).encode()

    @staticmethod
    def from_bytes(data: bytes, path: Path) -> "Record":
        """Return the record written in `data`, which was read from `path` (named in the error).

        Raises
        ------
        DamagedFile
            If a single byte differs from what was written.
        """
        body, end = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if end != _CHECKSUM.format(sha256(body)).encode():
            raise DamagedFile(f"{path} is damaged or truncated: its checksum is wrong")
        values = json.loads(data)
        try:
            key, _ = values.pop("key"), values.pop("checksum")
            record = Record(**values | {"inputs": tuple(values["inputs"])})
        except (KeyError, TypeError) as error:
            raise DamagedFile(f"{path} was written by another version ({error})") from None
        if record.key != key:
            raise DamagedFile(f"{path} has the key {key[:16]}, its content {record.key[:16]}")
        return record


_FILE_ORDER = ("step", "version", "key", *(f.name for f in fields(Record)[2:-1]))


def record_key(
    step: str, version: int, config: Mapping[str, Any], inputs: Sequence[str], data: str
) -> str:
    """Return the SHA-256, in hexadecimal, of everything that a result depends on.

    It depends neither on the order of dictionaries nor on the process, nor on whether a whole
    number is written 1 or 1.0. A change here orphans every record ever made.

    Raises
    ------
    ValueError
        If a number in `config` is not finite.
    TypeError
        If something in `config` is not a plain JSON value.
    """
    identity = {
        "step": step,
        "version": version,
        "config": _same_number(_plain(config, "config")),
        "inputs": list(inputs),
        "data": data,
    }
    return sha256(canonical_json(identity))


def _plain(value: Any, where: str) -> Any:
    """Return `value` as it comes back from a JSON file; `where` it is goes into the error."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"{where} has the key {name!r}; a record's names are strings")
        return {name: _plain(item, f"{where}[{name!r}]") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value!r}; a record holds finite numbers, or None")
        return float(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(
        f"{where} is a {type(value).__name__}; a record holds plain JSON values: "
        "convert arrays with .tolist(), single numbers with float()"
    )


def _same_number(value: Any) -> Any:
    """Write whole floats as integers, so that 1.0 and 1 are one key."""
    if isinstance(value, dict):
        return {name: _same_number(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_same_number(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lines(value: Any) -> str:
    """Return JSON with each entry of a dictionary on its own line, and arrays on one."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, allow_nan=False)
    entries = (f"  {json.dumps(name)}: {json.dumps(item)}" for name, item in value.items())
    return "{\n" + ",\n".join(entries) + "\n }"
