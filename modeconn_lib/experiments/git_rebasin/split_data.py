"""Chapter 24: two networks that saw different data, merged into one.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Figs. 5, 9 and 10, claims

Reproduces Ainsworth et al. 2022, section 5.4: A sees 20 % of the lower half of the classes and
80 % of the upper half, B the rest. Everything is measured on images of all classes alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.compared import percent
from modeconn_lib.experiments.git_rebasin import lines, matching_tasks
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

METHODS = ("naive", "weights")
# As `merging_steps.calibrate` names them: the two halves' networks, then what is made of them.
NETWORKS = ("A", "B", "naive", "merged", "ensemble", "full data")

_MLP = replace(
    scale.STANDARD_CIFAR_MLP,
    dataset="cifar100",
    endpoint=replace(scale.STANDARD_CIFAR_MLP.endpoint, epochs=12),
    orders=3,
    estimator=None,
)
# A thirty-second of the width of the paper's network: what the page claims is a question here.
_RESNET = replace(
    scale.CIFAR_RESNET,
    dataset="cifar100",
    pairs=1,
    endpoint=replace(scale.CIFAR_RESNET.endpoint, epochs=8, schedule="warmup_1"),
    align_examples=2_000,
    statistics_examples=2_000,
    measure_examples=2_000,
    points=13,
    estimator=None,
    claims=False,
)
_MNIST = replace(
    scale.STANDARD_MNIST_MLP,
    pairs=3,
    endpoint=replace(scale.STANDARD_MNIST_MLP.endpoint, epochs=15),
    estimator=None,
)

PROFILES: Profiles = {
    "smoke": (replace(scale.TINY_MLP, estimator=None),),
    "quick": (replace(scale.SMALL_MLP, estimator=None),),
    "standard": (_MLP, _RESNET, _MNIST),
    "paper": (
        replace(
            scale.CIFAR_RESNET,
            dataset="cifar100",
            architecture="resnet20_layernorm_x32",
            pairs=1,
            estimator=None,
        ),
    ),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name: those of `lines.of_pair`, and more for every pair.

    The others: ``endpoint/0/A`` and ``/B`` (a half of the data each), ``full/0`` (all of it),
    ``ensemble/0`` and ``calibration/0``. The halves are the same for all pairs; the networks differ
    by seed.
    """
    out: dict[str, Task] = {}
    for pair in range(setting.pairs):
        a, b = (_half(setting, pair, side) for side in (0, 1))
        full = tasks.endpoint(setting, pair, 0)
        out |= {f"endpoint/{pair}/A": a, f"endpoint/{pair}/B": b, f"full/{pair}": full}
        out |= lines.of_pair(setting, pair, a, b, METHODS)
        of = f"of pair {pair + 1}, halves of the data"
        out[f"ensemble/{pair}"] = matching_tasks.ensemble(setting, a, b, f"ensembles {of}")
        out[f"calibration/{pair}"] = matching_tasks.calibration(
            setting, (a, b, full), out[f"matching/{pair}/weights"], f"calibration {of}"
        )
    return out


CHAPTER = Chapter("24_split_data", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number over pairs; accuracies and calibration errors in percent, losses in nats.

    Names: ``<network> <split> <what>`` for the networks of `NETWORKS`, both splits, and as what
    ``loss``, ``accuracy``, ``calibration error`` and ``classwise calibration error``; then the
    ``barrier`` of both lines, as in `lines.summaries`.
    """
    of_lines = lines.summaries(study)
    barriers = {name: found for name, found in of_lines.items() if name.endswith("barrier")}
    return {
        f"{name} {split} {what}": summarise(
            (1 if what == "loss" else 100) * value
            for value in values(study, f"{name} {split} {what}")
        )
        for split in ("test", "train")
        for what in ("loss", "accuracy", "calibration error", "classwise calibration error")
        for name in NETWORKS
    } | barriers


def mergers(studies: Mapping[str, Study]) -> str:
    """Return the test losses of the merged network and of its inputs in every study."""
    said = []
    for subject, study in studies.items():
        s = summaries(study)
        merged, a, b = (s[f"{name} test loss"].text(3) for name in ("merged", "A", "B"))
        said.append(f"{subject}: {merged} merged, {a} and {b} alone")
    return "; ".join(said) or NOTHING


def values(study: Study, name: str) -> list[float]:
    """Return one number of the calibration records, for each pair."""
    return [record.number(name) for record in study.select("calibration/").values()]


def statements(study: Study) -> list[Claim]:
    """Return what the paper says, in its direction, and whether a subject's records bear it out.

    Its calibration is that of every class (Fig. 10); the last claim, that of the answers, is ours.
    """
    loss = {name: fmean(values(study, f"{name} test loss")) for name in NETWORKS}
    top, every = (
        {name: fmean(values(study, f"{name} test {kind}calibration error")) for name in NETWORKS}
        for kind in ("", "classwise ")
    )
    inputs = ("A", "B")
    return [
        *claims(study),
        _below(loss, inputs, "the merged network's test loss is below that of both its inputs"),
        _above(loss, ("ensemble",), "the merged network's test loss is above that of the ensemble"),
        _above(
            loss,
            ("full data",),
            "the merged network's test loss is above that of a network that saw all data",
        ),
        _below(
            every,
            inputs,
            "over every class (Fig. 10), the merged network is better calibrated than both its "
            "inputs",
            percent,
        ),
        _below(
            top,
            inputs,
            "in its answers alone (not in the paper), the merged network is better calibrated than "
            "both its inputs",
            percent,
        ),
    ]


def claims(study: Study) -> list[Claim]:
    """Return what the page itself claims of every subject, at any schedule and width."""
    loss = {name: fmean(values(study, f"{name} test loss")) for name in ("merged", "naive")}
    text = "the test loss of the network merged after matching is below that of the naive average"
    return [_below(loss, ("naive",), text)]


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    rows = []
    for subject, study in (recorded or built).items():
        s = summaries(study)
        found = [f"{name} {s[f'{name} test loss'].text(3)}" for name in NETWORKS]
        what = "classwise calibration error"
        error = [f"{name} {s[f'{name} test {what}'].text(3)}" for name in ("A", "B", "merged")]
        said = f"{'; '.join(found)}; {what} in percent: {', '.join(error)}"
        rows.append(
            {
                "claim": f"Figs. 5 and 10, {subject}: test losses after split training, nats, and "
                "calibration",
                "paper": "merged below A, B and naive; above ensemble and full data; better "
                "calibrated than A and B",
                "recorded": f"{said} (n = {s['merged test loss'].n})" if recorded else "not run",
                "build": "see the page",
                "verdict": verdict(statements(study)),
            }
        )
    return rows


def _half(setting: Setting, pair: int, side: int) -> Task:
    label = f"network {'AB'[side]} of pair {pair + 1}, on its half of the data"
    chosen = {"kind": "split", "side": side}
    return matching_tasks.part(setting, chosen, 2 * pair + side, label)


def _nats(loss: float) -> str:
    return f"{loss:.3f}"


def _below(
    found: Mapping[str, float],
    others: Sequence[str],
    text: str,
    unit: Callable[[float], str] = _nats,
) -> Claim:
    return Claim(text, all(found["merged"] < found[n] for n in others), _said(found, others, unit))


def _above(found: Mapping[str, float], others: Sequence[str], text: str) -> Claim:
    return Claim(text, all(found["merged"] > found[n] for n in others), _said(found, others, _nats))


def _said(found: Mapping[str, float], others: Sequence[str], unit: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {unit(found[name])}" for name in ("merged", *others))
