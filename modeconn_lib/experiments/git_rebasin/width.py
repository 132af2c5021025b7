"""Chapter 23: the barrier between two networks by their width, as they are and matched by weights.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  families  ->  Fig. 4, claims

Reproduces Ainsworth et al. 2022, Fig. 4. A *family* is what networks are that differ in nothing
but their width: one `Study`, whose records have the width in front of their names. Width is the
number of units of the first hidden layer.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import torch

from modeconn_lib.datasets.registry import dataset
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import lines
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.pages import NOTHING
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profile, Profiles
from modeconn_lib.experiments.runner import Options
from modeconn_lib.models.registry import architecture
from modeconn_lib.results.store import Store
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary

METHODS = ("naive", "weights")
ZERO = 0.01  # nats: what is called a barrier of zero

_MLPS = ("mlp_w16", "mlp_w32", "mlp_w64", "mlp_w128", "mlp")
_VGGS = tuple(f"vgg16_layernorm_w{width}" for width in (8, 16, 32, 64, 128, 256))
_RESNETS = ("resnet20_layernorm", *(f"resnet20_layernorm_x{w}" for w in (2, 4, 8, 16, 32)))


def _short(numbers: Profile, rate: float) -> Profile:
    """Return a convolutional network's numbers as far as two cores get: far from the paper's.

    So the page's claims are not insisted on.
    """
    recipe = replace(numbers.endpoint, epochs=8, schedule="warmup_1", learning_rate=rate)
    return replace(
        numbers,
        pairs=1,
        train_examples=10_000,
        test_examples=2_000,
        endpoint=recipe,
        align_examples=2_000,
        statistics_examples=2_000,
        measure_examples=2_000,
        points=9,
        orders=3,
        claims=False,
    )


def _of(numbers: Profile, names: Iterable[str]) -> tuple[Profile, ...]:
    return tuple(replace(numbers, architecture=name) for name in names)


PROFILES: Profiles = {
    "smoke": _of(scale.TINY_MLP, _MLPS[:2]),
    "quick": _of(scale.SMALL_MLP, _MLPS),
    "standard": (
        *_of(replace(scale.STANDARD_MNIST_MLP, pairs=2), _MLPS),
        # At the paper's rate, 0.1, the narrowest VGG16 is still at chance after these few steps.
        *_of(_short(scale.CIFAR_VGG, rate=0.01), _VGGS[:3]),
        *_of(_short(scale.CIFAR_RESNET, rate=0.1), _RESNETS[:2]),
    ),
    "paper": (*_of(scale.CIFAR_VGG, _VGGS), *_of(scale.CIFAR_RESNET, _RESNETS)),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return the tasks of one width by name, as `lines.plan`."""
    return lines.plan(setting, METHODS)


CHAPTER = Chapter("23_width", plan, PROFILES)


def run(setting: Setting, store: Store, options: Options | None = None) -> dict[str, Study]:
    """Return each family's records, computing what the store lacks (raises as `runner.run`)."""
    return families(CHAPTER.run(setting, store, options).values())


def recorded(setting: Setting, store: Store) -> dict[str, Study]:
    """Return every family with all widths that are wholly recorded, if they are two or more."""
    found = families(CHAPTER.recorded(setting, store).values())
    return {name: study for name, study in found.items() if len(widths(study)) > 1}


def families(studies: Iterable[Study]) -> dict[str, Study]:
    """Return one study for each family, its widths in rising order.

    Widths of one family that were run at different profiles are not compared with each other: the
    profile with more widths is kept, of two with as many the first.
    """
    groups: dict[tuple[str, str], dict[int, Study]] = {}
    for study in studies:
        network = study.config["architecture"]
        name = _family(network, study.config["dataset_title"])
        groups.setdefault((name, study.profile), {})[width(network)] = study
    out: dict[str, Study] = {}
    for (name, _), found in groups.items():
        if name not in out or len(found) > len(widths(out[name])):
            out[name] = _joined(name, found)
    return out


def widths(study: Study) -> list[int]:
    """Return the widths of a family, rising."""
    return list(study.config["widths"])


def at(study: Study, of: int) -> Study:
    """Return what a family's study has of one width: a study that `lines` can read."""
    prefix = f"{of}/"
    records = {n.removeprefix(prefix): r for n, r in study.select(prefix).items()}
    return Study(study.name, study.profile, study.config, records)


def barriers(study: Study) -> dict[str, dict[int, list[float]]]:
    """Return the test barriers of all pairs, by method and width."""
    return {
        method: {
            w: [r.number("barrier_test") for r in lines.lines(at(study, w), method)]
            for w in widths(study)
        }
        for method in METHODS
    }


def extremes(shown: Mapping[str, Study]) -> dict[str, Study]:
    """Return the narrowest and the widest networks of each family, by the title of their panel."""
    return {
        f"{title}\n{study.config['widths'][w]}": at(study, w)
        for title, study in shown.items()
        for w in dict.fromkeys((widths(study)[0], widths(study)[-1]))
    }


