"""Every chapter that has a plan, in one table.

"13", "13_learned_curves", "learned_curves"  ->  chapter  ->  Chapter  ->  plan(setting)
"""

from collections.abc import Callable
from dataclasses import dataclass

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments import correlation_signature, learned_curves
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's notebook and the function that makes its plan."""

    name: str
    plan: Callable[[Setting], dict[str, Task]]


CHAPTERS: dict[str, Chapter] = {
    module.CHAPTER: Chapter(module.CHAPTER, module.plan)
    for module in (correlation_signature, learned_curves)
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
