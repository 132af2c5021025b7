"""Every chapter that has a plan, in one table.

"13", "13_learned_curves", "learned_curves"  ->  chapter  ->  Chapter  ->  plan(setting)
"""

from collections.abc import Callable
from dataclasses import dataclass

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.beyond import any_network
from modeconn_lib.experiments.git_rebasin import (
    counterexample,
    failure_modes,
    matching_methods,
    merging_many,
    onset,
    split_data,
    symmetries,
    width,
)
from modeconn_lib.experiments.neuron_alignment import (
    alignment_costs,
    correlation_signature,
    hyperparameters,
    learned_curves,
    pam,
    planes,
    robust_curves,
    theory,
)
from modeconn_lib.experiments.parameters import Setting, settings
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.studies import subject_name


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's notebook, the function that makes a subject's plan, and its own profiles.

    Attributes
    ----------
    profiles
        None for those of the chapters that learn curves.
    """

    name: str
    of_subject: Callable[[Setting], dict[str, Task]]
    profiles: Profiles | None = None

    def plan(self, wanted: Setting) -> dict[str, Task]:
        """Return the tasks of all subjects of the chapter for what the reader wants."""
        subjects = settings(wanted.data, wanted.wanted, self.profiles)
        if len(subjects) == 1:
            return self.of_subject(subjects[0])
        return {
            f"{subject_name(one)}/{label}": task
            for one in subjects
            for label, task in self.of_subject(one).items()
        }


CHAPTERS: dict[str, Chapter] = {
    module.CHAPTER: Chapter(module.CHAPTER, module.plan, getattr(module, "PROFILES", None))
    for module in (
        correlation_signature,
        alignment_costs,
        learned_curves,
        planes,
        pam,
        robust_curves,
        hyperparameters,
        theory,
        matching_methods,
        onset,
        width,
        split_data,
        merging_many,
        counterexample,
        symmetries,
        failure_modes,
        any_network,
    )
}


def chapter(name: str) -> Chapter:
    """Return a chapter by its full name, its number, or its name without the number.

    Raises
    ------
    Refusal
        If there is none; the message lists them.
    """
    for known, found in CHAPTERS.items():
        number, _, topic = known.partition("_")
        if name in (known, number, topic):
            return found
    raise Refusal(f"unknown chapter {name!r}; known: {', '.join(CHAPTERS)}")
