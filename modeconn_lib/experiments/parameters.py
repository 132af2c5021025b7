"""What a reader may ask of a chapter, validated before any work.

names and values (a notebook's, a command line's)  ->  Parameters  ->  Setting

`Setting` is what the plans are made of: the profile's numbers, with the reader's choices put in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.info import DatasetInfo
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.profiles import Profile, profile
from modeconn_lib.models.registry import architecture


class Parameters(BaseModel):
    """The parameters of a chapter; an empty name or 0 pairs means the profile's own choice."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    profile: str = "quick"
    dataset: str = ""
    architecture: str = ""
    pairs: int = Field(default=0, ge=0, le=100)
    seed: int = Field(default=0, ge=0, lt=2**31)


@dataclass(frozen=True, slots=True)
class Setting:
    """A profile's numbers with the reader's choices put in.

    Attributes
    ----------
    profile_name
        Only for labels: no decision depends on it.
    """

    profile_name: str
    numbers: Profile
    dataset: DatasetInfo
    architecture: str
    pairs: int
    seed: int
    data: Path | None


def setting(data: Path | None = None, **given: Any) -> Setting:
    """Return the validated setting; `data` is the folder of prepared data sets, if one is named.

    Raises
    ------
    Refusal
        For an unknown parameter, a wrong type or range, or an unknown name.
    """
    try:
        wanted = Parameters(**given)
    except ValidationError as error:
        raise Refusal(_one_line(error)) from None
    numbers = profile(wanted.profile)
    info = dataset(wanted.dataset or numbers.dataset)
    name = wanted.architecture or numbers.architecture
    architecture(name)
    numbers = replace(
        numbers,
        dataset=info.name,
        architecture=name,
        train_examples=min(numbers.train_examples, info.train),
        test_examples=min(numbers.test_examples, info.test),
        align_examples=min(numbers.align_examples, info.train),
        statistics_examples=min(numbers.statistics_examples, info.train),
        measure_examples=min(numbers.measure_examples, info.train),
        pairs=wanted.pairs or numbers.pairs,
    )
    return Setting(wanted.profile, numbers, info, name, numbers.pairs, wanted.seed, data)


def notebook_setting(namespace: Mapping[str, Any]) -> Setting:
    """Return the setting asked for by the plain values in a notebook's namespace.

    Papermill accepts any ``-p name value`` and sets it; so every number and string the notebook
    holds at this point is a parameter, and one that is not known is refused.

    Raises
    ------
    Refusal
        As `setting`.
    """
    shell = ("In", "Out", "exit", "quit")
    plain = (str, int, float, bool, list, dict, tuple, type(None))
    given: dict[str, Any] = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in shell
    }
    return setting(**given)


def _one_line(error: ValidationError) -> str:
    """Return the first complaint of pydantic as one line with what is allowed."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    fields = Parameters.model_fields
    if first["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}; known: {', '.join(fields)}"
    message = str(first["msg"])
    return f"parameter {name!r} is {first['input']!r}: {message[0].lower()}{message[1:]}"
