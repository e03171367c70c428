"""Pictures that can be projected, and read on a phone: words, handles, panels, a dark room."""

import nbformat
import pytest

from widgets import explorers

from .eyes import SHOTS

pytestmark = pytest.mark.browser
EXPLORERS = [name for name in dir(explorers) if name.endswith("_explorer")]
# of every picture: its smallest words in pixels of the screen, and its share of the cell's width
SEEN = """charts => charts.map(chart => {
    const svg = chart.querySelector('svg'), box = svg.getBoundingClientRect();
    const [, , width, height] = svg.getAttribute('viewBox').split(' ').map(Number);
    const scale = Math.min(box.width / width, box.height / height);
    const sizes = [...svg.querySelectorAll('text')].filter(e => e.textContent.trim())
        .map(e => scale * parseFloat(getComputedStyle(e).fontSize));
    return [Math.min(...sizes), box.width / chart.parentElement.clientWidth, width];
})"""
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
    print(seen)
    assert {name: size for name, (size, *_) in seen.items() if size < 14} == {}
    assert {name: share for name, (_, share, _) in seen.items() if share < 0.97} == {}
    assert min(page.locator(".widget-slider .noUi-base").evaluate_all(TRACKS)) >= 300
    page.screenshot(path=SHOTS / "all-page.png")
