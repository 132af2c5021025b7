"""The records of one chapter, by name.

records  ->  Study  ->  figures, tables, claims

A study only holds what was computed or found; figures and pages read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modeconn_lib.results.record import Record


@dataclass(frozen=True, slots=True)
class Study:
    """What a chapter's `run` returns.

    Attributes
    ----------
    name
        The chapter.
    profile
        Label of the profile it was run at.
    config
        The chapter's parameters.
    records
        Records by the name that the chapter gives them, like ``"pair 0 / aligned"``.
    """

    name: str
    profile: str
    config: Mapping[str, Any]
    records: Mapping[str, Record]

    def __getitem__(self, name: str) -> Record:
        """Return the record called `name`.

        Raises
        ------
        KeyError
            If there is none, naming those there are.
        """
        if name not in self.records:
            known = ", ".join(self.records)
            raise KeyError(f"no record {name!r} in study {self.name!r}; there are: {known}")
        return self.records[name]

    def select(self, prefix: str) -> dict[str, Record]:
        """Return the records whose name begins with `prefix`, in the study's order."""
        return {name: record for name, record in self.records.items() if name.startswith(prefix)}

    def over_pairs(self, step: str, rest: str) -> list[Record]:
        """Return the records called ``<step>/<pair>/<rest>``, one for each pair, in order."""
        found = [(name.split("/", 2), record) for name, record in self.records.items()]
        return [record for (head, *tail), record in found if head == step and tail[1:] == [rest]]

    def provenance_table(self) -> list[dict[str, Any]]:
        """Return one row for each record: what it is and how it was made."""
        return [
            {"record": name, "step": record.step, "key": record.key[:16]}
            | {
                name: record.provenance.get(name)
                for name in ("profile", "seed", "device", "threads", "seconds", "started")
            }
            | {"commit": _commit(record.provenance)}
            for name, record in self.records.items()
        ]


def _commit(provenance: Mapping[str, Any]) -> str | None:
    """Return a short commit, marked where the code that ran differed from it."""
    commit = provenance.get("commit")
    return commit and f"{commit[:10]}{' + changes' if provenance.get('dirty') else ''}"
