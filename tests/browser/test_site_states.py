"""The state of an explorer on a web page: in its address, in its words, in its picture.

All of it against the library, which is asked again for the very state that the page shows.
"""

import json
import random

import nbformat
import numpy as np
import pytest

from tests.verdicts_for_tests import DISAGREE
from widgets.frames import lengthen, shorten
from widgets.recordings import calls, explorer_of

from .conftest import ROOT
from .test_site import awake, watched

pytestmark = pytest.mark.browser
ROUND_TRIPS, MOVES, STOPS = 200, 520, 8  # of each explorer; moves between two stops: MOVES / STOPS
# (what is asked to be painted is looked at, and painted after the last trip alone)
TRIPS = """async ([figure, states]) => {
    const { sdl } = figure, { chart } = sdl, paint = chart.show, wrong = [];
    const code = figure.querySelector('.sdl-code code');
    let last = null;
    chart.show = story => { last = story; };
    const seen = () => [
        sdl.at().join(), sdl.address(), code.textContent, last.headline, last.words,
        ...last.rows.map(row => Object.values(row).join()),
        ...[...figure.querySelectorAll('.sdl-dial :is(input, select)')].map(one => one.value),
    ].join('\\n');
    for (const state of states) {
        sdl.go(state);
        const address = sdl.address(), before = seen();
        sdl.go([...sdl.data.start]);
        const came = new Promise(done => addEventListener('hashchange', done, { once: true }));
        if (location.hash !== address) { location.hash = address; await came; }
        else sdl.go(state);
        await 0;
        const same = sdl.at().join() === state.join() && seen() === before;
        if (!same || !code.textContent.endsWith(address)) wrong.push([address, sdl.at(), before]);
    }
    chart.show = paint;
    await paint(last);
    const line = figure.querySelector('.sdl-line').textContent;
    return line === `${last.headline} \u2014 ${last.words}` ? wrong : [...wrong, line];
}"""
# random moves of real controls and buttons; what is then shown, in words and in the picture
MOVE = """async ([figure, moves]) => {
    const controls = [...figure.querySelectorAll('.sdl-dial :is(input, select)')];
    const buttons = [...figure.querySelectorAll('.sdl-controls button')]
        .filter(button => !['link to this', 'Play', 'Pause'].includes(button.textContent));
    const { sdl } = figure, { chart, data } = sdl;
    for (const [which, share] of moves) {
        if (which >= controls.length) buttons[Math.floor(share * buttons.length)].click();
        else {
            const control = controls[which];
            control.value = Math.round(share * (control.max ?? control.length - 1));
            control.dispatchEvent(new Event('input', { bubbles: true }));
        }
        if (Math.random() < 0.2) await new Promise(requestAnimationFrame);
    }
    while (chart.host.hasAttribute('aria-busy')) await new Promise(requestAnimationFrame);
    const rows = chart.view.data('live');
    return {
        columns: Object.fromEntries(data.columns.map(name => [name, rows.map(row => row[name])])),
        headline: figure.querySelector('.sdl-line b').textContent,
        words: figure.querySelector('.sdl-line span').textContent.replace(/^ \\u2014 /, ''),
        code: figure.querySelector('.sdl-code code').textContent,
        shown: [...figure.querySelectorAll('.sdl-dial :is(output, option:checked)')]
            .map(place => place.textContent),
        values: data.dials.map((dial, d) => dial.values[sdl.at()[d]]),
    };
}"""


@pytest.fixture
def reader(page):
    """A reader whose errors are kept."""
    return watched(page)


