"""A chapter: its name, what it plans for a subject, and its profiles.

Setting  ->  Chapter.plan      ->  tasks of every subject
Setting, Store  ->  Chapter.run       ->  one Study for each subject, computing what is missing
                ->  Chapter.recorded  ->  one Study for each that is recorded, computing nothing
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.images import MissingData
from modeconn_lib.experiments.parameters import Setting, parameters, settings, subject_name
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.models.registry import ARCHITECTURES
from modeconn_lib.results.record import Record
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study

RECORDED = ("paper", "standard")  # what is committed, best first


def refuse_unless(fits: Callable[[str], bool], name: str, chapter: str, about: str) -> None:
    """Refuse a network that a chapter is not about; nothing is allocated for it.

    Parameters
    ----------
    fits
        From the name of an architecture to whether the chapter is about it.
    about
        What it is about, in words.

    Raises
    ------
    Refusal
        Naming the networks that it is about.
    """
    if not fits(name):
        known = ", ".join(one for one in ARCHITECTURES if fits(one))
        raise Refusal(
            f"chapter {chapter} is about {about}, architecture {name!r} is none; known: {known}"
        )


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's notebook, the function that makes a subject's plan, and its own profiles."""

    name: str
    of_subject: Callable[[Setting], dict[str, Task]]
    profiles: Profiles

    def plan(self, wanted: Setting) -> dict[str, Task]:
        """Return the tasks of all subjects of the chapter for what the reader wants.

        Named as the subject's plan does; where there are several, with the subject in front.

        Raises
        ------
        Refusal
            If the chapter is not about what is wanted.
        """
        plans = {subject_name(one): self.of_subject(one) for one in self._subjects(wanted)}
        if len(plans) == 1:
            return next(iter(plans.values()))
        return {f"{of}/{label}": task for of, plan in plans.items() for label, task in plan.items()}

    def run(
        self, wanted: Setting, store: Store, options: Options | None = None
    ) -> dict[str, Study]:
        """Return the records of every subject by `subject_name`, computing what the store lacks.

        All are run at once: what one subject shares with another is computed once.

        Raises
        ------
        Refusal, OutOfTime, NonFiniteLoss, DamagedFile
            As `plan` and `runner.run`.
        """
        subjects = {subject_name(one): one for one in self._subjects(wanted)}
        plans = {of: self.of_subject(one) for of, one in subjects.items()}
        tasks = {f"{of}\0{name}": task for of, plan in plans.items() for name, task in plan.items()}
        first = next(iter(subjects.values()))
        chosen = options or Options(data=first.data, profile=first.profile_name)
        records = run(tasks, store, chosen)
        return {
            of: self._study(subjects[of], {name: records[f"{of}\0{name}"] for name in plan})
            for of, plan in plans.items()
        }

    def recorded(self, wanted: Setting, store: Store) -> dict[str, Study]:
        """Return every subject that is wholly recorded, at its best profile; computes nothing."""
        out: dict[str, Study] = {}
        for profile in RECORDED:
            for one in settings(wanted.data, parameters(profile=profile), self.profiles):
                try:
                    tasks = self.of_subject(one)
                except MissingData:  # keys name the images' content, which only their files tell
                    continue
                found = {name: store.get(task.key, task.step) for name, task in tasks.items()}
                records = {name: record for name, record in found.items() if record is not None}
                if len(records) == len(found):
                    out.setdefault(subject_name(one), self._study(one, records))
        return out

    def _subjects(self, wanted: Setting) -> tuple[Setting, ...]:
        return settings(wanted.data, wanted.wanted, self.profiles)

    def _study(self, subject: Setting, records: Mapping[str, Record]) -> Study:
        config = {
            **asdict(subject.numbers),
            "seed": subject.seed,
            "dataset_title": subject.dataset.title,
            "subject": subject_name(subject),
            "insists": subject.numbers.claims and subject.own,
        }
        return Study(self.name, subject.profile_name, config, records)
