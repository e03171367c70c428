"""Lesson 11 in the browser: sliders ask, the button trains, and a run can be stopped.

The picture grows while it trains; Stop and the kernel's interrupt stop it.
"""

import re

import pytest

from .eyes import keep, settle, shot

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


STEPS_PASSED = """() => /^(7|8|9|1\\d)\\d /.test(
    [...document.querySelectorAll('.widget-label')].map(e => e.textContent)
    .find(t => t.endsWith(' steps')))"""
FIT = "names => names.every(e => e.scrollWidth <= e.clientWidth + 1)"


class Lesson:
    """Lesson 11, run, with what a hand or an eye finds on it."""

    def __init__(self, page):
        self.page = page
        self.chart, self.words = page.locator(".sdl-live-chart"), page.locator(".sdl-line")
        assert self.chart.count() == 1
        self.chart.scroll_into_view_if_needed()
        self.chart.locator("svg").wait_for()
        settle(page, self.chart)
        self.train = page.get_by_role("button", name="Train")
        self.stop = page.get_by_role("button", name="Stop")
        self.bar = page.locator(".widget-vbox:has(.sdl-live-chart) .progress-bar")

    def width(self) -> str:
        """How far the bar is."""
        return self.bar.evaluate("e => e.style.width")


def test_train_and_stop(run_notebook):
    lesson = Lesson(run_notebook("11_anchored_training.ipynb", timeout_s=300))
    page, chart = lesson.page, lesson.chart
    first = shot(chart, "11-first")
    assert lesson.train.is_enabled() and lesson.stop.is_disabled() and lesson.width() == "100%"
    sliders_train_nothing(lesson)
    box = chart.bounding_box()
    the_button_trains(lesson)
    # and no jump in layout
    assert shot(chart, "11-trained") != first and chart.bounding_box() == box
    assert chart.get_attribute("aria-label") in lesson.words.inner_text()
    for how in ("button", "interrupt"):
        it_stops(lesson, how)
    shot(chart, f"11-stopped-{how}")

    area = page.locator(".jp-OutputArea-output:has(.sdl-live-chart)").bounding_box()
    picture = chart.locator("svg").bounding_box()
    assert picture["x"] + picture["width"] <= area["x"] + area["width"] + 1
    assert page.locator(".widget-slider .widget-label, .widget-button").evaluate_all(FIT)
    keep(page, "11-page", full_page=True)
    assert re.search(r"\d+ of 500 steps", page.locator(".widget-vbox").first.inner_text())
    assert page.external == []


def sliders_train_nothing(lesson):
    """A slider alone trains nothing, and says so."""
    page, words = lesson.page, lesson.words
    page.locator(".widget-slider .noUi-handle").nth(1).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(".sdl-stale .sdl-live-chart")
    settle(page, lesson.chart)
    assert words.inner_text().startswith("press Train")
    assert "lam_anchor 1," in words.inner_text() and "lam_anchor 0.1," in words.inner_text()
    shot(lesson.chart, "11-stale")


def the_button_trains(lesson):
    """To the end; the picture grows, and other cells run meanwhile."""
    page, words = lesson.page, lesson.words
    page.evaluate(WATCH)
    lesson.train.click()
    page.wait_for_function(TRAINING)
    assert lesson.train.is_disabled() and page.locator(".sdl-stale").count() == 0
    assert page.evaluate(ASK) == "42" and lesson.stop.is_enabled()
    keep(page, "11-training-page")
    page.wait_for_function(ENDED, timeout=60_000)
    settle(page, lesson.chart)
    seen = page.evaluate(SEEN)
    revisions = {revision for revision, *_ in seen}
    widths = [float(width.rstrip("%")) for _, width, _ in seen if width]
    running = [width for (_, _, word), width in zip(seen, widths) if word == "training"]
    assert len(revisions) >= 8 and len(set(running)) >= 8
    assert running == sorted(running) and widths[-1] == 100
    # ten times the pull
    assert words.inner_text().startswith("anchored ahead")
    assert "After 64,000 samples" in words.inner_text()


def it_stops(lesson, how):
    """By its button, or the kernel's interrupt."""
    page = lesson.page
    lesson.train.click()
    page.wait_for_function(TRAINING)
    page.wait_for_function(STEPS_PASSED)
    lesson.stop.click() if how == "button" else page.evaluate(INTERRUPT)
    page.wait_for_function(STOPPED, timeout=5_000)
    page.wait_for_function(ENDED)
    assert lesson.stop.is_disabled() and 0 < float(lesson.width().rstrip("%")) < 60