@pytest.fixture(scope="module")
def makers():
    """Every explorer of the lessons, by page and name: as the page was made from it."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        for call in calls(cells, path.stem).values():
            found[path.stem, call.name] = explorer_of(call.source).recorded()
    return found


def name_of(figure) -> str:
    return figure.get_attribute("data-explorer")


def test_addresses_bring_back_200_random_states_of_each_explorer(reader, site):
    """Controls, words and code; and one of them in a page that is opened anew."""
    explorers = 0
    for stem, path in site.items():
        reader.goto(path.as_uri())
        sizes = {}
        for figure in awake(reader):
            name, draw = name_of(figure), random.Random(stem)
            lengths = figure.evaluate("e => e.sdl.data.dials.map(dial => dial.values.length)")
            states = [[draw.randrange(n) for n in lengths] for _ in range(ROUND_TRIPS)]
            assert reader.evaluate(TRIPS, [figure.element_handle(), states]) == [], name
            figure.evaluate("(e, state) => e.sdl.go(state)", states[0])
            sizes[name] = states[0], figure.evaluate("e => e.sdl.address()")
            explorers += 1
        for name, (state, address) in sizes.items():
            reader.goto("about:blank")
            reader.goto(path.as_uri() + address)
            figure = reader.locator(f"figure[data-explorer='{name}']")
            figure.locator(".sdl-live-chart[data-revision]").wait_for()
            assert figure.evaluate("e => e.sdl.at()") == state
            assert figure.evaluate("e => e.getBoundingClientRect().top < innerHeight")
    assert explorers >= 13 and reader.external == [] and reader.errors == []


ASKED = {
    "pair:rho=-0.62,m_2=1": ["-0.6", "1"],
    "pair:rho=7,m_2=-1e9": ["0.95", "0.2"],
    "pair:rho=Infinity": ["0.95", "1"],
    "pair:rho=-1e999,m_2=x": ["-0.95", "1"],
    "pair:rho=,m_2=,": ["0.2", "1"],
    "pair:": ["0.2", "1"],
    "pair:M_2=3,=,rho": ["0.2", "1"],
    "pair:m_2=2,rho=0.43,rho=0.4": ["0.4", "2"],
    "pair:rho=<img src=x onerror=alert(1)>,m_2=3": ["0.2", "3"],
    "pair%3Arho%3D0.6%2Cm_2%3D3": ["0.6", "3"],
    "pair:rho=%E0%A4%A": ["0.2", "1"],
}
FOREIGN = ("", "x", "nobody:rho=1", "%E0%A4%A", ":", "pair", "=", "1:2:3", "three:t=x")


def test_what_is_no_legal_value_goes_to_the_nearest(reader, site):
    """In a page that is opened with it; addresses of anything else do no harm."""
    page, values = (
        site["05_spurious_minima"].as_uri(),
        "e => e.sdl.data.dials.map((dial, d) => dial.values[e.sdl.at()[d]])",
    )
    for asked, shown in (ASKED | dict.fromkeys(FOREIGN, ["0.2", "1"])).items():
        reader.goto("about:blank")
        reader.goto(f"{page}#{asked}")
        figure = reader.locator("figure[data-explorer='pair']")
        figure.scroll_into_view_if_needed()
        figure.locator(".sdl-live-chart[data-revision]").wait_for()
        reader.wait_for_function("e => e.sdl", arg=figure.element_handle())
        assert figure.evaluate(values) == shown, asked
    assert reader.errors == [] and reader.external == []


# what buttons say for two seconds, which a slow machine may look for too late
LISTEN = """figure => { window.said = [];
    new MutationObserver(changes => changes.forEach(one => said.push(one.target.textContent)))
        .observe(figure, { childList: true, subtree: true }); }"""


def test_link_to_this_copies_the_address(reader, site):
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.goto(site["08_transcoders_crosscoders"].as_uri())
    (figure,) = awake(reader)
    figure.evaluate(LISTEN)
    figure.get_by_role("button", name="transcoder, trap").click()
    figure.locator(".sdl-link").click()
    reader.wait_for_function("said.includes('copied')")
    link = reader.evaluate("navigator.clipboard.readText()")
    assert link.endswith(
        "08_transcoders_crosscoders.html#machine:kind=transcoder,mu=-0.6,other=0.6"
    )
    reader.wait_for_function("link => location.href === link", arg=link)
    # another address in the same page moves it, too
    reader.evaluate("location.hash = '#machine:kind=SAE,mu=0.3'")
    reader.wait_for_function("document.querySelector('figure').sdl.at()[0] === 0")
    figure.locator("summary").click()
    figure.locator(".sdl-code button").click()
    reader.wait_for_function("said.filter(words => words === 'copied').length === 2")
    code = reader.evaluate("navigator.clipboard.readText()")
    assert code == figure.locator("pre code").inner_text() and "machine('SAE', mu=0.30" in code


def test_ten_thousand_moves(reader, site, makers):
    """No error; picture, words, code and controls agree with each other and with the library."""
    made = 0
    for stem, path in site.items():
        reader.goto(path.as_uri())
        for figure in awake(reader):
            name, draw = name_of(figure), random.Random(stem)
            explorer = makers[stem, name]
            dials = len(explorer.controls)
            for _ in range(STOPS):
                moves = [(draw.randrange(dials + 1), draw.random()) for _ in range(MOVES // STOPS)]
                seen = reader.evaluate(MOVE, [figure.element_handle(), moves])
                made += len(moves)
                as_the_library_says(explorer, seen)
    assert made >= 10_000 or made >= MOVES * 13
    assert reader.external == [] and reader.errors == []


def as_the_library_says(explorer, seen: dict) -> None:
    """What a page shows, beside what the library gives for the state that its controls show."""
    state = {}
    for (name, control), value, shown in zip(
        explorer.controls.items(), seen["values"], seen["shown"], strict=True
    ):
        if hasattr(control, "options"):
            state[name] = shown
        else:
            state[name] = type(control.value)(float(value))
            assert abs(float(shown) - state[name]) <= 0.005
    columns, headline, words = explorer.tell(state)
    drawn = {name: np.array(column, dtype="<f4") for name, column in seen["columns"].items()}
    for name, column in columns.items():
        assert np.array_equal(drawn[name], lengthen(shorten(column))), (explorer.name, state, name)
    assert (seen["headline"], seen["words"]) == (headline, words), json.dumps(state)
    assert seen["code"] == explorer.code_of(state)
    if check := DISAGREE.get(explorer.name.split("-")[0]):
        assert list(check(drawn, headline, words)) == [], state
