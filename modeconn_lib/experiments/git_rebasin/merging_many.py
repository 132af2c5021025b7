"""Chapter 25: many networks merged into one.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Table 2, Fig. 12, claims

Reproduces Ainsworth et al. 2022, appendix A.6: five networks that saw all images, and 32 that saw
a random half of them each.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.compared import percent
from modeconn_lib.experiments.git_rebasin import matching_tasks
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profile, Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.record import Record
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

# As many networks see all images, as in Table 2; of more, each sees its share, as in Fig. 12.
FEW = 5
SHARE = 0.5
QUANTITIES = ("train loss", "train accuracy", "test loss", "test accuracy")  # Table 2's columns
TOGETHER = ("merged", "naive", "ensemble")  # what is made of the networks
WHO = ("networks", "best network", *TOGETHER)


def _together(numbers: Profile, models: int, pairs: int, **changes: Any) -> Profile:
    """Return the profile of a subject that merges `models` networks at once."""
    few = models <= FEW
    return replace(
        numbers,
        models=models,
        pairs=pairs,
        share=1.0 if few else SHARE,
        estimator=None,
        variant="{models} together" if few else "{models} on halves",
        **changes,
    )


# The published numbers are losses on all images: there are few networks to measure.
_MNIST = replace(scale.STANDARD_MNIST_MLP, measure_examples=60_000)

PROFILES: Profiles = {
    "smoke": (_together(scale.TINY_MLP, 3, 2), _together(scale.TINY_MLP, 6, 3)),
    "quick": (_together(scale.SMALL_MLP, 5, 3), _together(scale.SMALL_MLP, 6, 3)),
    "standard": (
        _together(_MNIST, 5, 5),  # ten networks: two groups
        _together(_MNIST, 32, 16, endpoint=replace(_MNIST.endpoint, epochs=10)),
    ),
    "paper": (_together(scale.MNIST_MLP, 5, 5), _together(scale.MNIST_MLP, 32, 16)),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name: ``network/0`` and so on, and ``merger/0`` of each group."""
    out: dict[str, Task] = {}
    for number, members in enumerate(groups(setting)):
        networks = {f"network/{i}": _network(setting, i) for i in members}
        label = f"merging of {len(members)} networks, group {number + 1}"
        merger = matching_tasks.merger(setting, tuple(networks.values()), number, label)
        out |= networks | {f"merger/{number}": merger}
    return out


def groups(setting: Setting) -> list[range]:
    """Return the numbers of the networks that are merged together: as many groups as pairs allow.

    Where the reader's pairs hold fewer networks than the profile merges, these are one group.
    """
    available, size = 2 * setting.pairs, setting.models
    return [range(start, start + size) for start in range(0, available - size + 1, size)]


