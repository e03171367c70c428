"""What goes wrong in class.

A kernel restart in mid-drag, two views, another folder, a narrow window, a dark room, a fast hand.
"""

import shutil

import nbformat
import pytest

from widgets.explorers import pair_explorer

from .conftest import KERNEL_READY
from .eyes import keep, settle, shot

pytestmark = pytest.mark.browser
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
THEME = (
    "() => window.jupyterapp.commands.execute('apputils:change-theme', "
    "{ theme: 'JupyterLab Dark' })"
)
# every animation frame: is there a drawing, with marks in it, of the same height and width?
WATCH = """host => { window.__seen = []; window.__watch = true;
    const look = () => {
        const svg = host.querySelector('svg'), box = host.getBoundingClientRect();
        const marks = svg?.querySelectorAll('path[d], line').length ?? 0;
        const size = [Math.round(box.height), Math.round(box.width)];
        window.__seen.push([!!svg, marks > 20, ...size].join());
        if (window.__watch) requestAnimationFrame(look);
    };
    look(); }"""
# WCAG contrast of the words with what lies behind them
CONTRAST = """e => {
    const rgb = c => c.match(/[\\d.]+/g).map(Number);
    const light = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 };
    const shine = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
    const shone = colour => shine(rgb(colour));
    let back = e;
    const clear = e => (rgb(getComputedStyle(e).backgroundColor)[3] ?? 1) === 0;
    while (back && clear(back)) back = back.parentElement;
    const both = [getComputedStyle(e).color, getComputedStyle(back).backgroundColor];
    const [a, b] = both.map(shone).sort((x, y) => y - x);
    return (a + .05) / (b + .05) }"""


@pytest.fixture
def show(notebook_folder, run_notebook):
    """Run code cells as a notebook of their own; returns the page and its charts."""

    def make(name: str, *cells: str):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
        )
        (notebook_folder / name).parent.mkdir(exist_ok=True, parents=True)
        nbformat.write(notebook, notebook_folder / name)
        page = run_notebook(name)
        charts = page.locator(".sdl-live-chart")
        charts.first.locator("svg").wait_for()
        return page, charts

    return make


def test_kernel_restart_in_mid_drag(show):
    page, charts = show(
        "restart.ipynb", "from widgets.explorers import *\npair_explorer()", "start_explorer()"
    )
    handles, lines = page.locator(".widget-slider .noUi-handle"), page.locator(".sdl-line")
    handles.nth(0).focus()
    for press in range(10):
        page.keyboard.press("ArrowLeft")
        if press == 4:
            page.evaluate(RESTART)
    page.wait_for_function(
        "() => document.querySelector('.sdl-line').textContent.startsWith('The kernel has stopped')"
    )
    settle(page, charts.nth(1))
    before = shot(charts.nth(1), "restart-before")
    handles.nth(2).focus()
    for _ in range(10):
        # one slider: its pages travelled along, and turn without a kernel
        page.keyboard.press("ArrowRight")
    settle(page, charts.nth(1))
    assert shot(charts.nth(1), "restart-after") != before
    assert "kernel" not in lines.nth(1).inner_text()
    page.wait_for_function(KERNEL_READY)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "() => document.querySelector('.sdl-line')?.textContent.startsWith('trap')", timeout=60_000
    )
    assert page.external == []


def test_two_views_of_one_explorer_and_a_second_one(show):
    page, charts = show(
        "two.ipynb",
        "from widgets.explorers import *\none = pair_explorer(rho=0.6)\none",
        "one",
        "pair_explorer(rho=0.6)",
    )
    lines = page.locator(".sdl-line")
    page.wait_for_function("() => document.querySelectorAll('.sdl-line').length === 3")
    page.get_by_role("button", name="a saddle").first.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.sdl-line')].filter(e => "
        "e.textContent.startsWith('saddle')).length === 2"
    )
    assert lines.nth(2).inner_text().startswith("trap")  # the other explorer kept its own state
    settle(page, charts.nth(1))
    drawings = [
        charts.nth(i).locator("svg").evaluate("svg => svg.outerHTML.replace(/clip[0-9]+/g, '')")
        for i in range(3)
    ]
    assert drawings[0] == drawings[1] != drawings[2]


