"""Chapter 43: the symmetries of networks that nobody described by hand.

Setting  ->  plan: one task for each of torchvision's classifiers  ->  Study  ->  coverage, claims

Goes beyond the papers, whose authors wrote down each network's symmetries themselves. No images
are needed: what is derived is proved on random weights and random inputs.
"""

from dataclasses import replace
from typing import Any

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.pages import NOTHING
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.tasks import VERSIONS
from modeconn_lib.permutation.classifiers import names
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

GATE = 1e-10  # relative, in float64: far above rounding, far below any real difference
COST = 1000  # of one network, in the units of the progress bar

# Small networks of unlike families; a profile of n networks has the first n, then all others.
FIRST = (
    "squeezenet1_1",
    "shufflenet_v2_x0_5",
    "resnet18",
    "vit_b_32",
    "convnext_tiny",
)

_ALWAYS = replace(scale.TINY_MLP, pairs=1, claims=True, subject="torchvision's classifiers")
PROFILES: Profiles = {
    "smoke": (replace(_ALWAYS, models=2),),
    "quick": (replace(_ALWAYS, models=len(FIRST)),),
    "standard": (replace(_ALWAYS, models=10**6),),
    "paper": (replace(_ALWAYS, models=10**6),),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return one task for each network, by its name.

    Raises
    ------
    Refusal
        If the reader asks for a data set, a network or a number of pairs: there are none here.
    """
    wanted = setting.wanted
    given = {"dataset": wanted.dataset, "architecture": wanted.architecture, "pairs": wanted.pairs}
    for name, value in given.items():
        if value:
            raise Refusal(
                f"chapter {CHAPTER.name} looks at torchvision's networks without images: leave "
                f"{name} as it is, got {value!r}"
            )
    chosen = [*FIRST, *(name for name in names() if name not in FIRST)][: setting.numbers.models]
    seed = derive(setting.seed, "coverage")
    return {name: _task(name, seed) for name in chosen}


def _task(name: str, seed: int) -> Task:
    config = {"network": name, "seed": seed}
    version = VERSIONS["coverage"]
    return Task("coverage", version, config, (), "", f"symmetries of {name}", COST)


CHAPTER = Chapter("43_any_network", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def proved(study: Study) -> list[str]:
    """Return the networks whose symmetries were derived and passed the gate."""
    return [
        name
        for name, record in study.records.items()
        if record.number("groups") > 0 and record.number("error") <= GATE
    ]


def summaries(study: Study) -> dict[str, Summary]:
    """Return the chapter's numbers: over networks, or of all of them.

    Names: ``networks``, ``proved``; ``largest error`` of the gate; ``groups``, ``units``,
    ``movable`` (percent of parameters), ``trace seconds``, ``gate seconds``; ``minutes`` of wall
    time of all together, ``peak GiB`` of the largest.
    """
    records = list(study.records.values())

    def column(name: str, factor: float = 1.0) -> list[float]:
        return [factor * record.number(name) for record in records]

    seconds = [sum(parts) for parts in zip(*map(column, _SECONDS), strict=True)]
    return {
        "networks": summarise([len(records)]),
        "proved": summarise([len(proved(study))]),
        "largest error": summarise([max(column("error"))]),
        "groups": summarise(column("groups")),
        "units": summarise(column("units")),
        "movable": summarise(column("movable", 100.0)),
        "trace seconds": summarise(column("trace_seconds")),
        "gate seconds": summarise(column("gate_seconds")),
        "minutes": summarise([sum(seconds) / 60]),
        "peak GiB": summarise([max(column("peak_mib")) / 1024]),
    }


_SECONDS = ("build_seconds", "trace_seconds", "gate_seconds")


def facts(study: Study) -> dict[str, str]:
    """Return the numbers that belong to no average as text: counts, the largest error, times."""
    s = summaries(study)
    return {
        "networks": f"{s['networks'].mean:.0f}",
        "proved": f"{s['proved'].mean:.0f}",
        "largest error": f"{s['largest error'].mean:.0e}",
        "minutes": f"{s['minutes'].mean:.1f}",
        "peak GiB": f"{s['peak GiB'].mean:.1f}",
        "least movable": f"{min(100 * r.number('movable') for r in study.records.values()):.2f}",
    }


def texts(built: Study | None, recorded: Study | None) -> dict[str, str]:
    """Return the page's facts by name, ``build …`` and ``recorded …``; what is not there is –."""
    out: dict[str, str] = {}
    for who, study in (("build", built), ("recorded", recorded)):
        known = facts(study) if study else dict.fromkeys(facts(built), NOTHING) if built else {}
        out |= {f"{who} {name}": text for name, text in known.items()}
    return out


def rows(study: Study) -> list[list[Any]]:
    """Return a row for each network, sorted by name, as `COLUMNS` calls its cells."""
    return [_row(name, study[name]) for name in sorted(study.records)]


COLUMNS = (
    "network",
    "parameters, M",
    "groups",
    "in blocks",
    "free units",
    "log10 of symmetries",
    "movable, %",
    "trace, s",
    "gate, s",
    "gate error",
    "peak, GiB",
)


def _row(name: str, record: Record) -> list[Any]:
    n = record.number
    return [
        name,
        f"{n('parameters') / 1e6:.1f}",
        f"{n('groups'):.0f}",
        f"{n('nested'):.0f}",
        f"{n('units'):,.0f}",
        f"{n('log10_symmetries'):,.0f}",
        f"{100 * n('movable'):.2f}",
        f"{n('trace_seconds'):.1f}",
        f"{n('gate_seconds'):.1f}",
        f"{n('error'):.0e}",
        f"{n('peak_mib') / 1024:.1f}",
    ]


def reasons(study: Study) -> list[list[Any]]:
    """Return why axis entries of parameters stay: the reason, how many networks, an example."""
    found: dict[str, list[str]] = {}
    for name in sorted(study.records):
        for reason in study[name].series["pinned"]:
            found.setdefault(str(reason), []).append(name)
    ordered = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return [[reason, len(of), of[0]] for reason, of in ordered]


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records, and whether it is so."""
    passed, everything = len(proved(study)), len(study.records)
    peak = max(record.number("peak_mib") for record in study.records.values()) / 1024
    return [
        Claim(
            f"the symmetries of every network are derived, and hold within {GATE:.0e} in float64",
            passed == everything,
            f"{passed} of {everything}",
        ),
        Claim("no network needs more than 20 GiB of memory", peak <= 20, f"{peak:.1f} GiB"),
    ]


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's row of the book's scorecard."""
    (study,) = (recorded or built).values()
    found = facts(study)
    cell = f"{found['proved']} of {found['networks']}, largest error {found['largest error']}"
    return [
        {
            "claim": "symmetries of torchvision's classifiers, derived and proved",
            "paper": "written by hand for four networks",
            "recorded": cell if recorded else "not run",
            "build": "see the page" if recorded else cell,
            "verdict": verdict(claims(study)),
        }
    ]
