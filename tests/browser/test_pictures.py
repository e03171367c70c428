"""Pictures that can be projected, and read on a phone: words, handles, panels, a dark room."""

import shutil

import nbformat
import pytest

from widgets import explorers
from widgets.site import build

from .conftest import ROOT
from .eyes import SEEN, keep, settle

pytestmark = pytest.mark.browser
EXPLORERS = [name for name in dir(explorers) if name.endswith("_explorer")]
PAPER = "svg => Number(getComputedStyle(svg).backgroundColor.match(/\\d+/)[0])"
TRACKS = "tracks => tracks.map(track => track.getBoundingClientRect().width)"


def test_words_and_handles_in_jupyterlab(page, run_notebook, notebook_folder):
    page.set_viewport_size({"width": 1280, "height": 720})
    cells = ["from widgets.explorers import *", *(f"{name}()" for name in EXPLORERS)]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(notebook, notebook_folder / "all.ipynb")
    run_notebook("all.ipynb")
    charts = page.locator(".sdl-live-chart[data-revision]")
    page.wait_for_function(
        "n => document.querySelectorAll('.sdl-live-chart[data-revision] svg').length === n",
        arg=len(EXPLORERS),
    )
    seen = dict(zip(EXPLORERS, charts.evaluate_all(SEEN)))
    assert {name: size for name, (size, *_) in seen.items() if size < 14} == {}
    assert {name: share for name, (_, share, _) in seen.items() if share < 0.97} == {}
    assert min(page.locator(".widget-slider .noUi-base").evaluate_all(TRACKS)) >= 300
    a_click_chooses_a_partition(page, charts.nth(EXPLORERS.index("lattice_explorer")))
    keep(page, "all-page")


def a_click_chooses_a_partition(page, lattice):
    """By its node, which stands below its name."""
    words = lattice.locator("xpath=following-sibling::*[contains(@class, 'sdl-line')]")
    for name in ("12|34", "1|234"):
        assert not words.inner_text().startswith(f"{name}: ")
        lattice.scroll_into_view_if_needed()
        box = lattice.get_by_text(name, exact=True).first.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] + 12)
        page.wait_for_function(
            "([line, name]) => line.textContent.startsWith(name)",
            arg=[words.element_handle(), f"{name}: "],
        )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Lesson 05 alone, as a page."""
    notebooks = tmp_path_factory.mktemp("notebooks")
    shutil.copy(ROOT / "notebooks" / "05_spurious_minima.ipynb", notebooks)
    build(notebooks / "html", notebooks, states=20)
    return notebooks / "html" / "05_spurious_minima.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_on_a_projector_on_a_phone_and_enlarged(page, pages, scheme):
    page.emulate_media(color_scheme=scheme)
    for width, height in ((1280, 720), (853, 480), (390, 800)):  # 853: 1280 at 150 percent
        page.set_viewport_size({"width": width, "height": height})
        page.goto(pages.as_uri())
        page.locator("figure.sdl-explorer").first.scroll_into_view_if_needed()
        chart = page.locator("figure.sdl-explorer").first.locator(".sdl-live-chart")
        chart.locator("svg").wait_for()
        settle(page, chart)
        words, share, _ = chart.evaluate_all(SEEN)[0]
        tall = chart.evaluate("e => e.clientHeight > e.clientWidth")
        assert tall == (width < 600) and share > 0.97
        assert width != 1280 or words >= 14
        assert chart.locator("svg").evaluate(PAPER) == {"light": 255, "dark": 20}[scheme]
        pictures = page.locator(".sdl-picture img")
        assert pictures.count() >= 5
        boxes = [one.bounding_box() for one in pictures.all()]
        assert all(box["width"] > 0.75 * min(width - 40, 830) for box in boxes)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        track = page.locator(".sdl-controls input[type=range]").first
        assert track.bounding_box()["width"] >= 300
        keep(page, f"page-05-{width}-{scheme}", full_page=True)
    assert page.external == []
