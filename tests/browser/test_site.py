"""What a reader of the static site does: open a page from the disk, move a slider.

Or have no JavaScript, a phone, a dark screen.
"""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from widgets.site import build

pytestmark = pytest.mark.browser
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
SETTLED = (
    "e => new Promise(done => { const r = e.dataset.revision; "
    "setTimeout(() => done(!!r && e.dataset.revision === r), 300) })"
)
HIDDEN = """() => [...document.querySelectorAll('main pre, main .formula, main .table')]
    .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
    .map(e => e.textContent.slice(0, 60))"""
CONTRAST = """() => {
    const shine = v => ((v / 255 + 0.055) / 1.055) ** 2.4;
    const weights = [0.2126, 0.7152, 0.0722];
    const light = c => c.match(/\\d+/g).reduce((sum, v, i) => sum + weights[i] * shine(v), 0);
    const style = getComputedStyle(document.body);
    const [a, b] = [light(style.color), light(style.backgroundColor)];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), b] }"""


PAPERS = """cards => cards.map(e => getComputedStyle(e).backgroundColor)
    .filter(colour => colour !== 'rgba(0, 0, 0, 0)')"""
# the least contrast of a picture's words with its paper
WORDS = """charts => charts.map(chart => {
    const shine = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 };
    const weights = [.2126, .7152, .0722];
    const light = c => c.match(/\\d+/g).slice(0, 3)
        .reduce((sum, v, i) => sum + weights[i] * shine(v), 0);
    const svg = chart.querySelector('svg');
    const paper = light(getComputedStyle(svg).backgroundColor);
    return Math.min(...[...svg.querySelectorAll('text')].map(e => light(getComputedStyle(e).fill))
        .map(ink => (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05)));
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, and the living figures that each must have."""
    pages = build(tmp_path_factory.mktemp("site"))
    return {
        path: len(
            BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select("figure script")
        )
        for path in pages
    }


@pytest.fixture
def reader(page):
    """The page, with its errors counted."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on(
        "console",
        lambda message: page.errors.append(message.text) if message.type == "error" else None,
    )
    return page


def shot(chart, name: str) -> str:
    """What is drawn, as SVG; a picture of it is kept to be looked at. (Two pictures of one drawing
    may differ by a few levels at the edges of its marks.)
    """
    for _ in range(40):
        if chart.evaluate(SETTLED):
            chart.screenshot(path=SHOTS / f"site-{name}.png")
            return chart.locator("svg").evaluate("e => e.outerHTML")
    pytest.fail("the picture never came to rest")


def test_sliders_live_without_a_kernel(reader, site):
    for path in [path for path, alive in site.items() if alive]:
        reader.goto(path.as_uri())
        reader.wait_for_function(
            "n => document.querySelectorAll('figure.sdl-alive').length === n", arg=site[path]
        )
        for i, figure in enumerate(reader.locator("figure.sdl-alive").all()):
            chart = figure.locator(".sdl-live-chart")
            words = figure.locator(".sdl-line")
            output = figure.locator("output")
            # a screen reader knows its name
            slider = figure.get_by_label(figure.locator("label").inner_text())
            assert slider.get_attribute("type") == "range"
            assert figure.locator("img").count() == 0
            assert chart.locator("svg").bounding_box()["width"] > 400
            before = shot(chart, f"{path.stem}-{i}-start")
            said = words.inner_text()
            start = slider.input_value()
            slider.focus()
            assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
            reader.keyboard.press(
                "Home" if float(start) > float(slider.get_attribute("min")) else "End"
            )
            assert shot(chart, f"{path.stem}-{i}-moved") != before and words.inner_text() != said
            assert float(output.inner_text()) == float(slider.input_value()) != float(start)
            assert chart.get_attribute("aria-label") in words.inner_text()
            buttons = figure.get_by_role("button")
            heard = {
                (button.click(), shot(chart, f"{path.stem}-{i}-{button.inner_text()}"))[1]
                for button in buttons.all()
            }
            # "reset" may repeat a preset
            assert len(heard) >= buttons.count() - 1 and before in heard
            figure.get_by_role("button", name="reset").click()
            assert shot(chart, f"{path.stem}-{i}-reset") == before and words.inner_text() == said
    assert sum(site.values()) and reader.external == [] and reader.errors == []


def test_three_worlds_on_one_slider(reader, site):
    reader.goto(next(path for path in site if path.stem == "05_spurious_minima").as_uri())
    slider, words = reader.get_by_label("path of M_d"), reader.locator(".sdl-line").last
    slider.focus()
    seen = []
    for _ in range(100):
        reader.keyboard.press("ArrowRight")
        seen.append(words.inner_text().split(" ")[0])
    shot(reader.locator(".sdl-live-chart").last, "05-walked")
    seen.append(words.inner_text().split(" ")[0])
    assert [word for word, before in zip(seen, [None, *seen]) if word != before] == [
        "saddle",
        "none",
        "trap",
        "none",
    ]
    assert slider.input_value() == "2"


def test_without_javascript_all_pictures_stand(reader, site):
    reader.context.new_cdp_session(reader).send(
        "Emulation.setScriptExecutionDisabled", {"value": True}
    )
    for path in site:
        reader.goto(path.as_uri())
        assert reader.locator("input[type=range], figure.sdl-alive").count() == 0
        for image in reader.locator("img").all():
            box = image.bounding_box()
            assert box["width"] > 200
            assert box["height"] > 100
            assert image.evaluate("e => e.complete && e.naturalWidth > 100")
            assert image.is_visible()
        assert reader.locator("figcaption").count() == reader.locator("figure").count()
        reader.screenshot(path=SHOTS / f"site-{path.stem}-nojs.png", full_page=True)
    assert reader.external == [] and reader.errors == []


@pytest.mark.parametrize(
    "width, scheme", [(1280, "light"), (900, "light"), (390, "light"), (1280, "dark")]
)
def test_nothing_is_cut_off_and_all_is_readable(reader, site, width, scheme):
    reader.set_viewport_size({"width": width, "height": 1000})
    reader.emulate_media(color_scheme=scheme)
    for path, alive in site.items():
        reader.goto(path.as_uri())
        reader.wait_for_function(
            "n => document.querySelectorAll('figure.sdl-alive').length === n", arg=alive
        )
        reader.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
        assert width < 900 or reader.evaluate(HIDDEN) == [], path.name
        contrast, paper = reader.evaluate(CONTRAST)
        assert contrast > 7 and (paper < 0.05) == (scheme == "dark")
        cards = reader.locator(".output_png img, .sdl-picture img, .sdl-live-chart svg")
        papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
        assert set(cards.evaluate_all(PAPERS)) <= {papers[scheme]}, path.name
        assert all(one >= 4.5 for one in reader.locator(".sdl-live-chart").evaluate_all(WORDS))
        reader.screenshot(path=SHOTS / f"site-{path.stem}-{width}-{scheme}.png", full_page=True)
    assert reader.external == [] and reader.errors == []
