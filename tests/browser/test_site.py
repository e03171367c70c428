"""What a reader of the static site does: open a page from the disk, move its sliders.

By keys or by touch, on a laptop, a phone, or with large letters; without JavaScript; in the dark.
"""

import re

import pytest

from .conftest import chromium
from .eyes import PAPERS, SEEN, WORDS, keep

pytestmark = pytest.mark.browser
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
# the three windows of a class: a laptop, a phone, a laptop with everything half as large again
LAPTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "device_scale_factor": 2}
LARGE = {"viewport": {"width": 853, "height": 480}, "device_scale_factor": 1.5, "has_touch": True}
WINDOWS = {"laptop": LAPTOP, "phone": PHONE, "large": LARGE}
# images that are not there to be seen
STANDS = """images => images.filter(e => {
    const box = e.getBoundingClientRect();
    return !(box.width > 200 && box.height > 100 && e.complete && e.naturalWidth > 100
        && e.checkVisibility({ visibilityProperty: true }));
}).map(e => e.alt)"""
SIZES = "images => images.map(e => 14 * e.clientWidth / e.naturalWidth)"  # of 14 as drawn
OUTER = "e => e.outerHTML"
INSIDE = """figure => [...figure.querySelectorAll('input, select, button, output, label, svg')]
    .map(e => e.getBoundingClientRect())
    .every(box => box.left >= -1 && box.right <= innerWidth + 1)"""


def watched(page):
    """The page, with its errors kept."""
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on(
        "console",
        lambda message: page.errors.append(message.text) if message.type == "error" else None,
    )
    return page


@pytest.fixture
def reader(page):
    """A reader at a wide window."""
    return watched(page)


@pytest.fixture(params=WINDOWS)
def window(request, tmp_path):
    """A reader at each of three windows; its name is `window.size`."""
    with chromium(tmp_path / "profile", **WINDOWS[request.param]) as page:
        page.size = request.param
        yield watched(page)


def awake(page) -> list:
    """All explorers of the open page, each brought into view and to life."""
    figures = page.locator("figure.sdl-explorer").all()
    for figure in figures:
        figure.scroll_into_view_if_needed()
        figure.locator(".sdl-live-chart[data-revision]").wait_for()
    return figures


def shot(chart, name: str) -> str:
    """What is drawn, as SVG, when nothing is left to draw. (Vega's names of axes, which no reader
    is told inside an image, lag one picture behind.)
    """
    chart.page.wait_for_function(
        "e => e.dataset.revision && !e.hasAttribute('aria-busy')", arg=chart.element_handle()
    )
    keep(chart, f"site-{name}")
    return re.sub(' aria-label="[^"]*"', "", chart.locator("svg").evaluate(OUTER))


def moves_by_key(page, figure) -> None:
    """A key on the focused handle moves it, and everything that depends on it."""
    slider = figure.locator("input[type=range]").first
    slider.focus()
    at_end = slider.input_value() == slider.get_attribute("max")
    before = slider.input_value(), slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
    assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"  # seen to be held
    after = slider.input_value(), slider.get_attribute("aria-valuetext")
    assert abs(int(after[0]) - int(before[0])) == 1 and after[1] != before[1]
    assert figure.locator("output").first.inner_text() == after[1]


def moves_by_touch(page, figure) -> None:
    """A finger on a track takes the handle there."""
    for slider in figure.locator("input[type=range]").all():
        slider.scroll_into_view_if_needed()
        box, last = slider.bounding_box(), int(slider.get_attribute("max"))
        for share in (0.8, 0.2):
            page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
            assert abs(int(slider.input_value()) / last - share) < 0.15 + 0.5 / last


def test_every_explorer_moves_at_every_window(window, site):
    """By keys everywhere, by touch where there is a finger; nothing sticks out."""
    alive = 0
    for stem, path in site.items():
        window.goto(path.as_uri())
        assert window.locator(".sdl-live-chart").count() <= 1  # the others sleep until in view
        for i, figure in enumerate(awake(window)):
            chart, words = figure.locator(".sdl-live-chart"), figure.locator(".sdl-line")
            said = words.inner_text()
            for label in figure.locator(".sdl-dial label").all():  # a screen reader knows its name
                assert figure.get_by_label(label.inner_text(), exact=True).count() == 1
            assert figure.locator("img").count() == 0 and figure.evaluate(INSIDE), stem
            if window.size != "laptop":
                moves_by_touch(window, figure)
            moves_by_key(window, figure)
            shot(chart, f"{stem}-{i}-{window.size}")
            assert chart.get_attribute("aria-label") in words.inner_text()
            figure.get_by_role("button", name="reset").click()
            window.wait_for_function(
                "([e, text]) => e.innerText === text", arg=[words.element_handle(), said]
            )
            alive += 1
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), stem
        keep(window, f"site-{stem}-{window.size}")
    assert alive >= 13 and window.external == [] and window.errors == []


