"""Every page opens in a browser, offline: figures drawn, formulas set, nothing too wide."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.book.browser import FLAGS, find_browser
from tests.book.contents import pages

PAGES = [*pages(), "genindex", "search"]
PHONE, WIDE = 390, 2200
# For every element with text of its own: contrast of ink and ground, as WCAG 2 defines it.
FAINT = """() => {
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgba(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll(".bd-article *")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = own.map((node) => node.data).join("");
    if (!text.trim() || !element.checkVisibility() || element.closest("svg, .headerlink")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 3) faint.push(`${contrast.toFixed(1)}: ${text.trim().slice(0, 40)}`);
  }
  return faint;
}"""
pytestmark = pytest.mark.needs_browser


@dataclass
class Visit:
    """What was seen on one page."""

    errors: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    pictures_missing: list[str] = field(default_factory=list)
    formulas_wrong: int = 0
    figures: int = 0
    figures_drawn: int = 0
    too_wide: dict[int, int] = field(default_factory=dict)
    ground: dict[str, str] = field(default_factory=dict)
    faint: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on this machine; `make browser` tries to install one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def watched_page(browser, visit: Visit, home: str, **options):
    """Open a tab that notes errors, and lets no request go anywhere but `home`."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()

    def keep_inside(route):
        if route.request.url.startswith((home, "data:", "blob:")):
            return route.continue_()
        visit.left.append(route.request.url)
        return route.abort()

    page.set_default_timeout(120_000)  # a page takes a second, but not on a busy machine
    page.route("**/*", keep_inside)
    page.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    return page


def ready(page) -> None:
    """Wait until formulas are set and figures drawn."""
    page.wait_for_function(
        "() => !window.MathJax?.startup?.promise || MathJax.startup.promise.then(() => true)"
    )
    for figure in page.locator(".plotly-figure").all():
        figure.locator(".main-svg").first.wait_for()


@pytest.fixture(scope="module")
def visit(browser, site) -> Callable[[str], Visit]:
    """Visit a page, once for all tests that ask for it."""
    return functools.cache(functools.partial(look_at, browser, site))


def look_at(browser, site: str, name: str) -> Visit:
    """Open a page on a wide screen and on a phone, in light and in dark."""
    visit = Visit()
    page = watched_page(browser, visit, site)
    page.goto(f"{site}{name}.html", wait_until="load")
    ready(page)
    visit.pictures_missing = page.evaluate(
        "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    )
    wrong = ".problematic, mjx-container [data-mjx-error], mjx-container [fill=red]"
    visit.formulas_wrong = page.locator(wrong).count()
    visit.figures = page.locator(".plotly-figure").count()
    visit.figures_drawn = page.locator(".plotly-figure .main-svg:first-child").count()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.wait_for_timeout(300)  # colours fade
        visit.ground[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        visit.faint[theme] = page.evaluate(FAINT)
    for width in (PHONE, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        visit.too_wide[width] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.context.close()
    return visit


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_an_error_and_without_leaving_the_machine(visit, name):
    seen = visit(name)
    assert not seen.errors
    assert not seen.left


@pytest.mark.parametrize("name", PAGES)
def test_all_pictures_figures_and_formulas_of_a_page_are_there(visit, name):
    seen = visit(name)
    assert not seen.pictures_missing
    assert seen.figures_drawn == seen.figures
    assert seen.formulas_wrong == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_and_a_wide_screen(visit, name):
    assert max(visit(name).too_wide.values()) <= 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_in_light_and_in_dark(visit, name):
    seen = visit(name)
    assert seen.ground["light"] != seen.ground["dark"]
    assert seen.faint == {"light": [], "dark": []}


@pytest.mark.parametrize("chapter", [page for page in PAGES if page.startswith("notebooks/")])
def test_a_chapter_shows_a_picture(browser, site, chapter):
    page = watched_page(browser, Visit(), site)
    page.goto(f"{site}{chapter}.html", wait_until="load")
    ready(page)
    sizes = page.evaluate(
        "[...document.querySelectorAll('.cell_output img, .cell_output svg, .plotly-figure')]"
        ".map(e => e.getBoundingClientRect()).map(r => r.width * r.height)"
    )
    page.context.close()
    assert max(sizes, default=0) > 50_000


def found(page, address: str) -> list[str]:
    """Titles that the search of the book finds for a word."""
    page.goto(f"{address}search.html?q=permutation", wait_until="load")
    page.locator(".search-summary", has_text="found").wait_for()
    return page.locator("#search-results li > a").all_inner_texts()


def test_the_search_finds_permutation(browser, site):
    seen = Visit()
    page = watched_page(browser, seen, site)
    assert {"Glossary", "Notation"} <= set(found(page, site))
    page.context.close()
    assert not seen.errors
    assert not seen.left


def test_the_book_opens_from_a_disk(browser, html):
    seen, home = Visit(), f"{html.as_uri()}/"
    page = watched_page(browser, seen, home)
    page.goto(f"{home}book/notation.html", wait_until="load")
    ready(page)
    assert page.locator("mjx-container svg").count() > 20
    assert "Glossary" in found(page, home)
    page.context.close()
    assert not seen.left


def test_a_reader_who_prefers_dark_gets_dark(browser, site):
    page = watched_page(browser, Visit(), site, color_scheme="dark")
    page.goto(f"{site}index.html", wait_until="load")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.context.close()