def test_a_notebook_copied_to_another_folder(notebook_folder, run_notebook):
    (notebook_folder / "my course" / "week 1").mkdir(parents=True)
    shutil.copy(
        notebook_folder / "04_global_minimum.ipynb",
        notebook_folder / "my course" / "week 1" / "copy.ipynb",
    )
    page = run_notebook("my course/week 1/copy.ipynb")
    page.locator(".sdl-live-chart svg").first.wait_for()
    assert page.external == []


def test_a_window_900_pixels_wide(page, show):
    page.set_viewport_size({"width": 900, "height": 1200})
    page, charts = show(
        "narrow.ipynb",
        "from widgets.explorers import *\nregion_explorer()",
        "solution_explorer()",
        "lattice_explorer()",
    )
    for i in range(3):
        charts.nth(i).locator("svg").wait_for()
        charts.nth(i).scroll_into_view_if_needed()
        area = page.locator(".jp-OutputArea-output:has(.sdl-live-chart)").nth(i).bounding_box()
        picture = charts.nth(i).locator("svg").bounding_box()
        # nothing cut off, nothing to scroll sideways
        assert picture["x"] + picture["width"] <= area["x"] + area["width"] + 1 <= 901
        names = page.locator(".widget-slider .widget-label").evaluate_all(
            "labels => labels.every(l => l.scrollWidth <= l.clientWidth + 1)"
        )
        assert names
    keep(page, "narrow-page")


def test_in_a_dark_room(page, show):
    page, charts = show(
        "dark.ipynb",
        "from widgets.explorers import *\npair_explorer()",
        "from widgets.live import enable_charts\n"
        "from widgets.charts import *\n"
        "from widgets.rows import *\n"
        "enable_charts()\n"
        "pair_chart(inline(pair_rows(.3)[0]))",
    )
    page.evaluate(THEME)
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_timeout(500)
    assert page.locator(".sdl-line").first.evaluate(CONTRAST) >= 4.5
    keep(page, "dark-page")
    page.evaluate(THEME.replace("Dark", "Light"))
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'true'")
    assert page.locator(".sdl-line").first.evaluate(CONTRAST) >= 4.5


def test_forty_quick_ticks_end_on_the_last_value(show):
    page, charts = show("quick.ipynb", "from widgets.explorers import *\npair_explorer(rho=-0.9)")
    chart, handle = charts.first, page.locator(".widget-slider .noUi-handle").first
    settle(page, chart)
    chart.evaluate(WATCH)
    handle.focus()
    for _ in range(37):
        page.keyboard.press("ArrowRight")
    settle(page, chart)
    seen = set(page.evaluate("() => { window.__watch = false; return window.__seen }"))
    # never empty, never of another size
    assert len(seen) == 1 and next(iter(seen)).startswith("true,true,")
    ours = pair_explorer(rho=-0.9)
    ours.set(rho=float(handle.get_attribute("aria-valuetext")))
    assert ours.state["rho"] > 0.9
    assert page.locator(".sdl-line").first.inner_text() == f"{ours.headline} \u2014 {ours.words}"
    dragged = shot(chart, "quick-dragged")
    page.keyboard.press("ArrowLeft")
    settle(page, chart)
    page.keyboard.press("ArrowRight")
    settle(page, chart)
    assert shot(chart, "quick-slowly") == dragged


SLOW = """import time
from widgets.charts import pair_chart
from widgets.explorers.base import Explorer, slider
from widgets.rows import pair_rows
story = "a story that takes its time"
think = lambda rho: time.sleep(1.5) or (pair_rows(rho)[0], f"{rho:.2f}", story)
controls = {"rho": slider("cosine rho", 0.5, -0.9, 0.9, 0.1)}
Explorer(controls, think, pair_chart, lambda rho: "pass", {}, slow=True)"""


def test_a_slow_story_shows_that_it_works(show):
    page, charts = show("slow.ipynb", SLOW)
    settle(page, charts.first)
    page.locator(".widget-slider .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".sdl-busy .sdl-live-chart", timeout=5_000)
    page.wait_for_function(
        "() => !document.querySelector('.sdl-busy') && "
        "document.querySelector('.sdl-line').textContent.startsWith('0.60')",
        timeout=15_000,
    )
