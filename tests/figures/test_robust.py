"""What the figures of robust curves show is what the records say."""

import pytest

from modeconn_lib.figures.robust import robust
from modeconn_lib.figures.style import method
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study


def study(pairs=2):
    """Unaligned paths are 0.5 in the middle, aligned ones 0.7; attacked statistics add 0.1."""
    records = {}
    for pair in range(pairs):
        for name, middle in (("unaligned", 0.5), ("aligned", 0.7)):
            series = {"t": [0.0, 0.5, 1.0]}
            for kind, more in (("clean", 0.0), ("attacked", 0.1)):
                values = [0.8, middle + more + 0.02 * pair, 0.8]
                series |= {f"{kind} {w}": values for w in ("accuracy", "robust_accuracy")}
                series[f"{kind} robust_loss"] = [1 - value for value in values]
            record = Record("robust_along", 1, {"p": pair, "n": name}, series=series)
            records[f"along/{pair}/{name}/curve"] = record
    return Study("16_robust_curves", "smoke", {}, records)


def means(axes):
    handles, names = axes.get_legend_handles_labels()
    return {n: list(h.get_ydata()) for h, n in zip(handles, names, strict=True)}


def test_accuracies_are_shown_in_percent_and_losses_as_they_are():
    accuracy, loss = robust({"here": study()}, "accuracy", "robust_loss").panels
    found = means(accuracy)
    assert found["unaligned, clean statistics"] == pytest.approx([80, 51, 80])
    assert found["aligned, clean statistics"] == pytest.approx([80, 71, 80])
    assert means(loss)["aligned, clean statistics"] == pytest.approx([0.2, 0.29, 0.2])
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == (
        "test accuracy, %",
        "test loss under attack, nats",
    )
    assert len(accuracy.lines) == 2 * (2 + 1)


def test_kinds_of_statistics_differ_in_their_dashes_and_methods_in_their_colours():
    picture = robust({"here": study(1)}, "robust_accuracy", statistics=("clean", "attacked"))
    (axes,) = picture.panels
    assert means(axes)["unaligned, attacked statistics"] == pytest.approx([80, 60, 80])
    looks = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
    colours = [method(name).colour for name in ("unaligned", "aligned")]
    assert looks == [(colour, dash) for dash in ("-", "--") for colour in colours]


def test_a_picture_says_what_it_shows_and_of_what():
    picture = robust({"one": study(1), "two": study()}, "robust_accuracy")
    assert picture.alt.startswith("accuracy under attack, % along robust curves from A to B")
    assert picture.alt.endswith("with clean batch-norm statistics: one; two")
    assert picture._repr_html_().count("<svg style=") == 2


def test_a_study_without_curves_is_refused():
    empty = Study(
        "x", "smoke", {}, {"along/0/aligned/line": study().records["along/0/aligned/curve"]}
    )
    with pytest.raises(KeyError, match="measured no 'curve' of method 'aligned'"):
        robust({"here": empty}, "accuracy")
