"""Chapter 34: ensembles whose members share the first layers of one of them.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Fig. 7, cost, claims

Reproduces Anokhin & Yarotsky 2020, section 6 and Fig. 7.
"""

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from statistics import fmean

from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.distribution import (
    deep_networks,
    distribution_profiles,
    ensemble_steps,
)
from modeconn_lib.experiments.distribution.connection_steps import linear_layers
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profiles
from modeconn_lib.experiments.protocols import NOTHING
from modeconn_lib.models.registry import outline
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

PROFILES: Profiles = distribution_profiles.ENSEMBLES


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``member/0``, ``independent``, and ``shared/fc2`` for every layer that can be the first
    of each member's own.

    Raises
    ------
    Refusal
        If the network is no chain of layers with one hidden layer or more.
    """
    deep_networks.refuse_others(setting.architecture, CHAPTER.name)
    out = {f"member/{i}": task for i, task in enumerate(ensemble_steps.members(setting))}
    out["independent"] = ensemble_steps.independent(setting)
    for layer in splits(setting.architecture):
        out[f"shared/{layer}"] = ensemble_steps.sharing(setting, layer)
    return out


@cache
def splits(name: str) -> tuple[str, ...]:
    """Return the layers that can be the first of each member's own: all but the first."""
    return linear_layers(outline(name))[1:]


CHAPTER = Chapter("34_wa_ensembles", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def from_the_end(study: Study) -> dict[str, int]:
    """Return each split's number, counted from the last layer: the n of the paper's WA(n)."""
    layers = [name.removeprefix("shared/") for name in study.select("shared/")]
    return {layer: len(layers) - i for i, layer in enumerate(layers)}


def summaries(study: Study) -> dict[str, Summary]:
    """Return the page's numbers, percent.

    Names: ``single network`` (mean over networks), ``independent ensemble``, and ``WA(n)`` of all
    networks together, n counted from the last layer; ``averaged network``, the one that the
    members of WA(1) can be made into.
    """
    alone = study["independent"].series["alone_accuracy"]
    out = {"single network": summarise(100 * value for value in alone)}
    out["independent ensemble"] = _last(study, "independent", "accuracy")
    for layer, n in from_the_end(study).items():
        out[f"WA({n})"] = _last(study, f"shared/{layer}", "accuracy")
        if n == 1:
            out["averaged network"] = _last(study, f"shared/{layer}", "averaged_accuracy")
    return out


def _last(study: Study, name: str, series: str) -> Summary:
    return summarise([100 * study[name].series[series][-1]])


COLUMNS = ("ensemble", "test accuracy, %", "test loss, nats", "multiply-adds", "parameters")


def table(study: Study) -> list[list[str]]:
    """Return accuracy, loss and cost of all networks together, as rows of `COLUMNS`.

    Costs are in single networks.
    """
    one, whole = study["independent"], study["independent"].series
    n, alone = len(whole["members"]), summaries(study)["single network"]
    loss = fmean(whole["alone_loss"])
    rows = [["single network", alone.text(2), f"{loss:.3f}", "1", "1"]]
    rows.append(
        [
            "independent",
            f"{100 * whole['accuracy'][-1]:.2f}",
            f"{whole['loss'][-1]:.3f}",
            str(n),
            str(n),
        ]
    )
    for layer, number in reversed(from_the_end(study).items()):
        s = study[f"shared/{layer}"].series
        cost = [s[what][-1] / one.number(what) for what in ("multiply_adds", "parameters")]
        words = f"WA({number}): shared up to {layer}"
        cells = [f"{100 * s['accuracy'][-1]:.2f}", f"{s['loss'][-1]:.3f}"]
        rows.append([words, *cells, *(f"{c:.2f}" for c in cost)])
        if "averaged_accuracy" in s:
            cells = [f"{100 * s['averaged_accuracy'][-1]:.2f}", f"{s['averaged_loss'][-1]:.3f}"]
            rows.append(["WA(1), averaged to one network", *cells, "1.00", "1.00"])
    return rows


def claims(study: Study) -> list[Claim]:
    """Return what the paper says of the ensembles, and whether it is so."""
    found = {name: summary.mean for name, summary in summaries(study).items()}
    shared = [found[f"WA({n})"] for n in sorted(from_the_end(study).values(), reverse=True)]
    single, whole = found["single network"], found["independent ensemble"]
    splits = list(from_the_end(study))
    losses = [study[f"shared/{layer}"].series["loss"][-1] for layer in splits]
    said = ", ".join(f"{value:.3f}" for value in losses)
    averaged = study[f"shared/{splits[-1]}"].series["averaged_loss"][-1]
    alone = study["independent"].series["alone_loss"]
    return [
        Claim(
            "the ensemble of independent networks is the most accurate",
            whole >= max(shared),
            f"{whole:.2f} % against {max(shared):.2f} %",
            insisted=False,
        ),
        Claim(
            "with the shortest shared backbone the ensemble has a lower loss than a single network",
            losses[0] < fmean(alone),
            f"{losses[0]:.3f} against {fmean(alone):.3f} nats",
        ),
        Claim(
            "it is more accurate, too",
            shared[0] > single,
            f"{shared[0]:.2f} % against {single:.2f} %",
            insisted=False,
        ),
        Claim(
            "the longer the shared backbone, the higher the loss",
            all(a <= b for a, b in pairwise(losses)),
            f"{said} nats, from short to long",
            insisted=False,
        ),
        Claim(
            "averaged to one network, WA(1) has no higher loss than the worst of the networks",
            averaged <= max(alone),
            f"{averaged:.3f} against {max(alone):.3f} nats",
            insisted=False,
        ),
    ]


def scorecard(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded subject."""
    return [
        {
            "claim": f"Fig. 7, {subject}: test accuracy of all networks together, %",
            "paper": "independent, then WA(14), and so on down to a single network (figure only)",
            "recorded": _words(study) if recorded else "not run",
            "build": _words(built[subject]) if subject in built else NOTHING,
            "verdict": verdict(claims(study)),
        }
        for subject, study in (recorded or built).items()
    ]


def _words(study: Study) -> str:
    cells = [f"{name} {summary.text(2)}" for name, summary in summaries(study).items()]
    return f"{'; '.join(cells)} ({len(study.select('member/'))} networks)"
