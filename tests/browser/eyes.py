"""Looking at pictures in the browser: `SHOTS=1 make test` keeps them in build/screenshots."""

import hashlib
import os
from pathlib import Path

import pytest

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
SETTLED = """e => new Promise(done => { const r = e.dataset.revision;
    setTimeout(() => done(!!r && e.dataset.revision === r), 400) })"""
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

# of every picture: its smallest words in pixels of the screen, and its share of the cell's width
SEEN = """charts => charts.map(chart => {
    const svg = chart.querySelector('svg'), box = svg.getBoundingClientRect();
    const [, , width, height] = svg.getAttribute('viewBox').split(' ').map(Number);
    const scale = Math.min(box.width / width, box.height / height);
    const sizes = [...svg.querySelectorAll('text')].filter(e => e.textContent.trim())
        .map(e => scale * parseFloat(getComputedStyle(e).fontSize));
    return [Math.min(...sizes), box.width / chart.parentElement.clientWidth, width];
})"""


def keep(seen, name: str, **how) -> None:
    """A picture of a page, or of a part of it, to be looked at; where SHOTS asks for pictures.

    No test reads it, and to draw a whole page takes longer than most tests of it.
    """
    if os.environ.get("SHOTS"):
        SHOTS.mkdir(parents=True, exist_ok=True)
        seen.screenshot(path=SHOTS / f"{name}.png", **how)


def settle(page, chart):
    """Wait until the picture has taken its last data."""
    for _ in range(40):
        if chart.evaluate(SETTLED):
            return
    pytest.fail("the picture never came to rest")


def shot(chart, name: str) -> str:
    """A fingerprint of what is drawn."""
    keep(chart, name)
    drawn = chart.locator("svg").evaluate("svg => svg.outerHTML")
    return hashlib.sha256(drawn.encode()).hexdigest()


def plain(text: str) -> str:
    """The first words of some markdown, up to a formula: as a page shows them."""
    return text.replace("*", "").split("$")[0].split("`")[0].strip()[:40]
