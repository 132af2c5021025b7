"""Chapter 12: what "alike" is to mean when units are matched.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Fig. 2, eq. 31, claims

Reproduces Tatro et al. 2020, Fig. 2, appendix C.3 and the remark of section 3.1 on fewer images.
Every cost is taken on the same networks; the curves of a pair see the same batches and t.
"""

from collections.abc import Mapping
from dataclasses import replace

from modeconn_lib.core.scientific import scientific
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import cost_tasks, curve_profiles
from modeconn_lib.experiments.neuron_alignment.cost_readings import (
    MATCHED,
    WORDS,
    gaps_of,
    subsets,
    summaries,
)
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.permutation.sites import Stage
from modeconn_lib.results.study import Study
from modeconn_lib.training.fit import Recipe

# The similarity of each cost, and where the units are looked at. The first is the paper's choice.
COSTS: dict[str, tuple[str, Stage]] = {
    "aligned": ("correlation", "post"),
    "correlation_pre": ("correlation", "pre"),
    "l2_post": ("l2", "post"),
    "l2_pre": ("l2", "pre"),
}

PROFILES: Profiles = {
    "smoke": (replace(SMOKE, pairs=1),),
    # Five curves of a pair in a minute: 2 epochs each, and coarser looks at them.
    "quick": (
        replace(
            QUICK,
            curve=Recipe(epochs=2, weight_decay=0.0),
            statistics_examples=500,
            measure_examples=200,
            points=5,
        ),
    ),
    # Curves on CIFAR-10 only; on CIFAR-100 the paper asks about fewer images. A pair of each: five
    # curves are what costs.
    "standard": (
        replace(STANDARD, pairs=1),
        replace(curve_profiles.STANDARD_CIFAR100, pairs=1, curve=None, penalty=0.0),
    ),
    "paper": tuple(p for p in curve_profiles.PROFILES["paper"] if p.architecture == "tinyten"),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``endpoint/0/A``, ``alignment/0/l2_pre``, ``constrained/0``, ``costs/0``,
    ``subsets/0``, ``along/0/l2_pre/line``; where the profile learns curves ``curve/0/l2_pre``,
    ``along/0/l2_pre/curve``. No curve is learned for the constrained match: where the budget
    makes no difference it would be that of ``l2_post``.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        a, b = tasks.ends(setting, pair)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b}
        matched = {
            name: tasks.alignment(setting, pair, similarity=similarity, stage=stage)
            for name, (similarity, stage) in COSTS.items()
        }
        out |= {f"alignment/{pair}/{name}": task for name, task in matched.items()}
        matched["constrained"] = cost_tasks.constrained(setting, pair)
        out[f"constrained/{pair}"] = matched["constrained"]
        out[f"costs/{pair}"] = cost_tasks.costs(setting, pair, matched)
        out[f"subsets/{pair}"] = cost_tasks.subsets(setting, pair)
        for name in WORDS:
            out |= _paths(setting, pair, name, matched.get(name))
    return out


def _paths(setting: Setting, pair: int, name: str, matched: Task | None) -> dict[str, Task]:
    """Return the straight line of one cost and, where curves are learned, its curve."""
    # The two kinds that chapter 13 has, too, keep their labels.
    words = "" if name in ("unaligned", "aligned") else f"{WORDS[name]}: aligned"
    aligned, path = matched is not None, f"along/{pair}/{name}"
    along = {
        shape: tasks.along(
            setting, pair, aligned=aligned, learned=shape == "curve", matched=matched, words=words
        )
        for shape in ("line", *(("curve",) if _learns(setting, name) else ()))
    }
    out = {f"{path}/{shape}": task for shape, task in along.items()}
    if "curve" in along:
        curve = tasks.curve(setting, pair, aligned=aligned, matched=matched, words=words)
        out = {f"curve/{pair}/{name}": curve, **out}
    return out


def _learns(setting: Setting, name: str) -> bool:
    return setting.numbers.curve is not None and name != "constrained"


