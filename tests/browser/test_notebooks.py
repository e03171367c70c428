"""What a reader does: open the notebook, run it, move a slider by keyboard, see the picture change."""

import hashlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
SETTLED = """e => new Promise(done => { const r = e.dataset.revision; setTimeout(() => done(!!r && e.dataset.revision === r), 400) })"""


def settle(page, chart):
    """Wait until the picture has taken its last data."""
    for _ in range(40):
        if chart.evaluate(SETTLED):
            return
    pytest.fail("the picture never came to rest")


def shot(chart, name: str) -> str:
    SHOTS.mkdir(parents=True, exist_ok=True)
    return hashlib.sha256(chart.screenshot(path=SHOTS / f"{name}.png")).hexdigest()


@pytest.mark.parametrize("name, key, presses", [("02_two_losses", "PageUp", 2), ("04_global_minimum", "ArrowLeft", 6), ("06_absorption", "ArrowLeft", 6), ("07_dead_neurons", "PageUp", 1)])
def test_first_slider_moves_the_picture(run_notebook, name, key, presses):
    page = run_notebook(f"{name}.ipynb")
    chart, words = page.locator(".sdl-live-chart").first, page.locator(".sdl-line").first
    chart.scroll_into_view_if_needed()
    chart.locator("canvas").wait_for()
    settle(page, chart)
    handles = page.locator(".widget-slider .noUi-handle")
    page.wait_for_function("() => [...document.querySelectorAll('.widget-slider .noUi-handle')].every(h => h.getAttribute('aria-label'))")
    names = handles.evaluate_all("handles => handles.map(h => h.getAttribute('aria-label'))")
    assert len(set(names)) == len(names) == handles.count()                                   # a screen reader can tell them apart
    before, said = shot(chart, f"{name}-before"), words.inner_text()
    page.locator(".widget-slider .noUi-handle").first.focus()
    for _ in range(presses):
        page.keyboard.press(key)
    settle(page, chart)
    assert shot(chart, f"{name}-after") != before and words.inner_text() != said
    page.screenshot(path=SHOTS / f"{name}-page.png", full_page=True)
    assert page.external == []


def test_spurious_minima(run_notebook):
    page = run_notebook("05_spurious_minima.ipynb")
    charts, handles, lines = page.locator(".sdl-live-chart"), page.locator(".widget-slider .noUi-handle"), page.locator(".sdl-line")
    assert charts.count() == 2 and handles.count() == 3
    stories = ((0, 0, 16, "ArrowLeft", "ArrowRight", "trap", "saddle"), (1, 2, 50, "ArrowRight", "ArrowLeft", "saddle", "trap"))
    for which, handle, presses, there, back, first, last in stories:
        chart, words = charts.nth(which), lines.nth(which)
        chart.scroll_into_view_if_needed()
        chart.locator("canvas").wait_for()
        settle(page, chart)
        before, box = shot(chart, f"05-{which}-{first}"), chart.bounding_box()
        assert words.inner_text().startswith(first)
        handles.nth(handle).focus()
        for _ in range(presses):
            page.keyboard.press(there)
        settle(page, chart)
        assert words.inner_text().startswith(last)
        assert shot(chart, f"05-{which}-{last}") != before
        assert chart.get_attribute("aria-label") in words.inner_text()
        after = chart.bounding_box()
        assert (after["width"], after["height"]) == (box["width"], box["height"])             # no jump in layout
        for _ in range(presses):
            page.keyboard.press(back)
        settle(page, chart)
        assert shot(chart, f"05-{which}-{first}-again") == before
    page.get_by_role("button", name="none at all").first.click()
    settle(page, charts.first)
    assert lines.first.inner_text().startswith("none")
    page.screenshot(path=SHOTS / "05-page.png", full_page=True)
    assert page.external == []                                                                # nothing was asked of any other host
