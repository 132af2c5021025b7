"""Chapter 11: how alike the units of two networks are, layer by layer, before and after alignment.

Setting  ->  plan  ->  runner  ->  Study  ->  Fig. 1 of Tatro et al. 2020, claims
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.runner import Options
from modeconn_lib.experiments.studies import Claim, recorded_study, run_study, verdict
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

CHAPTER = "11_correlation_signature"
KINDS = ("unaligned", "aligned")
WHEN = ("before", "after")


def plan(setting: Setting) -> dict[str, Task]:
    """Return the chapter's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``units/0/aligned/curve/0``
    (the midpoint of pair 0's aligned curve against the path's end at t = 0).
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=aligned)
            for shape, learned in (("line", False), ("curve", True)):
                for end in (0, 1):
                    out[f"units/{pair}/{kind}/{shape}/{end}"] = tasks.units(
                        setting, pair, aligned=aligned, learned=learned, end=end
                    )
    return out


def run(setting: Setting, store: Store, options: Options | None = None) -> Study:
    """Return the chapter's records, computing what the store lacks (raises as `runner.run`)."""
    return run_study(CHAPTER, plan, setting, store, options)


def recorded(setting: Setting, store: Store) -> Study | None:
    """Return the best study that is wholly recorded, or None."""
    return recorded_study(CHAPTER, plan, setting, store)


def signatures(study: Study) -> dict[str, dict[str, list[Summary]]]:
    """Return the correlation signatures: what is compared → before, after → one value a layer.

    Compared with network A on test images: ``endpoints`` (network B), and the midpoint of each
    path, ``<kind> line`` and ``<kind> curve``, averaged over both ends of a path first, then over
    pairs. "After" is after matching the second network's units to the first's.
    """
    pairs = range(study.config["pairs"])
    ends = [study[f"alignment/{pair}"].series for pair in pairs]
    out = {"endpoints": {when: _over_pairs([s[f"test_{when}"] for s in ends]) for when in WHEN}}
    for kind in KINDS:
        for shape in ("line", "curve"):
            found = {
                when: [
                    _mean_of(
                        study[f"units/{pair}/{kind}/{shape}/{end}"].series[f"test_{when}"]
                        for end in (0, 1)
                    )
                    for pair in pairs
                ]
                for when in WHEN
            }
            out[f"{kind} {shape}"] = {when: _over_pairs(found[when]) for when in WHEN}
    return out


def layers(study: Study) -> list[str]:
    """Return the names of the groups of units, in the network's order."""
    return list(study["alignment/0"].series["group"])


def means(study: Study) -> dict[str, dict[str, float]]:
    """Return each signature's mean over layers and pairs, ``before`` and ``after``."""
    return {
        name: {when: fmean(summary.mean for summary in found[when]) for when in WHEN}
        for name, found in signatures(study).items()
    }


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records, and whether it is so."""
    m, by_layer = means(study), signatures(study)["endpoints"]
    rising = [a.mean > b.mean for b, a in zip(by_layer["before"], by_layer["after"], strict=True)]
    unaligned, aligned = m["unaligned curve"], m["aligned curve"]
    gain = {name: m[name]["after"] - m[name]["before"] for name in m}
    return [
        Claim(
            "alignment raises the correlation of corresponding units in every layer",
            all(rising),
            f"{sum(rising)} of {len(rising)} layers, "
            f"{m['endpoints']['before']:.2f} to {m['endpoints']['after']:.2f} on average",
        ),
        Claim(
            "the aligned curve's midpoint is more like its ends than the unaligned one's",
            aligned["before"] > unaligned["before"],
            f"{aligned['before']:.2f} against {unaligned['before']:.2f}",
        ),
        Claim(
            "aligning the aligned curve's midpoint anew gains less than aligning the endpoints",
            gain["aligned curve"] < gain["endpoints"],
            f"{gain['aligned curve']:.2f} against {gain['endpoints']:.2f}",
        ),
        Claim(
            "a learned midpoint is more like the ends than the midpoint of the unaligned line",
            unaligned["before"] > m["unaligned line"]["before"],
            f"{unaligned['before']:.2f} against {m['unaligned line']['before']:.2f}",
        ),
    ]


def scorecard(study: Study, recorded: Study | None) -> list[dict[str, str]]:
    """Return the chapter's row of the book's scorecard."""

    def cell(of: Study | None) -> str:
        if of is None:
            return "not run"
        found = means(of)["endpoints"]
        return f"{found['before']:.2f} to {found['after']:.2f} (n = {of.config['pairs']})"

    return [
        {
            "claim": "Fig. 1a: mean correlation of corresponding units, before to after",
            "paper": "rises in every layer (figure only)",
            "recorded": cell(recorded),
            "build": cell(study),
            "verdict": verdict(claims(recorded or study)),
        }
    ]


def _mean_of(lists: Iterable[Sequence[float]]) -> list[float]:
    return [fmean(values) for values in zip(*lists, strict=True)]


def _over_pairs(lists: Sequence[Sequence[float]]) -> list[Summary]:
    return [summarise(values) for values in zip(*lists, strict=True)]
