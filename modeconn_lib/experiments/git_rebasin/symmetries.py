"""Chapter 27: how many orders of units there are, and how fast weight matching finds one.

Setting  ->  plan  ->  runner  ->  a Study for each subject  ->  Table 1, recoveries, claims

Reproduces Ainsworth et al. 2022, Table 1 and appendix A.2. Of a data set only the shape of its
images matters, except where the networks that permutations are planted in are trained ones.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modeconn_lib.core.seeds import derive
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.claims import Claim, verdict
from modeconn_lib.experiments.git_rebasin import merging_profiles as scale
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import Profile, Profiles
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.counting import PUBLISHED_LAYERS
from modeconn_lib.results.provenance import PACKAGE
from modeconn_lib.results.reference import published
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

PASSES = 4  # over the layers, at most: what the paper needed

# Rows of table 1: name in data/reference, our network, and the layers that the paper counts.
TABLE = {
    "mlp_3x512": ("mlp", (1, 28, 28), "MLP (3 layers, 512 width)"),
    "vgg16": ("vgg16_layernorm_4096", (3, 32, 32), "VGG16"),
    "resnet50": ("resnet50", (3, 64, 64), "ResNet50"),
}
# Which timed network answers which published time (appendix A.2).
TIMED = {"mlp": "mlp_3x512", "resnet50": "resnet50", "resnet20_layernorm_x32": "resnet20_32x"}


def _fresh(numbers: Profile, name: str, networks: int, searches: int = 1) -> Profile:
    """Return the subject of freshly drawn networks: those after 0 epochs."""
    subject = f"{architecture(name).title}, fresh"
    return replace(
        numbers,
        architecture=name,
        pairs=networks,
        orders=searches,
        epochs=(0,),
        subject=subject,
    )


def _trained(numbers: Profile) -> Profile:
    return replace(
        numbers, orders=1, subject=f"{architecture(numbers.architecture).title}, trained"
    )


_DEEP = "residual_mlp_deep"
_RESNET = "resnet20_layernorm"

PROFILES: Profiles = {
    "smoke": (_fresh(scale.TINY_MLP, "mlp_small", 2),),
    "quick": (
        _fresh(scale.SMALL_MLP, "mlp", 5),
        _trained(scale.SMALL_MLP),
        _fresh(scale.SMALL_MLP, "residual_mlp", 5),
        replace(_fresh(scale.SMALL_MLP, _DEEP, 10, 5), claims=False),
        _fresh(scale.SMALL_MLP, _RESNET, 5),
    ),
    "standard": (
        _fresh(scale.STANDARD_MNIST_MLP, "mlp", 20),
        _trained(scale.STANDARD_MNIST_MLP),
        _fresh(scale.STANDARD_MNIST_MLP, "residual_mlp", 20),
        replace(_fresh(scale.STANDARD_MNIST_MLP, _DEEP, 50, 10), claims=False),
        _fresh(scale.STANDARD_CIFAR_MLP, _RESNET, 20),
    ),
    "paper": (
        _fresh(scale.MNIST_MLP, "mlp", 20),
        _trained(scale.MNIST_MLP),
        _fresh(scale.MNIST_MLP, "residual_mlp", 20),
        replace(_fresh(scale.MNIST_MLP, _DEEP, 100, 10), claims=False),
        _fresh(scale.CIFAR_RESNET, f"{_RESNET}_x32", 5),
    ),
}


def plan(setting: Setting) -> dict[str, Task]:
    """Return a subject's tasks by name.

    Names: ``count/mlp_3x512`` and so on for the rows of Table 1, ``count/own``,
    ``recovery/<number>``, and for trained networks ``endpoint/<number>``.
    """
    out = {
        f"count/{row}": _count(name, shape, 10, PUBLISHED_LAYERS[layers])
        for row, (name, shape, layers) in TABLE.items()
    }
    shape, classes = setting.dataset.shape, setting.dataset.classes
    out["count/own"] = _count(setting.architecture, shape, classes, ())
    for number in range(setting.pairs):
        inputs: tuple[Task, ...] = ()
        if 0 not in setting.numbers.epochs:
            inputs = (tasks.endpoint(setting, number, 0),)
            out[f"endpoint/{number}"] = inputs[0]
        out[f"recovery/{number}"] = _recovery(setting, number, inputs)
    return out


def _count(name: str, shape: tuple[int, int, int], classes: int, layers: tuple[int, ...]) -> Task:
    config = {**_network(name, shape, classes), "layers": list(layers)}
    label = f"symmetries of {architecture(name).title}"
    return Task("symmetries", tasks.VERSIONS["symmetries"], config, (), "", label, 1_000)


def _recovery(setting: Setting, number: int, inputs: tuple[Task, ...]) -> Task:
    searches = setting.numbers.orders
    config = {
        **_network(setting.architecture, setting.dataset.shape, setting.dataset.classes),
        "searches": searches,
        "seed": derive(setting.seed, "recovery", number),
    }
    label, cost = f"planted permutation {number + 1}", 1_000 * searches
    return Task("recovery", tasks.VERSIONS["recovery"], config, inputs, "", label, cost)


def _network(name: str, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
    return {"architecture": name, "shape": list(shape), "classes": classes}


CHAPTER = Chapter("27_symmetries_and_speed", plan, PROFILES)
run, recorded = CHAPTER.run, CHAPTER.recorded


def table(study: Study) -> list[list[str]]:
    """Return Table 1: network, printed exponent, the same by its convention, the true one."""
    printed = {r["architecture"]: r["log10_permutation_symmetries"] for r in _published()}
    out = []
    for row, (name, _, _) in TABLE.items():
        count = study[f"count/{row}"]
        out.append(
            [
                architecture(name).title,
                printed[row],
                f"{count.number('published'):.0f}",
                f"{count.number('exponent'):.1f}",
                f"{count.number('groups'):.0f} groups of units for "
                f"{count.number('layers'):.0f} layers",
            ]
        )
    return out


def _published() -> list[dict[str, str]]:
    return published("git_rebasin_table1")


def summaries(study: Study) -> dict[str, Summary]:
    """Return the subject's numbers over its networks.

    Names: ``found at once`` and ``found in all searches`` (percent of networks that came back),
    ``passes``, ``units in place`` (percent), ``objective reached`` (percent of the highest),
    ``exponent`` (of the number of orders).
    """
    found = list(study.select("recovery/").values())
    return {
        "found at once": summarise(100.0 * bool(r.scalars["exact"]) for r in found),
        "found in all searches": summarise(100.0 * bool(r.scalars["exact_of_all"]) for r in found),
        "passes": summarise(r.number("sweeps") for r in found),
        "units in place": summarise(100 * r.series["units"][0] for r in found),
        "objective reached": summarise(100 * r.series["reached"][0] for r in found),
        "exponent": summarise([study["count/own"].number("exponent")]),
    }


def recoveries(shown: Mapping[str, Study]) -> list[list[str]]:
    """Return a row for every study: what came back at once, of how many, and what it took."""
    out = []
    for title, study in shown.items():
        found = list(study.select("recovery/").values())
        passes = [int(r.number("sweeps")) for r in found if r.scalars["exact"]]
        searches = len(found[0].series["exact"])
        every = sum(bool(r.scalars["exact_of_all"]) for r in found)
        out.append(
            [
                title,
                f"{study['count/own'].number('exponent'):.1f}",
                f"{sum(bool(r.scalars['exact']) for r in found)} of {len(found)}",
                "–" if not passes else f"{min(passes)} to {max(passes)}",
                "–" if searches == 1 else f"{every} of {len(found)} (of {searches} searches)",
            ]
        )
    return out


def claims(study: Study) -> list[Claim]:
    """Return what the page says of a subject's records, and whether it is so."""
    rows = table(study)
    found = list(study.select("recovery/").values())
    back = [r for r in found if r.scalars["exact"]]
    most = max((r.number("sweeps") for r in back), default=0.0)
    return [
        Claim(
            "the sum of rounded-down exponents is what Table 1 prints, for all three networks",
            all(row[1] == row[2] for row in rows),
            ", ".join(row[2] for row in rows),
        ),
        Claim(
            "weight matching brings every planted permutation back exactly, at the first search",
            len(back) == len(found),
            f"{len(back)} of {len(found)}",
        ),
        Claim(
            f"where it does, it goes through the layers at most {PASSES} times",
            bool(back) and most <= PASSES,
            f"at most {most:.0f}",
        ),
    ]


