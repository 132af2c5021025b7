"""Chapter 11: how alike the units of two networks are, layer by layer, before and after alignment.

Setting  ->  plan  ->  runner  ->  Study  ->  Fig. 1 of Tatro et al. 2020, claims
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import curve_profiles, pam_tasks
from modeconn_lib.experiments.neuron_alignment.learned_curves import KINDS, is_insisted_on
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

PROFILES = curve_profiles.PROFILES
WHEN = ("before", "after")


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``units/0/aligned/curve/0``
    (the midpoint of pair 0's aligned curve against the path's end at t = 0). The kinds of PAM are
    there where the profile has a recipe for its permutations.
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
            if setting.numbers.permutation:
                out[f"curve/{pair}/pam_{kind}"] = pam_tasks.pam(setting, pair, aligned=aligned)
                for end in (0, 1):
                    out[f"units/{pair}/pam_{kind}/curve/{end}"] = pam_tasks.units(
                        setting, pair, aligned=aligned, end=end
                    )
    return out


CHAPTER = Chapter("11_correlation_signature", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def signatures(study: Study) -> dict[str, dict[str, list[Summary]]]:
    """Return the correlation signatures: what is compared → before, after → one value a layer.

    Compared with network A on test images: ``endpoints`` (network B), and the midpoint of each
    path that was compared, ``<kind> line`` and ``<kind> curve``, averaged over both ends of a path
    first, then over pairs. "After" is after matching the second network's units to the first's.
    """
    pairs = range(study.config["pairs"])
    ends = [study[f"alignment/{pair}"].series for pair in pairs]
    out = {"endpoints": {when: _over_pairs([s[f"test_{when}"] for s in ends]) for when in WHEN}}
    for kind in KINDS:
        for shape in ("line", "curve"):
            if f"units/0/{kind}/{shape}/0" not in study.records:
                continue
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
    insisted = is_insisted_on(study)
    return [
        Claim(
            "alignment raises the correlation of corresponding units in every layer",
            all(rising),
            f"{sum(rising)} of {len(rising)} layers, "
            f"{m['endpoints']['before']:.2f} to {m['endpoints']['after']:.2f} on average",
            insisted,
        ),
        Claim(
            "the aligned curve's midpoint is more like its ends than the unaligned one's",
            aligned["before"] > unaligned["before"],
            f"{aligned['before']:.2f} against {unaligned['before']:.2f}",
            insisted,
        ),
        Claim(
            "aligning the aligned curve's midpoint anew gains less than aligning the endpoints",
            gain["aligned curve"] < gain["endpoints"],
            f"{gain['aligned curve']:.2f} against {gain['endpoints']:.2f}",
            insisted,
        ),
        Claim(
            "a learned midpoint is more like the ends than the midpoint of the unaligned line",
            unaligned["before"] > m["unaligned line"]["before"],
            f"{unaligned['before']:.2f} against {m['unaligned line']['before']:.2f}",
            insisted,
        ),
        Claim(
            'the unaligned curve\'s midpoint is "mostly aligned" to its ends: as it is, it has '
            "more than half of the correlation that matching it anew would give",
            unaligned["before"] > unaligned["after"] / 2,
            f"{unaligned['before']:.2f} of {unaligned['after']:.2f}",
            insisted=False,
        ),
        Claim(
            'on the aligned curve the two are "almost identical": less than 0.05 apart',
            gain["aligned curve"] < 0.05,
            f"{aligned['before']:.3f} and {aligned['after']:.3f}",
            insisted=False,
        ),
    ]


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each subject."""

    def cell(of: Study | None) -> str:
        if of is None:
            return "–"
        found = means(of)["endpoints"]
        return f"{found['before']:.2f} to {found['after']:.2f} (n = {of.config['pairs']})"

    return [
        {
            "claim": f"Fig. 1a, {subject}: mean correlation of units, before to after",
            "paper": "rises in every layer (figure only)",
            "recorded": cell(study) if recorded else "not run",
            "build": cell(built.get(subject)),
            "verdict": verdict(claims(study)),
        }
        for subject, study in (recorded or built).items()
    ]


def _mean_of(lists: Iterable[Sequence[float]]) -> list[float]:
    return [fmean(values) for values in zip(*lists, strict=True)]


def _over_pairs(lists: Sequence[Sequence[float]]) -> list[Summary]:
    return [summarise(values) for values in zip(*lists, strict=True)]
