"""What every page does with its studies: name them, say their numbers, show where they come from.

study, recorded  ->  side_by_side  ->  figures
study, recorded  ->  texts, protocol, verdicts, provenance, tables  ->  the page
texts, scorecard  ->  write_values  ->  other pages

A page shows this build beside the best recorded study. Where nothing is recorded, every number
of it reads "–". The drawing is done in `figures`.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from modeconn_lib.core.files import atomic_write
from modeconn_lib.experiments import protocols
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.profiles import PROFILES, Profile
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

ENVIRONMENT = "MODECONN_BUILD"
NOTHING, PROTOCOL = protocols.NOTHING, protocols.PROTOCOL

Numbers = Callable[[Study], Mapping[str, Summary]]
Claims = Callable[[Study], Sequence[Claim]]


@dataclass(frozen=True, slots=True)
class Markdown:
    """Text that a notebook and a page show as Markdown."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text


def side_by_side(study: Study, recorded: Study | None) -> dict[str, Study]:
    """Return the studies to show by the title of their panel, the recorded one first.

    Where this build is the recorded study, it is shown once.
    """
    if recorded is None:
        return {f"this build · {short(study)}": study}
    if keys(recorded) == keys(study):
        return {f"recorded = this build · {short(study)}": study}
    return {f"recorded · {short(recorded)}": recorded, f"this build · {short(study)}": study}


def texts(
    study: Study,
    recorded: Study | None,
    numbers: Numbers,
    claims: Claims,
    decimals: int | None = None,
    paper: Profile = PROFILES["paper"],
) -> dict[str, str]:
    """Return everything a page's prose says of its studies, as text.

    Names begin with ``build`` or ``recorded``: every number of the chapter (without `decimals`,
    `digits` says how many), ``both …`` for a number that there is unaligned and aligned, every row
    of `PROTOCOL`, and ``where``, ``device``, ``minutes``, ``verdict``. The rows of `PROTOCOL` are
    there for ``paper``, too, and ``n`` is for captions.
    """
    said = {what: read(asdict(paper)) for what, read in PROTOCOL.items()}
    out = {f"paper {what}": text for what, text in said.items() if text != NOTHING}
    for who, found in (("build", study), ("recorded", recorded)):
        facts = _facts(found or study, numbers, claims, decimals)
        out |= {f"{who} {what}": text if found else NOTHING for what, text in facts.items()}
    pairs = [out[f"{who} pairs of networks"] for who in ("recorded", "build")]
    return out | {"n": "recorded n = {}, this build n = {}".format(*pairs)}


def where(study: Study) -> str:
    """Return what a study was computed on, like ``quick, TinyTen on CIFAR-10, n = 3 pairs``."""
    network, pairs = architecture(study.config["architecture"]).title, study.config["pairs"]
    what = f"{network} on {study.config['dataset_title']}"
    return f"{study.profile}, {what}, n = {pairs} pair{'' if pairs == 1 else 's'}"


def table(
    columns: Iterable[str], rows: Iterable[Iterable[Any]], caption: str, name: str
) -> Markdown:
    """Return a numbered table that any page can refer to by `name`."""
    head = list(columns)
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return Markdown("\n".join([f":::{{table}} {caption}", f":name: {name}", "", *lines, ":::"]))


def listing(values: Mapping[str, str], names: Iterable[str], caption: str, name: str) -> Markdown:
    """Return the named numbers of `texts` as a numbered table: recorded, this build."""
    rows = [[readable(what), values[f"recorded {what}"], values[f"build {what}"]] for what in names]
    return table(["", "recorded", "this build"], rows, caption, name)


def readable(name: str) -> str:
    """Return the name of a number as a page says it: ``PAM unaligned``, not ``pam_unaligned``."""
    return name.replace("pam_", "PAM ").replace("l2_", "L2 ").replace("_", " ")


def protocol(
    study: Study, recorded: Study | None, name: str, paper: Profile = PROFILES["paper"]
) -> Markdown:
    """Return what the paper, the recorded study and this build spent, as a numbered table."""
    ways = [asdict(paper), recorded and recorded.config, study.config]
    shown = [one for one in (recorded, study) if one]
    rows = []
    for what, read in PROTOCOL.items():
        cells = [read(way) if way else NOTHING for way in ways]
        if set(cells) != {NOTHING} and any(protocols.plays_a_part(what, one) for one in shown):
            rows.append([what, *cells])
    devices = [made(found, "device") if found else NOTHING for found in (recorded, study)]
    rows.append(["computed on", NOTHING, *devices])
    caption = "The paper's protocol (profile `paper`) and what was computed here"
    return table(["", "paper", "recorded", "this build"], rows, caption, name)


def verdicts(
    study: Study, recorded: Study | None, claims: Claims, caption: str, name: str
) -> Markdown:
    """Return every claim of a chapter and what the studies found, as a numbered table."""
    found = [_found(recorded, claims), _found(study, claims)]
    rows = [
        [claim.text, *(cells[i] if cells else NOTHING for cells in found)]
        for i, claim in enumerate(claims(study))
    ]
    return table(["claim", "recorded", "this build"], rows, caption, name)


