"""The numbers of the chapter on robust curves, read from its records.

Study  ->  summaries, margins, highest, checks  ->  the page's tables and claims

There are two of everything along a curve: with batch-norm statistics of clean images, and with
those of attacked ones.
"""

from collections.abc import Sequence
from statistics import fmean

from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study
from modeconn_lib.results.summary import Summary, summarise

KINDS = ("unaligned", "aligned")


def summaries(study: Study) -> dict[str, Summary]:
    """Return every number of the page by name, over pairs: those of either kind of statistics.

    Accuracies are in percent, gains in points of percent, losses in nats. Names end in ``clean
    statistics`` or ``attacked statistics``: ``endpoint accuracy, …`` and ``endpoint robust
    accuracy, …`` (both ends), and for each kind of curve ``<kind> midpoint accuracy, …``,
    ``… minimum accuracy``, ``… midpoint gain`` (over the mean of the ends), each also with
    ``robust`` before its last word, and ``<kind> barrier, …``, ``<kind> robust barrier, …``. What
    the attacks of others leave half-way is ``<kind> midpoint accuracy, all attacks of others``.
    """
    left = {
        f"{kind} midpoint accuracy, all attacks of others": summarise(
            100 * share for share in checked_at(study, kind, 0.5, "square")
        )
        for kind in KINDS
    }
    return with_clean(study) | with_attacked(study) | left


def with_clean(study: Study) -> dict[str, Summary]:
    """Return the numbers with batch-norm statistics of clean images, as `summaries`."""
    return with_statistics(study, "clean")


def with_attacked(study: Study) -> dict[str, Summary]:
    """Return the numbers with batch-norm statistics of attacked images, as `summaries`."""
    return with_statistics(study, "attacked")


def with_statistics(study: Study, statistics: str) -> dict[str, Summary]:
    """Return the numbers with one kind of statistics, as `summaries`."""
    out: dict[str, Summary] = {}
    for what in ("accuracy", "robust accuracy"):
        ends = [fmean(_ends(v)) for v in _along(study, KINDS[0], statistics, what)]
        out[f"endpoint {what}"] = summarise(100 * value for value in ends)
    for kind in KINDS:
        for robust in ("", "robust "):
            found = _along(study, kind, statistics, f"{robust}accuracy")
            middles = [values[len(values) // 2] for values in found]
            gains = [m - fmean(_ends(v)) for m, v in zip(middles, found, strict=True)]
            out[f"{kind} midpoint {robust}accuracy"] = summarise(100 * m for m in middles)
            out[f"{kind} midpoint {robust}gain"] = summarise(100 * gain for gain in gains)
            out[f"{kind} minimum {robust}accuracy"] = summarise(100 * min(v) for v in found)
        for what in ("barrier", "robust barrier"):
            scalar = f"{statistics} {what.replace(' ', '_')}"
            out[f"{kind} {what}"] = summarise(r.number(scalar) for r in _curves(study, kind))
    return {f"{name}, {statistics} statistics": summary for name, summary in out.items()}


def margins(study: Study, kind: str, statistics: str) -> list[list[float]]:
    """Return by how much every network between the ends beats both, at the task it is worse at.

    A list along the curve for each pair, 0 to 1; negative where an end is better at a task.
    """
    clean, robust = (
        [[v - max(_ends(values)) for v in values[1:-1]] for values in found]
        for found in (
            _along(study, kind, statistics, what) for what in ("accuracy", "robust accuracy")
        )
    )
    both = zip(clean, robust, strict=True)
    return [[min(gains) for gains in zip(*pair, strict=True)] for pair in both]


def sampling_error(study: Study, statistics: str) -> float:
    """Return the standard error of the ends' accuracies over the test images, 0 to 1.

    That of the two tasks, clean and robust, that is nearer to one half.
    """
    errors = []
    for what in ("accuracy", "robust accuracy"):
        p = fmean(fmean(_ends(values)) for values in _along(study, KINDS[0], statistics, what))
        errors.append(float((p * (1 - p) / study.config["test_examples"]) ** 0.5))
    return max(errors)


def highest(study: Study, kind: str, statistics: str) -> list[list[float]]:
    """Return by how much the best network between the ends is above both: by task, by pair."""
    return [
        [max(v[1:-1]) - max(_ends(v)) for v in _along(study, kind, statistics, what)]
        for what in ("accuracy", "robust accuracy")
    ]


CHECK_COLUMNS = (
    "network",
    "no attack",
    "our attack",
    "APGD, cross-entropy",
    "then APGD, logits",
    "then square",
    "fooled by ours alone",
)


def checks(study: Study) -> list[list[str]]:
    """Return the check by others' attacks as a table's rows: means over pairs, in percent."""
    rows = []
    for where, kind, t in (
        ("A", "unaligned", 0.0),
        ("half-way, unaligned", "unaligned", 0.5),
        ("half-way, aligned", "aligned", 0.5),
        ("B", "unaligned", 1.0),
    ):
        cells = [
            f"{100 * fmean(checked_at(study, kind, t, name)):.1f}"
            for name in ("clean", "own", "apgd_ce", "apgd_dlr", "square", "own alone")
        ]
        rows.append([where, *cells])
    return rows


def checked_at(study: Study, kind: str, t: float, name: str) -> list[float]:
    """Return a share of images at one network of a kind of curve, for each pair."""
    found = study.over_pairs("check", kind)
    return [record.series[name][record.series["t"].index(t)] for record in found]


def _curves(study: Study, kind: str) -> list[Record]:
    """Return the measured curves of one kind, one for each pair."""
    return study.over_pairs("along", f"{kind}/curve")


def _along(study: Study, kind: str, statistics: str, what: str) -> list[list[float]]:
    """Return one series along the curves of one kind, for each pair."""
    name = f"{statistics} {what.replace(' ', '_')}"
    return [list(record.series[name]) for record in _curves(study, kind)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return values[0], values[-1]


def checked(study: Study, name: str) -> list[float]:
    """Return a share of images over every network that was checked."""
    return [share for r in study.select("check/").values() for share in r.series[name]]