CHAPTER = Chapter("12_alignment_costs", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so."""
    s = summaries(study)
    middle = {name: s[f"{name} line midpoint"].mean for name in WORDS}
    gain = {name: middle[name] - middle["unaligned"] for name in MATCHED}
    least = min(gain, key=lambda name: gain[name])
    out = [
        Claim(
            "at the straight line's midpoint every cost gains at least half of the accuracy that "
            "the best one gains over unaligned",
            gain[least] > 0 and gain[least] >= max(gain.values()) / 2,
            f"{middle['unaligned']:.1f} % unaligned, {middle[least]:.1f} % with the worst "
            f"({WORDS[least]}), {max(middle.values()):.1f} % with the best",
        )
    ]
    if study.select("curve/"):
        out += _of_curves({name: s[f"{name} curve average"].mean for name in ("unaligned", *COSTS)})
    return out + _of_budgets(study) + _of_subsets(study)


def _of_curves(average: Mapping[str, float]) -> list[Claim]:
    """Return the three sentences below the paper's Fig. 2."""
    found = "; ".join(f"{WORDS[name]}: {value:.2f}" for name, value in average.items()) + " %"
    post, pre = (("aligned", "l2_post"), ("correlation_pre", "l2_pre"))
    correlation, l2 = (("aligned", "correlation_pre"), ("l2_post", "l2_pre"))
    return [
        Claim(text, holds, found, insisted=False)
        for text, holds in (
            (
                "with every cost the learned curve is more accurate on average than the "
                "unaligned one",
                min(average[name] for name in COSTS) > average["unaligned"],
            ),
            (
                "on learned curves, post-activations do better than pre-activations",
                all(average[x] > average[y] for x, y in zip(post, pre, strict=True)),
            ),
            (
                "on learned curves, correlation does better than squared distance",
                all(average[x] > average[y] for x, y in zip(correlation, l2, strict=True)),
            ),
        )
    ]


def _of_budgets(study: Study) -> list[Claim]:
    found = study.select("constrained/").values()
    bound = sum(x > 0 for r in found for x in r.series["multiplier"])
    layers = sum(len(r.series["multiplier"]) for r in found)
    gaps = [gap for r in found for gap in gaps_of(r)]
    proven = sum(gap <= 0 for gap in gaps)
    return [
        Claim(
            "the budget of equation 31 makes no difference: the best match of post-activations "
            "keeps to it in every layer",
            bound == 0,
            f"it binds in {bound} of {layers} layers",
        ),
        Claim(
            "within every budget tried, the match found is proven to be the best",
            proven == len(gaps),
            f"{proven} of {len(gaps)}; the widest gap is {scientific(100 * max(gaps))} % of "
            "the cost",
            insisted=False,
        ),
    ]


def _of_subsets(study: Study) -> list[Claim]:
    found = subsets(study)
    *fewer, most = found
    return [
        Claim(
            "fewer images give the same permutation",
            all(found[size]["same"].mean == 100 for size in fewer),
            "; ".join(f"{size:,} images: {found[size]['same'].mean:.1f} %" for size in fewer)
            + f" of the units as with {most:,}",
            insisted=False,
        ),
        Claim(
            "a quarter of the images loses less than 5 % of what the matching gains",
            found[fewer[0]]["lost"].mean < 5,
            f"{found[fewer[0]]['lost'].mean:.2f} %",
        ),
    ]


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        shape = "curve average" if study.select("curve/") else "line midpoint"
        rows.append(
            {
                "claim": f"Fig. 2, {subject}, by cost: {shape}, %",
                "paper": "post above pre, correlation above L2, all above unaligned (figure only)",
                "recorded": _by_cost(study, shape) if recorded else "not run",
                "build": _of_build(subject, built, shape),
                "verdict": verdict(claims(study)),
            }
        )
    return rows


def _of_build(subject: str, built: Mapping[str, Study], shape: str) -> str:
    """Return this build's numbers of a subject; of its own subjects, named, if it has not that."""
    if subject in built:
        return _by_cost(built[subject], shape)
    return " / ".join(f"{name}: {_by_cost(study, shape)}" for name, study in built.items())


def _by_cost(study: Study, shape: str) -> str:
    """Return a number of every cost that has it, in words."""
    s = summaries(study)
    cells = [
        f"{WORDS[name]} {s[f'{name} {shape}'].text()}" for name in WORDS if f"{name} {shape}" in s
    ]
    return f"{'; '.join(cells)} (n = {s['unaligned line midpoint'].n})" if cells else "not run"