def provenance(study: Study, recorded: Study | None) -> Markdown:
    """Return how every record was made: a folded table for each study."""
    shown = side_by_side(study, recorded)
    return Markdown("\n".join(provenance_of(title, found) for title, found in shown.items()))


def provenance_of(title: str, study: Study) -> str:
    """Return how every record of a study was made, as a folded table."""
    columns = ("record", "key", "seed", "threads", "seconds", "started", "commit")
    rows = study.provenance_table()
    facts = [f"{len(rows)} records", f"{minutes(study)} minutes of computing in all"]
    facts += [f"{what}: {made(study, what)}" for what in ("device", "commit")]
    facts += [f"versions: {versions(study)}"]
    lines = [_row(columns), _row(["---"] * len(columns))]
    lines += [_row([row[column] for column in columns]) for row in rows]
    head = [f"::::{{dropdown}} {title}", "; ".join(facts) + ".", ""]
    return "\n".join([*head, *lines, "::::", ""])


def write_values(
    chapter: str, values: Mapping[str, str], scorecard: Sequence[Mapping[str, str]]
) -> Path:
    """Write what other pages show of a chapter, and return the file.

    Values become ``{{ topic_name }}`` in the book: of chapter ``13_learned_curves``, the value
    ``build where`` is ``{{ learned_curves_build_where }}``.
    """
    topic = chapter.partition("_")[2]
    named = {re.sub(r"\W+", "_", f"{topic} {name}"): value for name, value in values.items()}
    content = {**named, "scorecard": list(scorecard)}
    path = Path(os.environ.get(ENVIRONMENT, "_build")) / "values" / f"{chapter}.json"
    atomic_write(path, json.dumps(content, ensure_ascii=False, indent=1).encode())
    return path


def layer_means(study: Study) -> dict[str, Summary]:
    """Return each correlation signature's mean over layers, summarised over pairs.

    Names: ``endpoints before``, ``aligned curve after`` and so on, as in
    `correlation_signature.signatures`. Both ends of a path count alike.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for label, record in study.records.items():
        step, pair, *rest = label.split("/")
        if step in ("alignment", "units"):
            what = " ".join(rest[:2]) or "endpoints"
            for when in ("before", "after"):
                pairs = found.setdefault(f"{what} {when}", {})
                pairs.setdefault(pair, []).append(fmean(record.series[f"test_{when}"]))
    return {name: summarise(map(fmean, pairs.values())) for name, pairs in found.items()}


def _facts(study: Study, numbers: Numbers, claims: Claims, decimals: int | None) -> dict[str, str]:
    """Return everything to be said of one study."""
    out = {what: read(study.config) for what, read in PROTOCOL.items()}
    out = {what: text for what, text in out.items() if text != NOTHING}
    said = numbers(study)
    for name, summary in said.items():
        out[name] = summary.text(decimals or digits(name))
    for name in said:
        topic = name.removeprefix("aligned ")
        if f"unaligned {topic}" in said and topic != name:
            unit = "" if decimals else " nats" if is_loss(name) else " %"
            unaligned = out[f"unaligned {topic}"]
            out[f"both {topic}"] = f"{unaligned}{unit} unaligned and {out[name]}{unit} aligned"
    return out | {
        "where": where(study),
        "device": made(study, "device"),
        "minutes": minutes(study),
        "verdict": verdict(claims(study)),
    }


def digits(name: str) -> int:
    """Return how many digits after the point a number of this name gets.

    Calibration errors are small, those over every class, most of them never named, all the more.
    """
    if is_loss(name) or "classwise" in name:
        return 3
    return 2 if "calibration" in name else 1


def is_loss(name: str) -> bool:
    """Return whether a number of this name is in nats, not in percent."""
    return "loss" in name or "barrier" in name


def _found(study: Study | None, claims: Claims) -> list[str]:
    """Return for each claim whether it holds, and the numbers that decide it."""
    if study is None:
        return []
    return [f"{'holds' if c.holds else 'fails'}: {c.found}" for c in claims(study)]


def keys(study: Study) -> dict[str, str]:
    """Return the key of every record."""
    return {name: record.key for name, record in study.records.items()}


def short(study: Study) -> str:
    """Return data set and profile in a few words, for the title of a panel."""
    return f"{study.config['dataset_title'].partition(',')[0]} ({study.profile})"


def minutes(study: Study) -> str:
    """Return how long all records took together, as text."""
    seconds = sum(record.provenance.get("seconds", 0) for record in study.records.values())
    return f"{seconds / 60:.1f}"


def made(study: Study, what: str) -> str:
    """Return one fact on how the records were made; several, where they differ."""
    return _distinct(row[what] or "unknown" for row in study.provenance_table())


def versions(study: Study) -> str:
    """Return the versions the records were made with, as text."""
    made = (record.provenance.get("versions", {}) for record in study.records.values())
    return _distinct(", ".join(f"{name} {v}" for name, v in m.items() if v) for m in made)


def _distinct(found: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(found))


def _row(cells: Iterable[Any]) -> str:
    """Return one line of a Markdown table."""
    words = (NOTHING if cell is None else str(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(words)} |"
