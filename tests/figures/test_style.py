"""Every method has a colour of its own."""

import pytest
from matplotlib.colors import to_rgb

from modeconn_lib.figures import connections, ensembles
from modeconn_lib.figures.style import INK, METHODS, bundle, method, panel


def light(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_no_two_methods_share_a_colour_but_those_that_are_one_thing():
    one_thing = {"naive": "unaligned", "merged": "weights"}
    different = {one_thing.get(name, name): found.colour for name, found in METHODS.items()}
    assert len(set(different.values())) == len(different) == len(METHODS) - 2


@pytest.mark.parametrize("lines", [connections.COLOURS, ensembles.COLOURS])
def test_no_two_lines_of_a_picture_share_a_colour(lines):
    assert len({method(name).colour for name in lines}) == len(lines)


@pytest.mark.parametrize("colour", [INK, *(found.colour for found in METHODS.values())])
def test_a_colour_stands_out_from_a_light_page_and_from_a_dark_one(colour):
    for page in ("#ffffff", "#14181e"):
        high, low = sorted((light(colour), light(page)), reverse=True)
        assert (high + 0.05) / (low + 0.05) > 3


def test_a_method_without_a_colour_is_refused_naming_those_that_have_one():
    with pytest.raises(KeyError, match=r"no colour for method 'psychic'; .* unaligned, aligned"):
        method("psychic")


def test_a_bundle_is_a_thin_line_for_each_pair_and_their_mean():
    axes = panel()
    bundle(axes, [0, 1], [[0.0, 2.0], [1.0, 4.0]], "mean", marker="o")
    *thin, mean = axes.lines
    assert [list(line.get_ydata()) for line in thin] == [[0, 2], [1, 4]]
    assert list(mean.get_ydata()) == [0.5, 3.0]
    assert mean.get_linewidth() > thin[0].get_linewidth()
    assert axes.get_legend_handles_labels()[1] == ["mean"]


def test_a_bundle_of_one_pair_is_drawn_once():
    axes = panel()
    bundle(axes, [0, 1], [[0.0, 2.0]], "mean")
    assert len(axes.lines) == 1
