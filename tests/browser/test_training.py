"""Lesson 11 in the browser: sliders ask, the button trains, the picture grows, Stop and the
kernel's interrupt stop it.
"""

import re

import pytest

from .eyes import SHOTS, settle, shot

pytestmark = pytest.mark.browser
WATCH = """() => {
    window.__seen = [];
    const host = document.querySelector('.sdl-live-chart');
    const bar = host.closest('.widget-vbox').querySelector('.progress-bar');
    const line = document.querySelector('.sdl-line');
    const look = () => [host.dataset.revision, bar.style.width, line.textContent.split(' ')[0]];
    window.__look = setInterval(() => window.__seen.push(look()), 20);
}"""
SEEN = "() => { clearInterval(window.__look); return window.__seen }"
INTERRUPT = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"
ASK = """async () => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code: '6 * 7' });
    let answer = '';
    future.onIOPub = message => {
        if (message.content.data) answer = message.content.data['text/plain'];
    };
    await future.done;
    return answer;
}"""
TRAINING = "() => document.querySelector('.sdl-line').textContent.startsWith('training')"
STOPPED = "() => document.querySelector('.sdl-line').textContent.startsWith('stopped early')"
ENDED = "() => !document.querySelector('.widget-vbox button.mod-primary').disabled"


def test_train_and_stop(run_notebook):
    page = run_notebook("11_anchored_training.ipynb", timeout_s=300)
    chart, words = page.locator(".sdl-live-chart"), page.locator(".sdl-line")
    assert chart.count() == 1
    chart.scroll_into_view_if_needed()
    chart.locator("canvas").wait_for()
    settle(page, chart)
    train, stop, bar = (
        page.get_by_role("button", name="Train"),
        page.get_by_role("button", name="Stop"),
        page.locator(".widget-vbox:has(.sdl-live-chart) .progress-bar"),
    )
    first = shot(chart, "11-first")
    assert (
        train.is_enabled() and stop.is_disabled() and bar.evaluate("e => e.style.width") == "100%"
    )

    # a slider alone trains nothing, and says so
    page.locator(".widget-slider .noUi-handle").nth(1).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(".sdl-stale .sdl-live-chart")
    settle(page, chart)
    assert (
        words.inner_text().startswith("press Train")
        and "lam_anchor 1," in words.inner_text()
        and "lam_anchor 0.1," in words.inner_text()
    )
    shot(chart, "11-stale")
    box = chart.bounding_box()

    page.evaluate(WATCH)
    train.click()
    page.wait_for_function(TRAINING)
    assert train.is_disabled() and page.locator(".sdl-stale").count() == 0
    assert page.evaluate(ASK) == "42" and stop.is_enabled()  # other cells run meanwhile
    page.screenshot(path=SHOTS / "11-training-page.png")
    page.wait_for_function(ENDED, timeout=60_000)
    settle(page, chart)
    seen = page.evaluate(SEEN)
    revisions, widths = (
        {revision for revision, *_ in seen},
        [float(width.rstrip("%")) for _, width, _ in seen if width],
    )
    running = [width for (_, _, word), width in zip(seen, widths) if word == "training"]
    assert (
        len(revisions) >= 8
        and len(set(running)) >= 8
        and running == sorted(running)
        and widths[-1] == 100
    )
    # ten times the pull
    assert (
        words.inner_text().startswith("anchored ahead")
        and "After 64,000 samples" in words.inner_text()
    )
    # and no jump in layout
    assert shot(chart, "11-trained") != first and chart.bounding_box() == box
    assert chart.get_attribute("aria-label") in words.inner_text()

    for how in ("button", "interrupt"):
        train.click()
        page.wait_for_function(TRAINING)
        page.wait_for_function(
            "() => /^(7|8|9|1\\d)\\d /.test([...document.querySelectorAll('.widget-label')].map(e "
            "=> e.textContent).find(t => t.endsWith(' steps')))"
        )
        stop.click() if how == "button" else page.evaluate(INTERRUPT)
        page.wait_for_function(STOPPED, timeout=5_000)
        page.wait_for_function(ENDED)
        assert stop.is_disabled() and 0 < float(bar.evaluate("e => e.style.width").rstrip("%")) < 60
    shot(chart, f"11-stopped-{how}")

    area, canvas = (
        page.locator(".jp-OutputArea-output:has(.sdl-live-chart)").bounding_box(),
        chart.locator("canvas").bounding_box(),
    )
    assert canvas["x"] + canvas["width"] <= area["x"] + area["width"] + 1
    assert page.locator(".widget-slider .widget-label, .widget-button").evaluate_all(
        "names => names.every(e => e.scrollWidth <= e.clientWidth + 1)"
    )
    page.screenshot(path=SHOTS / "11-page.png", full_page=True)
    assert (
        re.search(r"\d+ of 500 steps", page.locator(".widget-vbox").first.inner_text())
        and page.external == []
    )
