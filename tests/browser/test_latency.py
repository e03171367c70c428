"""From key press to painted picture, in turn with a bare kernel echo; and on the static site.

Prints its table; the ratio is measured, not asserted. Run with `make latency` on a quiet machine.
On a page an explorer should take no longer than one echo.
"""

import statistics

import nbformat
import pytest

from widgets import explorers

pytestmark = [pytest.mark.browser, pytest.mark.latency]
ECHO = """import ipywidgets as W
echo, label = W.IntSlider(max=1000, description="echo"), W.HTML("0")
label.add_class("echo-label")
echo.observe(lambda change: setattr(label, "value", f"<b>{change['new']}</b>"), "value")
W.VBox([echo, label])"""
# resolves to the milliseconds from the key press to the first frame after `node` has changed
PRESS = """([node, attribute]) => new Promise(done => {
    const since = () => done(performance.now() - window.__pressed);
    const seen = new MutationObserver(() => {
        seen.disconnect();
        requestAnimationFrame(() => setTimeout(since, 0));
    });
    seen.observe(node, attribute
        ? { attributes: true, attributeFilter: ['data-revision'] }
        : { childList: true, subtree: true, characterData: true });
    const press = () => { window.__pressed = performance.now(); };
    window.addEventListener('keydown', press, { once: true, capture: true });
    window.__armed = true;
})"""


def press(page, handle, node, attribute: bool, key: str) -> float:
    page.evaluate("() => { window.__armed = false }")
    pending = page.evaluate_handle(
        "arguments => { window.__latency = (%s)(arguments) }" % PRESS, [node, attribute]
    )
    handle.focus()
    page.keyboard.press(key)
    milliseconds = page.evaluate("() => window.__latency")
    pending.dispose()
    return milliseconds


EXPLORERS = [name for name in dir(explorers) if name.endswith("_explorer")]


@pytest.mark.parametrize("make", EXPLORERS)
def test_latency(make, lab, run_notebook, notebook_folder, site, capsys):
    source = f"from widgets.explorers import *\n{make}()"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell(ECHO)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(notebook, notebook_folder / "latency.ipynb")
    page = run_notebook("latency.ipynb")
    chart = page.locator(".sdl-live-chart[data-revision]").first
    label = page.locator(".echo-label .widget-html-content")
    chart.wait_for()
    handles = page.locator(".widget-slider .noUi-handle")
    ours, echo, key = [], [], "ArrowLeft"
    for _turn in range(28):  # A B A B, three to warm up
        now, low, high = (
            float(handles.first.get_attribute(f"aria-value{which}"))
            for which in ("now", "min", "max")
        )
        # at an end, turn round
        key = "ArrowRight" if now <= low else "ArrowLeft" if now >= high else key
        ours.append(press(page, handles.first, chart.element_handle(), True, key))
        page.wait_for_timeout(60)
        echo.append(press(page, handles.last, label.element_handle(), False, "ArrowRight"))
        page.wait_for_timeout(60)
    with capsys.disabled():
        print(f"\n{make:<20} kernel echo {spread(echo)}")
        print(f"{'':<20} in JupyterLab {spread(ours)} = {ratios(ours, echo)}")
        alone = on_the_site(page, make.removesuffix("_explorer"), site)
        print(f"{'':<20} on its page {spread(alone)} = {ratios(alone, echo)}")


def on_the_site(page, name: str, site) -> list[float]:
    """The same on the static site, with no kernel to ask."""
    path = next(
        path for path in site.values() if f'data-explorer="{name}"' in path.read_text("utf-8")
    )
    page.goto(path.as_uri())
    figure = page.locator(f"figure[data-explorer='{name}']")
    figure.scroll_into_view_if_needed()
    chart = figure.locator(".sdl-live-chart[data-revision]")
    chart.wait_for()
    slider, times, key = figure.locator("input[type=range]").first, [], "ArrowLeft"
    for _turn in range(28):
        now, last = slider.input_value(), slider.get_attribute("max")
        key = "ArrowRight" if now == "0" else "ArrowLeft" if now == last else key
        times.append(press(page, slider, chart.element_handle(), True, key))
        page.wait_for_timeout(60)
    return times


def settled(times: list[float]) -> tuple[float, float]:
    """Median and 95th percentile without the first three."""
    times = sorted(times[3:])
    return statistics.median(times), times[int(0.95 * len(times))]


def spread(times: list[float]) -> str:
    """Both in words."""
    return "median {:.0f} ms, p95 {:.0f} ms".format(*settled(times))


def ratios(times: list[float], echo: list[float]) -> str:
    """Both as multiples of the echo's."""
    return "{:.2f} x and {:.2f} x echo".format(
        *(one / other for one, other in zip(settled(times), settled(echo)))
    )
