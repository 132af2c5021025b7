"""What a reader may ask of a chapter, validated before any work.

names and values (a notebook's, a command line's)  ->  Parameters  ->  Setting

`Setting` is what the plans are made of: the profile's numbers, with the reader's choices put in.
A chapter may look at several subjects, a network on a data set each: a setting is of one of them,
and `subjects` gives the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.info import DatasetInfo
from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.profiles import Profile, Profiles, profile
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
    wanted
        The reader's choices; the name of the profile is only for labels.
    numbers
        Of this subject.
    own
        Whether the subject is one of the profile's own, and as large.
    """

    wanted: Parameters
    numbers: Profile
    dataset: DatasetInfo
    data: Path | None
    own: bool

    @property
    def profile_name(self) -> str:
        """Label of the profile: no decision depends on it."""
        return self.wanted.profile

    @property
    def architecture(self) -> str:
        """Name of the network."""
        return self.numbers.architecture

    @property
    def pairs(self) -> int:
        """Independent pairs of networks."""
        return self.numbers.pairs

    @property
    def seed(self) -> int:
        """What all other seeds are derived from."""
        return self.wanted.seed

    @property
    def models(self) -> int:
        """Networks merged at once: what the profile says, or as many as the pairs hold."""
        return min(self.numbers.models, 2 * self.pairs)


def settings(
    data: Path | None, wanted: Parameters, profiles: Profiles | None = None
) -> tuple[Setting, ...]:
    """Return the settings of all subjects of a chapter that has its own `profiles`.

    A reader who names a data set or a network gets the subjects that are of those. Where there is
    none, these are put into the first subject of that network, or else of that data set, or else
    of all, and into all subjects that share its data set and can still be told apart by the
    network or the `variant`.

    Raises
    ------
    Refusal
        For an unknown profile, data set or network.
    """
    subjects = (profile(wanted.profile),) if profiles is None else _own(profiles, wanted.profile)
    both = [p for p in subjects if _is_asked_for(p, wanted)]
    network = [p for p in subjects if p.architecture == wanted.architecture]
    images = [p for p in subjects if p.dataset == wanted.dataset]
    first = (both or network or images or subjects)[0]
    chosen = both or [p for p in subjects if p is first or _goes_along(p, first, wanted)]
    return tuple(_setting(data, wanted, numbers, numbers in subjects) for numbers in chosen)


def setting(data: Path | None = None, profiles: Profiles | None = None, **given: Any) -> Setting:
    """Return the validated setting of a chapter's first subject.

    Parameters
    ----------
    data
        The folder of prepared data sets, if one is named.
    profiles
        The chapter's own; by default those of the chapters that learn curves.

    Raises
    ------
    Refusal
        For an unknown parameter, a wrong type or range, or an unknown name.
    """
    return settings(data, parameters(**given), profiles)[0]


def parameters(**given: Any) -> Parameters:
    """Return validated parameters.

    Raises
    ------
    Refusal
        For an unknown parameter, a wrong type or range.
    """
    try:
        return Parameters(**given)
    except ValidationError as error:
        raise Refusal(_one_line(error)) from None


def _own(profiles: Profiles, name: str) -> tuple[Profile, ...]:
    if name not in profiles:
        raise Refusal(f"unknown profile {name!r}; known: {', '.join(profiles)}")
    return profiles[name]


def _is_asked_for(subject: Profile, wanted: Parameters) -> bool:
    return wanted.dataset in ("", subject.dataset) and wanted.architecture in (
        "",
        subject.architecture,
    )


def _goes_along(subject: Profile, first: Profile, wanted: Parameters) -> bool:
    """Return whether what is put into the first subject is put into this one, too."""
    same_network = not wanted.architecture or subject.architecture == first.architecture
    told_apart = not subject.subject and (
        subject.variant != first.variant or subject.architecture != first.architecture
    )
    return subject.dataset == first.dataset and same_network and told_apart


def _setting(data: Path | None, wanted: Parameters, numbers: Profile, own: bool) -> Setting:
    info = dataset(wanted.dataset or numbers.dataset)
    name = wanted.architecture or numbers.architecture
    architecture(name)
    usual = (numbers.dataset, numbers.architecture) == (info.name, name)
    mine = replace(
        numbers,
        dataset=info.name,
        architecture=name,
        train_examples=min(numbers.train_examples, info.train),
        test_examples=min(numbers.test_examples, info.test),
        align_examples=min(numbers.align_examples, info.train),
        statistics_examples=min(numbers.statistics_examples, info.train),
        measure_examples=min(numbers.measure_examples, info.train),
        adjust_examples=min(numbers.adjust_examples, info.train),
        ladder=numbers.ladder if name == numbers.architecture else (),  # sizes of that network
        pairs=wanted.pairs or numbers.pairs,
        subject=numbers.subject if usual else "",
    )
    enough = mine.pairs >= numbers.pairs
    return Setting(wanted, mine, info, data, own=own and usual and enough)


def notebook_setting(namespace: Mapping[str, Any], profiles: Profiles | None = None) -> Setting:
    """Return the setting of a chapter asked for by the plain values in a notebook's namespace.

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
    return setting(None, profiles, **given)


def _one_line(error: ValidationError) -> str:
    """Return the first complaint of pydantic as one line with what is allowed."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    fields = Parameters.model_fields
    if first["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}; known: {', '.join(fields)}"
    message = str(first["msg"])
    return f"parameter {name!r} is {first['input']!r}: {message[0].lower()}{message[1:]}"


def subject_name(of: Setting) -> str:
    """Return what a subject is called, like ``TinyTen on CIFAR-10``."""
    if of.numbers.subject:
        return of.numbers.subject
    name = f"{architecture(of.architecture).title} on {of.dataset.title.partition(',')[0]}"
    variant = of.numbers.variant.format(models=of.models)
    return f"{name}, {variant}" if variant else name
