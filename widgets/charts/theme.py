"""A dark page: every colour of the pictures as it is drawn there, by the browser's own style sheet.

Pictures are made once, on white; where a page is dark, rules for their SVG change the colours.
"""

from __future__ import annotations

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, PINK, QUIET, RED, SKY

PAPER, INK = "#14171c", "#e4e7eb"  # as in page.css
DARK = {
    "white": PAPER,
    "#ffffff": PAPER,
    BLACK: INK,
    "#000": INK,
    "black": INK,
    GREY: "#8d96a0",
    QUIET: "#b4bcc5",
    "#888": "#8b949e",  # Vega's axes, ticks and frames
    "#ddd": "#58616b",
    PALE: "#2b323a",
    BLUE: "#7286ff",
    SKY: "#8cd3ff",
    ORANGE: "#f9c44b",
    GREEN: "#1ac88a",
    RED: "#ff7a3d",
    PINK: "#c595dd",
}


def dark_rules(pictures: str = "svg") -> str:
    """CSS that turns SVG pictures drawn on white into pictures drawn on dark paper.

    pictures : the selector of the pictures meant.
    """
    marks = [
        f'{pictures} [{side}="{light}" i] {{ {side}: {dark} }}'
        for light, dark in DARK.items()
        for side in ("fill", "stroke")
    ]
    return "\n".join([f"{pictures} {{ background-color: {PAPER} !important }}", *marks])


def in_the_dark(pictures: str = "svg") -> str:
    """The same where the reader's system asks for dark pages, on screens."""
    return f"@media screen and (prefers-color-scheme: dark) {{\n{dark_rules(pictures)}\n}}\n"


NOTEBOOK = '[data-jp-theme-light="false"] :is(.sdl-live-chart, .jp-RenderedVegaCommon5) svg'
