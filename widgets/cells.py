"""A lesson's cells as the site shows them: a picture for each chart and explorer, in words too."""

from __future__ import annotations

import html

import nbformat

from .drawing import picture
from .recordings import Recording
from .teaching.forms import quiz_of

CHART = "application/vnd.vegalite.v5+json"
EXPLORER = """<figure class="sdl-explorer" id="{name}" data-explorer="{name}" data-frames="{file}">
{picture}
<figcaption><b>{headline}</b> — {words}</figcaption>
</figure>"""


def chart_words(spec: dict) -> list[str]:
    """The titles and subtitles of a chart and its parts, in order."""
    title = spec.get("title") or {}
    own = [title.get("text"), title.get("subtitle")] if isinstance(title, dict) else [title]
    words = [" ".join(text) if isinstance(text, list) else text for text in own if text]
    several = ("layer", "hconcat", "vconcat", "concat")
    parts = [part for key in several for part in spec.get(key, [])]
    if "spec" in spec:
        parts.append(spec["spec"])
    return words + [text for part in parts for text in chart_words(part)]


def figure(told: Recording, name: str, file: str) -> str:
    """The explorer as a picture with its words, and where page.js finds what brings it to life."""
    headline, words = html.escape(told.headline), html.escape(told.words)
    shown = dict(picture=told.picture, headline=headline, words=words)
    return EXPLORER.format(name=name, file=file, **shown)


def show(cell: nbformat.NotebookNode, explorer: str | None = None) -> None:
    """Put one picture in the place of each chart and explorer, in words too.

    explorer : the explorer's figure, where the cell makes one.

    The words are for those who cannot see it. Formulas among the outputs become markdown.
    """
    if explorer:
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": explorer})]
    if form := quiz_of(cell.source):
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": form})]
    for output in cell.outputs:
        data = output.get("data", {})
        if CHART in data:
            words = ". ".join(chart_words(data[CHART])) or "picture"
            output.data = {"text/html": picture(data[CHART], words)}
        elif "image/png" in data:
            words = data.get("text/plain", "picture")
            output.data = {"image/png": data["image/png"]}
            output.metadata = {"image/png": {"alt": words}}
        elif "text/latex" in data:
            output.data = {"text/markdown": data["text/latex"]}
