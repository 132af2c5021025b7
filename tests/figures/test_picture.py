"""A picture is drawn in the page's ink and letters, and says in words what it shows."""

import re

import matplotlib as mpl

from modeconn_lib.figures.picture import Picture, svg
from modeconn_lib.figures.style import INK, bundle, look, method, panel


def drawn(title: str = "A & B", label: str = "a < b") -> Picture:
    axes = panel(title)
    with look():
        bundle(axes, [0, 1, 2], [[0, 1, 0], [2, 3, 2]], label, color=method("aligned").colour)
        axes.plot([0, 2], [1, 1], ":", color=INK, marker="o", mfc="none", label="ink")
    return Picture((axes,), 'a "quoted" sentence')


def test_ink_is_that_of_the_page():
    html = drawn()._repr_html_()
    assert INK not in html
    assert html.count("currentColor") > 5
    assert method("aligned").colour in html


def test_letters_stay_letters_of_the_pages_font():
    html = drawn("Fashion")._repr_html_()
    assert re.search(r"<text [^>]*>Fashion</text>", html)
    assert "font-family" not in html
    assert "font:" not in html
    assert re.search(r"font-size: 10\.5px", html)


def test_nothing_of_a_picture_reaches_the_rest_of_the_page():
    html = drawn()._repr_html_()
    assert "<style" not in html
    assert "<?xml" not in html
    assert 'id="figure_1"' not in html


def test_the_same_picture_has_the_same_bytes():
    assert drawn()._repr_html_() == drawn()._repr_html_()


def test_a_panel_gives_way_on_a_narrow_page():
    head = svg(drawn().panels[0]).partition(">")[0]
    assert "viewBox" in head
    assert "width=" not in head
    assert "min-width:0" in head


def test_panels_are_of_one_width_however_many_fit_in_a_row():
    html = Picture(drawn().panels * 3, "three")._repr_html_()
    assert html.count("grid-template-columns:repeat(auto-fit,minmax(min(100%,") == 1
    assert "flex:1" not in html


def test_the_legend_names_every_line_once_though_several_panels_show_it():
    picture = Picture(drawn().panels + drawn(label="other").panels, "alt")
    words = re.findall(r"</svg> ([^<]*)</span>", picture._repr_html_())
    assert words == ["a &lt; b", "other", "ink"]


def test_the_legend_shows_dashes_and_hollow_marks():
    html = drawn()._repr_html_()
    assert 'stroke-dasharray="1.5 3"/><circle cx="17" cy="6" r="3.6" fill="none"' in html


def test_the_sentence_is_there_for_those_who_see_no_picture():
    assert 'aria-label="a &quot;quoted&quot; sentence"' in drawn()._repr_html_()
    assert repr(drawn()) == 'Picture: a "quoted" sentence'


def test_a_picture_of_nothing_says_so():
    assert "Nothing to draw: drops &lt; by size" in Picture((), "drops < by size")._repr_html_()


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    drawn()._repr_html_()
    assert dict(mpl.rcParams) | {"backend": None} == before | {"backend": None}
