"""Pictures for pages: drawings that are dark where the page is, and tall where it is narrow."""

from __future__ import annotations

import base64
import copy
import html
import re
from collections.abc import Iterator

import vl_convert as vlc

from .charts.theme import in_the_dark
from .live import VEGA_LITE

NARROW, LARGEST = "(max-width: 600px)", 1.5  # as in core.js
PARTS = ("layer", "hconcat", "vconcat", "concat")
UNSEEN = re.compile(r' (?:role|aria-[a-z]+|pointer-events)="[^"]*"')
PLACES = re.compile(r' (?:d|transform|x2|y2)="[^"]*"')


def svg(spec: dict) -> str:
    """A chart as SVG, with what turns it dark inside."""
    drawn = UNSEEN.sub("", vlc.vegalite_to_svg(spec, vl_version=VEGA_LITE))
    short = lambda places: re.sub(r"\d+\.\d{3,}", lambda one: f"{float(one[0]):.2f}", places[0])
    seen: dict[str, str] = {}  # Vega goes on counting from picture to picture
    drawn = re.sub(r"clip\d+", lambda one: seen.setdefault(one[0], f"clip{len(seen)}"), drawn)
    return PLACES.sub(short, drawn).replace("><", f"><style>{in_the_dark()}</style><", 1)


def stacked(spec: dict) -> dict:
    """The chart with its panels one below another, each with the names of its lines."""
    spec = copy.deepcopy(spec)
    for key in PARTS:
        spec |= {key: [stacked(part) for part in spec[key]]} if key in spec else {}
    if "concat" in spec:
        spec["columns"] = 1
    if "hconcat" in spec:
        spec["vconcat"] = _each_with_names(spec.pop("hconcat"))
    return spec


def _each_with_names(panels: list[dict]) -> list[dict]:
    """Where the first panel alone has an axis of names, the others have it, too."""
    named = next((y for y in _heights(panels[0]) if y.get("axis")), None)
    for y in (y for panel in panels[1:] for y in _heights(panel)):
        if named and y.get("axis", named) is None and y.get("field") == named.get("field"):
            y["axis"] = named["axis"]
    return panels


def _heights(part: dict) -> Iterator[dict]:
    """All y encodings of a chart and its parts."""
    if "y" in part.get("encoding", {}):
        yield part["encoding"]["y"]
    for one in (one for key in PARTS for one in part.get(key, [])):
        yield from _heights(one)


def picture(spec: dict, words: str) -> str:
    """The chart as HTML: one drawing, and another for narrow pages where panels stand abreast."""
    link = lambda drawn: f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
    wide, tall = svg(spec), stacked(spec)
    source = f'<source media="{NARROW}" srcset="{link(svg(tall))}">' if tall != spec else ""
    width = LARGEST * int(wide.split('width="')[1].split('"')[0])
    image = f'<img src="{link(wide)}" alt="{html.escape(words)}" style="max-width: {width:.0f}px">'
    return f'<picture class="sdl-picture">{source}{image}</picture>'