def summaries(study: Study) -> dict[str, Summary]:
    """Return the numbers of `lines.summaries` for the narrowest and the widest networks.

    Names: those of `lines.summaries`, then ``narrow`` or ``wide``.
    """
    ends = {"narrow": widths(study)[0], "wide": widths(study)[-1]}
    return {
        f"{name} {which}": summary
        for which, w in ends.items()
        for name, summary in lines.summaries(at(study, w)).items()
    }


def words(who: str, study: Study | None) -> dict[str, str]:
    """Return what a page's prose says of a family's widths; all ``–`` where there is none."""
    found = [str(w) for w in widths(study)] if study else [NOTHING]
    return {
        f"{who} widths": ", ".join(found),
        f"{who} smallest width": found[0],
        f"{who} largest width": found[-1],
        f"{who} family": str(study.config["subject"]) if study else NOTHING,
    }


def rows(shown: Mapping[str, Study]) -> list[list[str]]:
    """Return a table's rows, one for each family and width; `COLUMNS` are their heads."""
    out = []
    for title, study in shown.items():
        for w, name in study.config["widths"].items():
            of = at(study, w)
            s, (n, _, sagging) = lines.summaries(of), lines.flat(of, "weights", ZERO)
            numbers = [s[f"{method} test barrier"].text(3) for method in METHODS]
            excess, accuracy = s["weights test excess loss"], s["endpoint accuracy"]
            cells = [*numbers, excess.text(3), f"{sagging} of {n}", accuracy.text(1)]
            out.append([title, name, *cells])
    return out


COLUMNS = (
    "study",
    "network",
    "naive barrier",
    "matched barrier",
    "matched excess loss",
    f"pairs with an excess of at most {ZERO}",
    "endpoint accuracy",
)


def published() -> dict[str, list[int]]:
    """Return the widths of the paper's Fig. 4 by family."""
    out: dict[str, list[int]] = {}
    for p in PROFILES["paper"]:
        out.setdefault(_family(p.architecture, dataset(p.dataset).title), []).append(
            width(p.architecture)
        )
    return out


def reach(built: Mapping[str, Study], recorded: Mapping[str, Study]) -> list[list[str]]:
    """Return how far each got, as a table's rows: the paper, the recorded study, this build."""
    paper = published()
    return [
        [
            name,
            ", ".join(map(str, paper.get(name, [NOTHING]))),
            *(words("", found.get(name))[" widths"] for found in (recorded, built)),
        ]
        for name in dict.fromkeys((*paper, *recorded, *built))
    ]


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a family's records, and whether it is so."""
    means = {m: {w: sum(v) / len(v) for w, v in by.items()} for m, by in barriers(study).items()}
    naive, matched = (means[m] for m in METHODS)
    lower = [matched[w] < naive[w] for w in matched]
    out = [
        Claim(
            "at every width, matching weights lowers the test barrier",
            all(lower),
            f"at {sum(lower)} of {len(lower)} widths",
        )
    ]
    if len(matched) > 1:
        first, *_, last = matched.values()
        out.append(
            Claim(
                "matched, the test barrier is lower for the widest network than for the narrowest",
                last < first,
                f"{first:.3f} to {last:.3f} nats",
            )
        )
    return out


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: one for each recorded family."""
    out, paper = [], published()
    for name, study in (recorded or built).items():
        matched = barriers(study)["weights"]
        cells = [f"{w}: {sum(v) / len(v):.3f}" for w, v in matched.items()]
        pairs = sorted({len(v) for v in matched.values()})
        n = " to ".join(map(str, dict.fromkeys((pairs[0], pairs[-1]))))
        out.append(
            {
                "claim": f"Fig. 4, {name}: matched test barrier by width, nats",
                "paper": "falls with width, to zero for wide networks"
                if name in paper
                else "not in the paper",
                "recorded": f"{'; '.join(cells)} (n = {n})" if recorded else "not run",
                "build": "see the page",
                "verdict": verdict(claims(study)),
            }
        )
    return out


@cache
def width(name: str) -> int:
    """Return the units of an architecture's first hidden layer; nothing is allocated for it."""
    with torch.device("meta"):
        module = architecture(name).build((3, 32, 32), 10)
    return len(next(module.parameters()))


def _family(name: str, title: str) -> str:
    """Return what a network is called without its width, and on what: ``MLP on MNIST``."""
    without = re.sub(r"( 3)? × [0-9/]+$", "", architecture(name).title)
    return f"{without} on {title.partition(',')[0]}"


def _joined(name: str, found: Mapping[int, Study]) -> Study:
    """Return the studies of several widths as one."""
    rising = sorted(found)
    widest = found[rising[-1]]
    config = {
        **widest.config,
        "subject": name,
        "widths": {w: architecture(found[w].config["architecture"]).title for w in rising},
        "insists": all(one.config["insists"] for one in found.values()),
    }
    records = {f"{w}/{label}": r for w in rising for label, r in found[w].records.items()}
    return Study(widest.name, widest.profile, config, records)
