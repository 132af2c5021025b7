"""Specs as JSON files, to read, to edit by hand, and to read again.

PermutationSpec  <->  JSON  <->  file

Only the form is checked here; `override` holds a spec against a network.
"""

import contextlib
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import atomic_write
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec


class _Span(BaseModel):
    """One stretch of a tensor axis."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tensor: str
    axis: NonNegativeInt
    offset: NonNegativeInt = 0
    block: PositiveInt = 1
    starts: tuple[NonNegativeInt, ...] = ()


class _Group(BaseModel):
    """One group of units."""

    model_config = ConfigDict(extra="forbid", strict=True)

    units: PositiveInt
    inside: str | None = None
    spans: tuple[_Span, ...]


class _File(BaseModel):
    """A whole spec."""

    model_config = ConfigDict(extra="forbid", strict=True)

    groups: dict[str, _Group]


def schema() -> dict[str, Any]:
    """Return the JSON schema of a spec's file."""
    return _File.model_json_schema()


def to_json(spec: PermutationSpec) -> str:
    """Return the spec as JSON text, without what is as it mostly is."""
    groups = {
        group: _Group(
            units=size,
            inside=spec.inside.get(group),
            spans=tuple(
                _Span(tensor=s.tensor, axis=s.axis, offset=s.offset, block=s.block, starts=s.starts)
                for s in spec.spans[group]
            ),
        )
        for group, size in spec.sizes.items()
    }
    return _File(groups=groups).model_dump_json(indent=1, exclude_defaults=True) + "\n"


def from_json(text: str, source: str = "the spec") -> PermutationSpec:
    """Return the spec that `to_json` wrote, or a hand did.

    Raises
    ------
    Refusal
        If the text is no JSON of this form, naming the place.
    """
    with contextlib.suppress(json.JSONDecodeError, RecursionError):  # told below, with the place
        json.loads(text, object_pairs_hook=partial(_once, source))
    try:
        groups = _File.model_validate_json(text).groups
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the text"
        raise Refusal(f"{source} is no permutation spec: {place}: {first['msg']}") from None
    return PermutationSpec(
        {name: group.units for name, group in groups.items()},
        {
            name: tuple(AxisSpan(s.tensor, s.axis, s.offset, s.block, s.starts) for s in g.spans)
            for name, g in groups.items()
        },
        {name: group.inside for name, group in groups.items() if group.inside is not None},
    )


def _once(source: str, pairs: list[tuple[str, Any]]) -> None:
    """Refuse a name that an object has twice: JSON would keep the last without a word."""
    counts = Counter(name for name, _ in pairs)
    if counts and (most := counts.most_common(1)[0])[1] > 1:
        raise Refusal(f"{source} is no permutation spec: {most[0]!r} is there {most[1]} times")


def write_spec(path: Path, spec: PermutationSpec) -> None:
    """Write the spec as a JSON file."""
    atomic_write(path, to_json(spec).encode())


def read_spec(path: Path) -> PermutationSpec:
    """Return the spec of a JSON file.

    Raises
    ------
    Refusal
        If there is no such file, or it holds something else.
    """
    try:
        text = path.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"cannot read the spec {str(path)!r}: {error}") from None
    return from_json(text, repr(str(path)))
