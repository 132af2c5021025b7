"""From a chapter and a setting to the records a page shows, and what is claimed of them.

Chapter, Setting, Store  ->  run_study, recorded_study  ->  Study
Study  ->  claims  ->  check_claims, verdict
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from modeconn_lib.experiments.parameters import Setting, setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import profile
from modeconn_lib.experiments.runner import Options, run
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
    """

    text: str
    holds: bool
    found: str


def run_study(
    name: str, plan: Plan, wanted: Setting, store: Store, options: Options | None = None
) -> Study:
    """Return the chapter's records at `wanted`, computing what the store lacks.

    Raises
    ------
    Refusal, OutOfTime, NonFiniteLoss, DamagedFile
        As `runner.run`.
    """
    chosen = options or Options(data=wanted.data, profile=wanted.profile_name)
    return _study(name, wanted, run(plan(wanted), store, chosen))


def recorded_study(name: str, plan: Plan, wanted: Setting, store: Store) -> Study | None:
    """Return the best study that is wholly recorded, or None; computes nothing.

    Looked for: the reader's data set and architecture first, then the profiles' own, each at the
    published protocol first.
    """
    for choice in ({"dataset": wanted.dataset.name, "architecture": wanted.architecture}, {}):
        for profile_name in RECORDED:
            candidate = setting(wanted.data, profile=profile_name, **choice)
            found = {
                label: store.get(task.key, task.step) for label, task in plan(candidate).items()
            }
            records = {label: record for label, record in found.items() if record is not None}
            if len(records) == len(found):
                return _study(name, candidate, records)
    return None


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
    broken = [claim.text for claim in claims if not claim.holds]
    if broken and study.config["insists"]:
        raise AssertionError("not borne out by the records: " + "; ".join(broken))


def verdict(claims: Sequence[Claim]) -> str:
    """Return how many of the claims hold, in words."""
    held = sum(claim.holds for claim in claims)
    if held == len(claims):
        return f"reproduced: {held} of {len(claims)} claims hold"
    return f"{held} of {len(claims)} claims hold"


def _study(name: str, wanted: Setting, records: Mapping[str, Record]) -> Study:
    own = profile(wanted.profile_name)
    usual = (own.dataset, own.architecture) == (wanted.dataset.name, wanted.architecture)
    config = {
        **asdict(wanted.numbers),
        "seed": wanted.seed,
        "dataset_title": wanted.dataset.title,
        "insists": own.claims and usual and wanted.pairs >= own.pairs,
    }
    return Study(name, wanted.profile_name, config, records)
