"""Pictures for pages: drawings that are dark where the page is, and tall where it is narrow."""

from __future__ import annotations

import ast
import base64
import copy
import html
import re
import textwrap
from collections.abc import Iterator

import vl_convert as vlc

from .charts.theme import in_the_dark
from .live import VEGA_LITE

NARROW, LARGEST = "(max-width: 600px)", 1.5  # as in core.js
# of a narrow picture: its width, if it can be had, and a panel's least; the letters in a line
SLIM, LEAST, LETTERS = 440, 130, 58
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


def narrow(spec: dict) -> str:
    """The chart as SVG for a narrow page: stacked, and as slim as its names and titles allow."""
    spec = _in_lines(stacked(spec))
    drawn = svg(spec)
    while (more := _width(drawn) - SLIM) > 0:
        spec = _slimmer(spec, more)
        again = svg(spec)
        if _width(again) == _width(drawn):  # its panels are not what is wide
            break
        drawn = again
    return drawn


def _width(drawn: str) -> int:
    return int(drawn.split('width="')[1].split('"')[0])


def _slimmer(spec: dict, by: int) -> dict:
    """The chart with its widest panels slimmer by so many pixels."""
    spec = copy.deepcopy(spec)
    wide = [part for part in _parts(spec) if isinstance(part.get("width"), int)]
    widest = max((part["width"] for part in wide), default=LEAST)
    for part in wide:
        part["width"] = min(part["width"], max(widest - by, LEAST))
    return spec


def _in_lines(spec: dict) -> dict:
    """The chart with long titles in several lines, and legends in no more columns than fit."""
    for part in _parts(spec):
        title = part.get("title")
        if isinstance(title, str):
            part["title"] = textwrap.wrap(title, LETTERS * 3 // 4)
        for key, letters in (("text", LETTERS * 3 // 4), ("subtitle", LETTERS)):
            if isinstance(title, dict) and isinstance(title.get(key), str):
                title[key] = textwrap.wrap(title[key], letters)
        for channel in part.get("encoding", {}).values():
            legend = channel.get("legend") if isinstance(channel, dict) else None
            if legend and legend.get("orient") == "bottom" and (names := _names(channel)):
                fit = max(1, LETTERS * 3 // 4 // (max(map(len, names)) + 5))
                legend["columns"] = min(fit, legend.get("columns", len(names)))
    return spec


def _names(channel: dict) -> list[str]:
    """The names in a legend: of the codes, or the values themselves."""
    named = re.match(r"(\[.*\])\[datum", channel["legend"].get("labelExpr", ""))
    if named:
        return ast.literal_eval(named[1])
    return [one for one in channel.get("scale", {}).get("domain", []) if isinstance(one, str)]


def _parts(spec: dict) -> Iterator[dict]:
    """The chart and all its parts."""
    yield spec
    for one in (one for key in PARTS for one in spec.get(key, [])):
        yield from _parts(one)


def _heights(part: dict) -> Iterator[dict]:
    """All y encodings of a chart and its parts."""
    yield from (one["encoding"]["y"] for one in _parts(part) if "y" in one.get("encoding", {}))


def picture(spec: dict, words: str) -> str:
    """The chart as HTML: one drawing, and another for narrow pages."""
    link = lambda drawn: f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
    wide, slim = svg(spec), narrow(spec)
    source = f'<source media="{NARROW}" srcset="{link(slim)}">' if slim != wide else ""
    width = LARGEST * _width(wide)
    image = f'<img src="{link(wide)}" alt="{html.escape(words)}" style="max-width: {width:.0f}px">'
    return f'<picture class="sdl-picture">{source}{image}</picture>'
