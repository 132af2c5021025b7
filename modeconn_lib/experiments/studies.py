"""From a chapter and a setting to the records a page shows, and what is claimed of them.

Chapter, Setting, Store  ->  run_study, recorded_study  ->  Study
                         ->  run_studies, recorded_studies  ->  one Study for each subject
Study  ->  claims  ->  check_claims, verdict
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from modeconn_lib.datasets.images import MissingData
from modeconn_lib.experiments.parameters import Setting, parameters, settings
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

Plan = Callable[[Setting], dict[str, Task]]
RECORDED = ("paper", "standard")  # what is committed, best first


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a study, and whether the records bear it out.

    Attributes
    ----------
    text
        The claim.
    holds
        Whether it is so.
    found
        The numbers that decide it.
    insisted
        Whether a page may not be built without it. A sentence of the paper that the records do
        not bear out is shown and counted like any other, and is not insisted on.
    """

    text: str
    holds: bool
    found: str
    insisted: bool = True


def run_study(
    name: str, plan: Plan, wanted: Setting, store: Store, options: Options | None = None
) -> Study:
    """Return the chapter's records at `wanted`, computing what the store lacks.

    Raises
    ------
    Refusal, OutOfTime, NonFiniteLoss, DamagedFile
        As `runner.run`.
    """
    (study,) = run_studies(name, plan, (wanted,), store, options).values()
    return study


def run_studies(
    name: str,
    plan: Plan,
    subjects: Sequence[Setting],
    store: Store,
    options: Options | None = None,
) -> dict[str, Study]:
    """Return the records of every subject by `subject_name`, as `run_study`; all run at once."""
    chosen = options or Options(data=subjects[0].data, profile=subjects[0].profile_name)
    plans = {subject_name(one): plan(one) for one in subjects}
    tasks = {(subject, label): t for subject, of in plans.items() for label, t in of.items()}
    records = run({"\0".join(names): task for names, task in tasks.items()}, store, chosen)
    return {
        subject_name(one): _study(
            name, one, {label: records[f"{subject_name(one)}\0{label}"] for label in plan(one)}
        )
        for one in subjects
    }


def recorded_study(
    name: str, plan: Plan, wanted: Setting, store: Store, profiles: Profiles | None = None
) -> Study | None:
    """Return the best study that is wholly recorded, or None; computes nothing.

    Looked for: the reader's data set and architecture first, then the profiles' own, each at the
    published protocol first.
    """
    own = {"dataset": wanted.dataset.name, "architecture": wanted.architecture}
    for choice in (own, {}):
        found = _recorded(name, plan, choice, wanted.data, store, profiles)
        if found:
            return next(iter(found.values()))
    return None


def recorded_studies(
    name: str, plan: Plan, wanted: Setting, store: Store, profiles: Profiles
) -> dict[str, Study]:
    """Return every subject of the chapter that is wholly recorded, at its best profile."""
    return _recorded(name, plan, {}, wanted.data, store, profiles)


def _recorded(
    name: str,
    plan: Plan,
    choice: Mapping[str, str],
    data: Path | None,
    store: Store,
    profiles: Profiles | None,
) -> dict[str, Study]:
    """Return what is wholly recorded, by subject; of a subject, the best profile."""
    out: dict[str, Study] = {}
    for profile_name in RECORDED:
        for candidate in settings(data, parameters(profile=profile_name, **choice), profiles):
            try:
                tasks = plan(candidate)
            except MissingData:  # keys name the images' content, which only their files tell
                continue
            found = {label: store.get(task.key, task.step) for label, task in tasks.items()}
            records = {label: record for label, record in found.items() if record is not None}
            if len(records) == len(found):
                out.setdefault(subject_name(candidate), _study(name, candidate, records))
    return out


def subject_name(of: Setting) -> str:
    """Return what a subject is called, like ``TinyTen on CIFAR-10``."""
    if of.numbers.subject:
        return of.numbers.subject
    name = f"{architecture(of.architecture).title} on {of.dataset.title.partition(',')[0]}"
    variant = of.numbers.variant.format(models=of.models)
    return f"{name}, {variant}" if variant else name


def check_claims(study: Study, claims: Sequence[Claim]) -> None:
    """Print every claim with the numbers found; where the profile says so, insist on them.

    A profile insists on its own data set and architecture; for others the claims are questions.

    Raises
    ------
    AssertionError
        Naming the claims that a profile insists on and that do not hold.
    """
    for claim in claims:
        print(f"{'holds' if claim.holds else 'FAILS'}: {claim.text} ({claim.found})")
    broken = [claim.text for claim in claims if claim.insisted and not claim.holds]
    if broken and study.config["insists"]:
        raise AssertionError("not borne out by the records: " + "; ".join(broken))


def verdict(claims: Sequence[Claim]) -> str:
    """Return how many of the claims hold, in words."""
    held = sum(claim.holds for claim in claims)
    if held == len(claims):
        return f"reproduced: {held} of {len(claims)} claims hold"
    return f"{held} of {len(claims)} claims hold"


def _study(name: str, wanted: Setting, records: Mapping[str, Record]) -> Study:
    config = {
        **asdict(wanted.numbers),
        "seed": wanted.seed,
        "dataset_title": wanted.dataset.title,
        "subject": subject_name(wanted),
        "insists": wanted.numbers.claims and wanted.own,
    }
    return Study(name, wanted.profile_name, config, records)
