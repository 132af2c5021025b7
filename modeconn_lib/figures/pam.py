"""What proximal alternating minimisation does, layer by layer, and how it chooses.

studies  ->  layers, candidates  ->  Picture

Reads the records ``curve/<pair>/<kind>`` of the kinds that were made by the step ``pam``.
"""

from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from modeconn_lib.figures.picture import Picture
from modeconn_lib.figures.style import INK, Values, bundle, look, method, panel
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

PREVIOUS, PROJECTION = 0, 1  # places among the candidates; those drawn come after


def layers(studies: Mapping[str, Study]) -> Picture:
    """Return what is left of the start in each group's matrix, and in the permutation chosen."""
    panels = []
    for axes, kind, records in _panels(studies):
        x = range(1, len(records[0].series["kept"]) + 1)
        colour = method(kind).colour
        kept, first, together, stayed = ([] for _ in range(4))
        for record in records:
            series = record.series
            kept.append([100 * share for share in series["kept"]])
            first.append([100 * weights[0] for weights in series["weights"]])
            together.append([100 * sum(weights) for weights in series["weights"]])
            stayed.append([100 * (1 - share) for share in series["moved"]])
        with look():
            bundle(axes, x, together, "weight of all terms kept", color=INK, linestyle=":")
            bundle(axes, x, first, "weight of the first term", color=INK, linestyle="--")
            bundle(axes, x, stayed, "units left in place", color=INK)
            words = f"mass where it started, {method(kind).words}"
            bundle(axes, x, kept, words, color=colour, marker="o", ms=4.5)
            axes.set_ylim(-4, 104)
            axes.set_xlabel("layer")
            axes.set_ylabel("percent")
            axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        panels.append(axes)
    alt = (
        "how much of each layer's doubly stochastic matrix is where it started, what its mixture "
        "of permutations is made of, and how many units the chosen permutation leaves in place"
    )
    return Picture(tuple(panels), f"{alt}: {'; '.join(studies)}")


def candidates(studies: Mapping[str, Study]) -> Picture:
    """Return how much better each candidate is than the previous permutation, pair by pair."""
    panels = []
    for axes, kind, records in _panels(studies):
        colour = method(kind).colour
        with look():
            for pair, record in enumerate(records, 1):
                losses = record.series["candidate_losses"]
                less = [loss - losses[PREVIOUS] for loss in losses]
                nearest, drawn = less[PROJECTION], less[PROJECTION + 1 :]
                named = pair == 1  # the legend names each mark once
                words = f"drawn, {method(kind).words}" if named else ""
                _mark(axes, [pair + 0.12] * len(drawn), drawn, words, colour)
                _mark(axes, [pair - 0.12], [nearest], "projection" if named else "", INK)
                _mark(axes, [pair], [min(less)], "chosen" if named else "", "none", 9)
            axes.axhline(0, color=INK, lw=1.4, ls="--", label="previous")
            axes.set_xlim(0.5, len(records) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
            axes.set_xlabel("pair")
            axes.set_ylabel("loss less the previous one's, nats")
        panels.append(axes)
    alt = "losses of the candidate permutations, less that of the permutation before"
    return Picture(tuple(panels), f"{alt}: {'; '.join(studies)}")


def _panels(studies: Mapping[str, Study]) -> Iterator[tuple[Axes, str, list[Record]]]:
    """Yield a panel for each study and kind, with the kind's records, one for each pair."""
    for title, study in studies.items():
        of: dict[str, list[Record]] = {}
        for name, record in study.select("curve/").items():
            if record.step == "pam":
                of.setdefault(name.rpartition("/")[2], []).append(record)
        for kind, records in of.items():
            yield panel(f"{method(kind).words}\n{title}"), kind, records


def _mark(axes: Axes, x: Values, y: Values, label: str, fill: str, size: int = 5) -> None:
    """Draw points without a line, hollow where there is nothing to fill them with."""
    edge = INK if fill == "none" else fill
    axes.plot(x, y, ls="None", marker="o", ms=size, mec=edge, mfc=fill, color=edge, label=label)
