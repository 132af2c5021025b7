"""Chapter 13: learned curves between networks, unaligned, aligned, and with PAM's permutations.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Tables 1 and 2, claims

Reproduces Tatro et al. 2020, Tables 1 and 2, Fig. 3 (right, bottom left) and Fig. 6. What the
paper prints is set beside the records in `published_curves`.
"""

from collections.abc import Mapping

import pandas as pd

from modeconn_lib.experiments import pages, tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.neuron_alignment import curve_profiles, pam_tasks, published_curves
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profile
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

PROFILES = curve_profiles.PROFILES
KINDS = ("unaligned", "pam_unaligned", "pam_aligned", "aligned")
PAM = "pam_"
# Subjects of TinyTen without whose claims no page is built; for others they are questions.
INSISTED = tuple((name, "tinyten") for name in ("fashion_mnist_small", "cifar10", "cifar100"))


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name, ``kind/pair/variant``.

    Names: ``endpoint/0/A``, ``alignment/0``, ``curve/0/aligned``, ``along/0/aligned/curve``,
    ``along/0/unaligned/line``. The kinds of PAM are there where the profile has a recipe for
    its permutations.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        for side, name in enumerate("AB"):
            out[f"endpoint/{pair}/{name}"] = tasks.endpoint(setting, pair, side)
        out[f"alignment/{pair}"] = tasks.alignment(setting, pair)
        for kind, aligned in (("unaligned", False), ("aligned", True)):
            out[f"curve/{pair}/{kind}"] = tasks.curve(setting, pair, aligned=aligned)
            for shape, learned in (("line", False), ("curve", True)):
                out[f"along/{pair}/{kind}/{shape}"] = tasks.along(
                    setting, pair, aligned=aligned, learned=learned
                )
            if setting.numbers.permutation:
                found, path = (f"{step}/{pair}/{PAM}{kind}" for step in ("curve", "along"))
                out[found] = pam_tasks.pam(setting, pair, aligned=aligned)
                out[f"{path}/curve"] = pam_tasks.along(setting, pair, aligned=aligned)
    return out


