"""What the figures of PAM show is what the records say."""

import pytest

from modeconn_lib.figures.pam import candidates, layers
from modeconn_lib.figures.style import method
from modeconn_lib.results.record import Record
from modeconn_lib.results.study import Study


def study() -> Study:
    """Pair p has losses higher by p; the curve without PAM has nothing of this."""
    records = {}
    for pair in (0, 1):
        records[f"curve/{pair}/unaligned"] = Record("curve", 1, {"pair": pair})
        for kind in ("pam_unaligned", "pam_aligned"):
            series = {
                "kept": [0.4, 0.6],
                "weights": [[0.3, 0.2], [0.5]],
                "moved": [0.25, 0.0],
                "candidate_losses": [1.0 + pair, 0.9 + pair, 0.7 + pair, 1.1 + pair],
            }
            records[f"curve/{pair}/{kind}"] = Record("pam", 1, {"pair": pair}, series=series)
    return Study("15_pam", "smoke", {}, records)


def lines(axes) -> dict[str, list[float]]:
    """What the legend names."""
    handles, names = axes.get_legend_handles_labels()
    return {n: list(h.get_ydata()) for h, n in zip(handles, names, strict=True)}


def test_there_is_a_panel_for_each_start_of_each_study():
    for picture in (layers({"here": study()}), candidates({"here": study()})):
        titles = [axes.get_title(loc="left") for axes in picture.panels]
        assert titles == ["PAM unaligned\nhere", "PAM aligned\nhere"]
        assert picture.alt.endswith(": here")


def test_layers_show_what_is_left_in_percent():
    found = lines(layers({"here": study()}).panels[0])
    assert found["mass where it started, PAM unaligned"] == pytest.approx([40, 60])
    assert found["weight of the first term"] == pytest.approx([30, 50])
    assert found["weight of all terms kept"] == pytest.approx([50, 50])
    assert found["units left in place"] == pytest.approx([75, 100])


def test_candidates_are_shown_less_the_previous_permutation():
    axes = candidates({"here": study()}).panels[1]
    found = lines(axes)
    assert found["drawn, PAM aligned"] == pytest.approx([-0.3, 0.1])
    assert found["projection"] == pytest.approx([-0.1])
    assert found["chosen"] == pytest.approx([-0.3])
    assert found["previous"] == [0, 0]
    assert len(axes.lines) == 2 * 3 + 1
    assert axes.get_xlim() == (0.5, 2.5)


def test_kinds_keep_their_colours():
    for picture in (layers({"here": study()}), candidates({"here": study()})):
        for axes, kind in zip(picture.panels, ("pam_unaligned", "pam_aligned"), strict=True):
            assert method(kind).colour in [line.get_color() for line in axes.lines]