def scorecard(built: dict[str, Study], recorded: dict[str, Study]) -> list[dict[str, str]]:
    """Return the chapter's rows of the book's scorecard: Table 1, then every subject."""
    studies = recorded or built
    first = next(iter(studies.values()))
    counted = claims(first)[:1]
    rows = [
        {
            "claim": "Table 1: exponents of the number of permutation symmetries",
            "paper": ", ".join(row[1] for row in table(first)),
            "recorded": ", ".join(row[2] for row in table(first)) if recorded else "not run",
            "build": "see the page",
            "verdict": verdict(counted),
        }
    ]
    for title, study in studies.items():
        row = recoveries({title: study})[0]
        rows.append(
            {
                "claim": f"A.2, {title}: planted permutations found at once",
                "paper": "all, in 3 to 4 passes",
                "recorded": f"{row[2]}, in {row[3]} passes" if recorded else "not run",
                "build": "see the page",
                "verdict": verdict(claims(study)[1:]),
            }
        )
    return rows


def times(folder: Path | None = None) -> list[list[str]]:
    """Return a row for every network that was timed.

    Columns: network, seconds of `match_weights`, seconds of the algorithm as written, the machine,
    the paper's seconds. Read from the benchmark's kept results; empty where there are none.
    """
    kept = folder or PACKAGE.parent / "benchmarks" / "results"
    paper = {row["model"]: row["seconds"] for row in published("git_rebasin_timing")}
    out = []
    for path in sorted(kept.glob("weight_matching-*.json")):
        found = json.loads(path.read_text("utf8"))
        seconds = {row["name"]: f"{row['milliseconds'] / 1000:.2f}" for row in found["rows"]}
        network, device = found["what"]["network"], found["provenance"]["device"]
        said = paper.get(TIMED.get(network.rpartition(":")[2], ""), "–")
        out.append([network, seconds["ours"], seconds.get("full", "–"), device, said])
    return out


def published_times() -> str:
    """Return the times of appendix A.2 in words."""
    words = {"mlp_3x512": "the MLP", "resnet50": "ResNet50", "resnet20_32x": "ResNet20 × 32"}
    return ", ".join(
        f"{row['seconds']} seconds for {words[row['model']]}"
        for row in published("git_rebasin_timing")
    )


def times_text(rows: list[list[str]]) -> str:
    """Return whether there are times, as a sentence for the page."""
    if not rows:
        return (
            "No times are recorded yet: `benchmarks/weight_matching.py` measures them, and this "
            "page reads what it keeps in `benchmarks/results`."
        )
    machines = " and ".join(dict.fromkeys(row[3] for row in rows))
    return f"Measured by `benchmarks/weight_matching.py` on: {machines}."