CHAPTER = Chapter("13_learned_curves", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def beside(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> tuple[Study, Study | None]:
    """Return this build's first study, and the recorded one that the page sets beside it.

    That of the same subject where there is one, or else the first.
    """
    subject, study = next(iter(built.items()))
    return study, recorded.get(subject) or next(iter(recorded.values()), None)


def published_profile(study: Study) -> Profile:
    """Return the paper's protocol for a study's network and data set, or for the first of all."""
    own = (study.config["dataset"], study.config["architecture"])
    found = [one for one in PROFILES["paper"] if (one.dataset, one.architecture) == own]
    return (found or PROFILES["paper"])[0]


def is_insisted_on(study: Study) -> bool:
    """Return whether a page may not be built without the claims on a study's subject."""
    return (study.config["dataset"], study.config["architecture"]) in INSISTED


def kinds(study: Study) -> list[str]:
    """Return the kinds of curves that were learned, in the order of `KINDS`."""
    return [kind for kind in KINDS if f"curve/0/{kind}" in study.records]


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the page by name, over pairs; accuracies in percent, losses in nats.

    Names: ``endpoint accuracy``; ``<kind> curve average``, ``… average uniform``, ``… minimum``,
    ``… train loss`` (penalty included, mean of the last epoch), ``<kind> line midpoint``,
    ``<kind> line barrier`` (test loss), ``<kind> curve barrier``. No straight line is measured
    with PAM's permutations.
    """
    out = {"endpoint accuracy": _percent(study, "endpoint/", "test_accuracy")}
    for kind in kinds(study):
        curve, line = (study.over_pairs("along", f"{kind}/{shape}") for shape in ("curve", "line"))
        for name, scalar in (
            ("average", "average_accuracy_arc"),
            ("average uniform", "average_accuracy_uniform"),
            ("minimum", "minimum_accuracy"),
        ):
            out[f"{kind} curve {name}"] = summarise(100 * r.number(scalar) for r in curve)
        learned = study.over_pairs("curve", kind)
        out[f"{kind} curve train loss"] = summarise(r.number("train_loss") for r in learned)
        if line:
            middle = [100 * record.number("midpoint_accuracy") for record in line]
            out[f"{kind} line midpoint"] = summarise(middle)
            out[f"{kind} line barrier"] = summarise(r.number("barrier_test") for r in line)
        out[f"{kind} curve barrier"] = summarise(r.number("barrier_test") for r in curve)
    return out


def claims(study: Study) -> list[Claim]:
    """Return what the page says of the records, and whether it is so."""
    s = summaries(study)
    both, insisted = ("unaligned", "aligned"), is_insisted_on(study)
    minimum = [s[f"{kind} curve minimum"].mean for kind in both]
    average = [s[f"{kind} curve average"].mean for kind in both]
    loss = [s[f"{kind} curve train loss"].mean for kind in both]
    middle = [s[f"{kind} line midpoint"].mean for kind in both]
    return [
        Claim(
            "aligned, the straight line's midpoint is at least twice as accurate",
            middle[1] >= 2 * middle[0],
            f"{middle[0]:.1f} % to {middle[1]:.1f} %",
            insisted=insisted,
        ),
        Claim(
            "the worst network on the learned curve is better aligned than unaligned",
            minimum[1] > minimum[0],
            f"{minimum[0]:.1f} % against {minimum[1]:.1f} %",
            insisted=insisted,
        ),
        Claim(
            "the average accuracy along the learned curve is higher aligned than unaligned",
            average[1] > average[0],
            f"{average[0]:.1f} % against {average[1]:.1f} %",
            insisted=insisted,
        ),
        Claim(
            "the curve's training loss ends lower aligned than unaligned",
            loss[1] < loss[0],
            f"{loss[0]:.3f} against {loss[1]:.3f} nats",
            insisted=insisted,
        ),
    ]


def table(study: Study, recorded: Study | None) -> pd.DataFrame:
    """Return Tables 1 and 2: the paper, the recorded study, this build, one row for each number."""
    said = published_curves.texts((recorded or study).config)
    now, then = summaries(study), summaries(recorded) if recorded else {}
    rows = []
    for name in dict.fromkeys([*then, *now]):
        digits = 3 if "loss" in name or "barrier" in name else 1
        rows.append(
            {
                "": pages.readable(name),
                "paper": said.get(name, "–"),
                "recorded": then[name].text(digits) if name in then else "–",
                "this build": now[name].text(digits) if name in now else "–",
            }
        )
    return pd.DataFrame(rows)


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: each subject's kinds of curves."""
    rows = []
    for subject, study in (recorded or built).items():
        said, s = published_curves.texts(study.config), summaries(study)
        for kind in ("unaligned", "aligned"):  # the others have their rows in chapter 15
            average, minimum = (f"{kind} curve {what}" for what in ("average", "minimum"))
            cell = f"{s[average].text()} / {s[minimum].text()} (n = {s[average].n})"
            here = subject in built
            now = summaries(built[subject]) if here else {}
            rows.append(
                {
                    "claim": f"Table 1, {subject}, {WORDS[kind]} curve: average / minimum, %",
                    "paper": f"{said[average]} / {said[minimum]}" if average in said else "–",
                    "recorded": cell if recorded else "not run",
                    "build": f"{now[average].text()} / {now[minimum].text()}"
                    if average in now
                    else "–",
                    "verdict": verdict(claims(study)),
                }
            )
    return rows


WORDS = {
    "unaligned": "unaligned",
    "pam_unaligned": "PAM unaligned",
    "pam_aligned": "PAM aligned",
    "aligned": "aligned",
}


def _percent(study: Study, prefix: str, scalar: str) -> Summary:
    return summarise(100 * r.number(scalar) for r in study.select(prefix).values())
