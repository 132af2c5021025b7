"""What the figures of the onset show is what the records say."""

import pytest

from modeconn_lib.figures.onset import early_and_late, onset
from modeconn_lib.figures.style import method
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study

EPOCHS = [0, 1, 4, 9]


def study(pairs: int = 2) -> Study:
    """Pair p has every naive number higher by p; matched ones are a tenth of the first pair's."""
    records = {}
    for pair in range(pairs):
        barriers = [0.0, 3.0, 2.0 + pair, 1.0]
        lines = [[1.0, 1.0 + b, 1.0] for b in barriers]
        series = {
            "epochs": EPOCHS,
            "naive_test_barrier": barriers,
            "naive_test_loss": lines,
            "weights_test_barrier": [b / 10 for b in barriers],
            "weights_test_loss": [[v / 10 for v in line] for line in lines],
        }
        records[f"onset/{pair}"] = Record("onset", 1, {"pair": pair}, series=series)
    return Study("22_onset", "smoke", {}, records)


def means(axes) -> dict[str, list[float]]:
    """The lines that the legend names."""
    handles, names = axes.get_legend_handles_labels()
    return {n: list(h.get_ydata()) for h, n in zip(handles, names, strict=True)}


def test_barriers_are_shown_over_the_epochs_kept():
    (axes,) = onset({"here": study()}).panels
    assert means(axes)["naive"] == [0.0, 3.0, 2.5, 1.0]
    assert means(axes)["weight matching"] == pytest.approx([0.0, 0.3, 0.25, 0.1])
    assert list(axes.lines[0].get_xdata()) == EPOCHS
    assert len(axes.lines) == 2 * (2 + 1)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 3


def test_methods_keep_their_colours():
    for picture in (onset({"here": study(1)}), early_and_late({"here": study(1)})):
        for axes in picture.panels:
            colours = [line.get_color() for line in axes.lines]
            assert colours == [method("naive").colour, method("weights").colour]


def test_lines_are_shown_before_training_after_the_first_epoch_and_after_the_last():
    panels = early_and_late({"here": study(1)}).panels
    assert [axes.get_title(loc="left") for axes in panels] == [
        "here\nbefore training",
        "here\nafter epoch 1",
        "here\nafter epoch 9",
    ]
    assert [max(means(axes)["straight line, naive"]) for axes in panels] == [1.0, 4.0, 2.0]
    assert list(panels[0].lines[0].get_xdata()) == [0.0, 0.5, 1.0]


def test_an_epoch_is_shown_once_where_only_two_are_kept():
    found = study(1)
    short = {
        name: values[:2] if isinstance(values, list) else values
        for name, values in found["onset/0"].series.items()
    }
    only = Study("22_onset", "smoke", {}, {"onset/0": Record("onset", 1, {}, series=short)})
    assert len(early_and_late({"here": only}).panels) == 2


def test_a_study_that_followed_nothing_is_refused():
    with pytest.raises(KeyError, match="study 'x' followed no pair"):
        onset({"here": Study("x", "smoke", {}, {})})


@pytest.mark.parametrize("draw", [onset, early_and_late])
def test_a_picture_says_what_it_shows_and_of_what(draw):
    picture = draw({"one": study(1), "two": study()})
    assert picture.alt.endswith("naive and matched by weights: one; two")
    assert picture._repr_html_().count("<svg style=") == len(picture.panels)