def test_presets_and_code(reader, site):
    """Every button has a picture of its own, and "reset" brings back the first one."""
    for stem, path in site.items():
        reader.goto(path.as_uri())
        for i, figure in enumerate(awake(reader)):
            chart, words = figure.locator(".sdl-live-chart"), figure.locator(".sdl-line")
            before, said = shot(chart, f"{stem}-{i}-start"), words.inner_text()
            code = figure.locator(".sdl-code code")
            heard, texts = set(), set()
            names = figure.evaluate("e => Object.keys(e.sdl.data.presets)")
            for name in names:
                figure.get_by_role("button", name=name, exact=True).click()
                heard.add(shot(chart, f"{stem}-{i}-{name}"))
                texts.add(code.text_content())
            # "reset" may repeat a preset
            assert len(heard) >= len(names) - 1 and before in heard
            assert len(texts) >= len(names) - 1
            assert shot(chart, f"{stem}-{i}-reset") == before and words.inner_text() == said
    assert reader.external == [] and reader.errors == []


def test_recorded_runs_play(reader, site):
    reader.goto(site["11_anchored_training"].as_uri())
    (figure,) = awake(reader)
    assert "Recorded runs" in figure.locator(".sdl-note").inner_text()
    figure.get_by_label("recorded run").select_option("strong anchors")
    steps, play = figure.locator("output"), figure.get_by_role("button", name="Play")
    play.click()
    reader.wait_for_function("e => +e.innerText > 100", arg=steps.element_handle())
    figure.get_by_role("button", name="Pause").click()
    stopped = steps.inner_text()
    assert 100 < int(stopped) < 500
    reader.wait_for_timeout(400)
    assert steps.inner_text() == stopped
    play.click()
    reader.wait_for_function("e => e.innerText === '500'", arg=steps.element_handle())
    play.wait_for()
    assert "anchored ahead" in figure.locator(".sdl-line").inner_text()
    assert reader.errors == []


def test_three_worlds_on_one_slider(reader, site):
    reader.goto(site["05_spurious_minima"].as_uri())
    figure = awake(reader)[1]
    slider, words = figure.get_by_label("path of M_d"), figure.locator(".sdl-line")
    slider.focus()
    seen = []
    for _ in range(100):
        reader.keyboard.press("ArrowRight")
        seen.append(words.inner_text().split(" ")[0])
    shot(figure.locator(".sdl-live-chart"), "05-walked")
    seen.append(words.inner_text().split(" ")[0])
    assert [word for word, before in zip(seen, [None, *seen]) if word != before] == [
        "saddle",
        "none",
        "trap",
        "none",
    ]
    assert figure.locator("output").inner_text() == "2.00"


def test_without_javascript_all_pictures_stand(reader, site):
    reader.context.new_cdp_session(reader).send(
        "Emulation.setScriptExecutionDisabled", {"value": True}
    )
    for stem, path in site.items():
        reader.goto(path.as_uri())
        assert reader.locator("main :is(input[type=range], select), figure.sdl-alive").count() == 0
        assert reader.locator("img").evaluate_all(STANDS) == [], stem
        assert reader.locator("figcaption").count() == reader.locator("figure").count()
        keep(reader, f"site-{stem}-nojs", full_page=True)
    assert reader.external == [] and reader.errors == []


def test_without_its_script_an_explorer_stays_a_picture(reader, site, tmp_path):
    """As where a single page was sent, without the folder."""
    lonely = tmp_path / "page.html"
    text = site["00_start_here"].read_text(encoding="utf-8")
    lonely.write_text(re.sub(r"frames/", "nowhere/", text), encoding="utf-8")
    for name in ("page.css", "page.js", "teach.js", "vega.js"):
        (tmp_path / name).write_bytes((site["00_start_here"].parent / name).read_bytes())
    reader.goto(lonely.as_uri())
    figure = reader.locator("figure.sdl-explorer")
    figure.scroll_into_view_if_needed()
    reader.wait_for_timeout(500)
    assert figure.locator("img").is_visible() and figure.locator("figcaption").is_visible()
    assert reader.locator("figure.sdl-alive").count() == 0 and len(reader.errors) == 2


@pytest.mark.parametrize(
    "width, scheme", [(1280, "light"), (900, "light"), (390, "light"), (1280, "dark")]
)
def test_nothing_is_cut_off_and_all_is_readable(reader, site, width, scheme):
    least = {1280: 14, 900: 13, 390: 10}[width]  # pixels of the smallest words in a picture
    reader.set_viewport_size({"width": width, "height": 1000})
    reader.emulate_media(color_scheme=scheme)
    for stem, path in site.items():
        reader.goto(path.as_uri())
        awake(reader)
        reader.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth"), stem
        assert width < 900 or reader.evaluate(HIDDEN) == [], stem
        contrast, paper = reader.evaluate(CONTRAST)
        assert contrast > 7 and (paper < 0.05) == (scheme == "dark")
        cards = reader.locator(".output_png img, .sdl-picture img, .sdl-live-chart svg")
        papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
        assert set(cards.evaluate_all(PAPERS)) <= {papers[scheme]}, stem
        charts = reader.locator(".sdl-live-chart")
        assert all(one >= 4.5 for one in charts.evaluate_all(WORDS))
        assert all(size >= least for size, *_ in charts.evaluate_all(SEEN)), stem
        drawings = reader.locator("main .sdl-picture img")
        assert all(size >= least for size in drawings.evaluate_all(SIZES)), stem
        keep(reader, f"site-{stem}-{width}-{scheme}", full_page=True)
    assert reader.external == [] and reader.errors == []