CHAPTER = Chapter("25_merge_many", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def networks(merger: Record) -> list[str]:
    """Return how a merger's record calls the networks that went into it."""
    names = dict.fromkeys(name.partition(" t")[0] for name in merger.scalars)
    return [name for name in names if name.startswith("network ")]


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number over groups; accuracies and calibration errors in percent.

    Names: ``<who> <split> <what>``. Who: ``networks`` (all of a group on average), ``best
    network`` (the group's lowest loss or error, or its highest accuracy), and those of `TOGETHER`.
    What: ``loss``, ``accuracy``, ``calibration error``, ``classwise calibration error``.
    """
    mergers = list(study.select("merger/").values())
    out = {}
    for split in ("test", "train"):
        for what in ("loss", "accuracy", "calibration error", "classwise calibration error"):
            factor = 1 if what == "loss" else 100
            each = [_numbers(merger, f"{split} {what}") for merger in mergers]
            for who in WHO:
                out[f"{who} {split} {what}"] = summarise(factor * of[who] for of in each)
    return out | {
        "sweeps": summarise(m.number("sweeps") for m in mergers),
        "spread, % of the unaligned": summarise(
            100 * m.series["distances"][-1] / m.series["distances"][0] for m in mergers
        ),
    }


def statements(study: Study) -> list[Claim]:
    """Return what the paper says, in its direction, and whether every group bears it out.

    Its calibration is that of every class (Fig. 12); that of the answers alone is ours.
    """
    mergers = study.select("merger/").values()
    loss = [_numbers(merger, "test loss") for merger in mergers]
    top, every = (
        [_numbers(merger, f"test {kind}calibration error") for merger in mergers]
        for kind in ("", "classwise ")
    )
    below = "the merged network's test loss is below that of every network"
    truer = "the merged network is better calibrated on test images than every network"
    return [
        _claim(below, loss, "best network"),
        _claim(f"over every class (Fig. 12), {truer}", every, "best network", percent),
        _claim(f"in its answers alone (not in the paper), {truer}", top, "best network", percent),
        *claims(study),
    ]


def claims(study: Study) -> list[Claim]:
    """Return what the page itself claims of every subject, at any schedule."""
    mergers = study.select("merger/").values()
    loss = [_numbers(merger, "test loss") for merger in mergers]
    distances = [merger.series["distances"] for merger in mergers]
    plain = "the merged network's test loss is below that of the plain mean of the networks"
    left = "; ".join(f"{100 * d[-1] / d[0]:.1f} %" for d in distances)
    return [
        _claim(plain, loss, "naive"),
        Claim(
            "the spread of the networks falls while they are matched, and never rises",
            all(_falls(d) for d in distances),
            f"{left} of it are left",
        ),
    ]


def sweeps(studies: Mapping[str, Study]) -> str:
    """Return after how many rounds each search ended, and whether it had settled by then."""
    said = []
    for subject, study in studies.items():
        each = " and ".join(
            f"{merger.number('sweeps'):.0f} ({'settled' if settled(merger) else 'stopped'})"
            for merger in study.select("merger/").values()
        )
        said.append(f"{subject}: {each} of at most {study.config['rounds']}")
    return "; ".join(said) or NOTHING


def settled(merger: Record) -> bool:
    """Return whether the last round gained nothing: then the spread was not noted once more."""
    return len(merger.series["distances"]) <= merger.number("sweeps")


def table(built: Study | None, recorded: Study | None, split: str) -> list[list[str]]:
    """Return Table 2 for one split: network, then loss / accuracy of paper, recorded, this build.

    Of each study the first group is shown, and only if it is of as many networks as the paper's.
    """
    paper = published("git_rebasin_table2")
    studies = [_first_group(one) if one else None for one in (recorded, built)]
    rows = []
    for i, row in enumerate(paper[:-1]):
        said = [_cell(record, f"network {i + 1}", split) for record in studies]
        rows.append([f"seed {i + 1}", _pair(row, split), *said])
    columns = (f"{split}_loss", f"{split}_accuracy")
    mean = {column: fmean(float(row[column]) for row in paper[:-1]) for column in columns}
    rows.append(["their mean", _pair(mean, split), *(_cell(r, "networks", split) for r in studies)])
    rows.append(
        ["MergeMany", _pair(paper[-1], split), *(_cell(r, "merged", split) for r in studies)]
    )
    for who, words in (("naive", "plain mean of weights"), ("ensemble", "ensemble of logits")):
        rows.append([words, "–", *(_cell(record, who, split) for record in studies)])
    return rows


def decreases(built: Study | None, recorded: Study | None) -> dict[str, str]:
    """Return by how many percent merging lowers the test loss, as text.

    Names: ``<paper, build or recorded> decrease from <mean or best>``; of a study the first group.
    """
    mean, best = _published_inputs()
    merged = float(published("git_rebasin_table2")[-1]["test_loss"])
    found = {"paper": {"networks": mean, "best network": best, "merged": merged}}
    for who, study in (("build", built), ("recorded", recorded)):
        found[who] = _numbers(_first_group(study), "test loss") if study else {}
    return {
        f"{who} decrease from {words}": f"{100 * (1 - of['merged'] / of[name]):.1f}" if of else "–"
        for who, of in found.items()
        for words, name in (("mean", "networks"), ("best", "best network"))
    }


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        s, few = summaries(study), study.config["share"] == 1
        loss = "; ".join(f"{name} {s[f'{name} test loss'].text(4)}" for name in WHO)
        what = "classwise calibration error"
        error = "; ".join(f"{name} {s[f'{name} test {what}'].text(3)}" for name in WHO)
        before = "Table 2, {}: test loss, nats" if few else f"Fig. 12, {{}}: {what}, %"
        paper = "merged {[test_loss]}, mean {:.4f}, best {:.4f}".format(
            published("git_rebasin_table2")[-1], *_published_inputs()
        )
        rows.append(
            {
                "claim": before.format(subject),
                "paper": paper if few else "merged better calibrated than every network",
                "recorded": f"{loss if few else error} (n = {s['merged test loss'].n})"
                if recorded
                else "not run",
                "build": "see the page",
                "verdict": verdict(statements(study)),
            }
        )
    return rows


def _network(setting: Setting, i: int) -> Task:
    """Return the training of network i: on all images, or on a random share of its own."""
    share = setting.numbers.share
    if share == 1:
        return tasks.endpoint(setting, i // 2, i % 2)
    chosen = {"kind": "random", "share": share, "seed": derive(setting.seed, "share", i)}
    return matching_tasks.part(setting, chosen, i, f"network {i + 1} on a random half of the data")


def _numbers(merger: Record, what: str) -> dict[str, float]:
    """Return one number of those who are made, and of the networks: their mean and the best."""
    found = [merger.number(f"{name} {what}") for name in networks(merger)]
    best = max(found) if what.endswith("accuracy") else min(found)
    made = {who: merger.number(f"{who} {what}") for who in TOGETHER}
    return {"networks": fmean(found), "best network": best, **made}


def _nats(loss: float) -> str:
    return f"{loss:.4f}"


def _claim(
    text: str,
    of: list[dict[str, float]],
    other: str,
    unit: Callable[[float], str] = _nats,
) -> Claim:
    said = "; ".join(f"merged {unit(n['merged'])}, {other} {unit(n[other])}" for n in of)
    return Claim(text, all(each["merged"] < each[other] for each in of), said)


def _falls(distances: Any) -> bool:
    steps = list(pairwise(distances))
    return bool(steps) and all(after <= before for before, after in steps)


def _first_group(study: Study) -> Record:
    return next(iter(study.select("merger/").values()))


def _cell(merger: Record | None, who: str, split: str) -> str:
    """Return a study's loss / accuracy of one network, or of their mean."""
    if merger is None or len(networks(merger)) != len(published("git_rebasin_table2")) - 1:
        return "–"
    loss, accuracy = (
        _numbers(merger, f"{split} {what}")[who]
        if who == "networks"
        else merger.number(f"{who} {split} {what}")
        for what in ("loss", "accuracy")
    )
    return _pair({f"{split}_loss": loss, f"{split}_accuracy": accuracy}, split)


def _pair(row: Mapping[str, Any], split: str) -> str:
    return f"{float(row[f'{split}_loss']):.4f} / {float(row[f'{split}_accuracy']):.4f}"


def _published_inputs() -> tuple[float, float]:
    losses = [float(row["test_loss"]) for row in published("git_rebasin_table2")[:-1]]
    return fmean(losses), min(losses)
