"""What a reader does: open the notebook, run it, move a slider by key, see the picture change."""

import pytest

from .eyes import keep, settle, shot

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "name, key, presses",
    [
        ("00_start_here", "ArrowLeft", 20),
        ("01_linear_representations", "ArrowLeft", 20),
        ("02_two_losses", "PageUp", 2),
        ("03_piecewise_biconvex", "ArrowLeft", 2),
        ("04_global_minimum", "ArrowLeft", 6),
        ("06_absorption", "ArrowLeft", 6),
        ("07_dead_neurons", "PageUp", 1),
        ("08_transcoders_crosscoders", "ArrowLeft", 16),
        ("09_symbolic", "ArrowRight", 8),
        ("10_exercises", "ArrowLeft", 12),
        ("15_sparsity_and_traps", "ArrowLeft", 20),
    ],
)
def test_first_slider_moves_the_picture(run_notebook, name, key, presses):
    page = run_notebook(f"{name}.ipynb")
    chart, words = page.locator(".sdl-live-chart").first, page.locator(".sdl-line").first
    chart.scroll_into_view_if_needed()
    chart.locator("svg").wait_for()
    settle(page, chart)
    handles = page.locator(".widget-slider .noUi-handle")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.widget-slider .noUi-handle')].every(h => "
        "h.getAttribute('aria-label'))"
    )
    names = handles.evaluate_all("handles => handles.map(h => h.getAttribute('aria-label'))")
    assert len(set(names)) == len(names) == handles.count()  # a screen reader can tell them apart
    # a way to drag
    assert (
        min(
            page.locator(".widget-slider .noUi-base").evaluate_all(
                "tracks => tracks.map(t => t.getBoundingClientRect().width)"
            )
        )
        >= 70
    )
    before, said = shot(chart, f"{name}-before"), words.inner_text()
    page.locator(".widget-slider .noUi-handle").first.focus()
    for _ in range(presses):
        page.keyboard.press(key)
    settle(page, chart)
    assert shot(chart, f"{name}-after") != before and words.inner_text() != said
    keep(page, f"{name}-page", full_page=True)
    assert page.external == []


def test_spurious_minima(run_notebook):
    page = run_notebook("05_spurious_minima.ipynb")
    charts = page.locator(".sdl-live-chart")
    handles = page.locator(".widget-slider .noUi-handle")
    lines = page.locator(".sdl-line")
    assert charts.count() == 3 and handles.count() == 6
    stories = (
        (0, 0, 16, "ArrowLeft", "ArrowRight", "trap", "saddle"),
        (1, 2, 50, "ArrowRight", "ArrowLeft", "saddle", "trap"),
        (2, 4, 1, "ArrowRight", "ArrowLeft", "14|23: saddle", "123|4: trap"),
    )
    for which, handle, presses, there, back, first, last in stories:
        chart, words = charts.nth(which), lines.nth(which)
        chart.scroll_into_view_if_needed()
        chart.locator("svg").wait_for()
        settle(page, chart)
        before, box = shot(chart, f"05-{which}-before"), chart.bounding_box()
        assert words.inner_text().startswith(first)
        handles.nth(handle).focus()
        for _ in range(presses):
            page.keyboard.press(there)
        settle(page, chart)
        assert words.inner_text().startswith(last)
        assert shot(chart, f"05-{which}-after") != before
        assert chart.get_attribute("aria-label") in words.inner_text()
        after = chart.bounding_box()
        # no jump in layout
        assert (after["width"], after["height"]) == (box["width"], box["height"])
        for _ in range(presses):
            page.keyboard.press(back)
        settle(page, chart)
        assert shot(chart, f"05-{which}-again") == before
    page.get_by_role("button", name="none at all").first.click()
    settle(page, charts.first)
    assert lines.first.inner_text().startswith("none")
    keep(page, "05-page", full_page=True)
    assert page.external == []  # nothing was asked of any other host


def test_before_anything_runs_a_saved_picture_stands(lab, page):
    """No kernel's answer, no error: the picture that was stored, with its words."""
    url, token = lab
    page.goto(f"{url}/lab/tree/00_start_here.ipynb?token={token}&reset")
    cell = page.locator(".jp-CodeCell", has_text="start_explorer(S=0.7)")
    picture = cell.locator(".jp-RenderedImage img")
    picture.wait_for()
    picture.scroll_into_view_if_needed()
    assert picture.bounding_box()["width"] > 400
    assert cell.locator(".sdl-live-chart").count() == 0
    assert "Error displaying widget" not in cell.inner_text()
    keep(picture, "00-before")
