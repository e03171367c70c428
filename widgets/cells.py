"""A lesson's cells as the site shows them: a picture for each chart and explorer, in words too.

And the frames that bring an explorer with one slider to life.
"""

from __future__ import annotations

import ast
import base64
import html
import json

import nbformat

from . import explorers
from .drawing import picture
from .teaching.forms import quiz_of

CHART = "application/vnd.vegalite.v5+json"
EXPLORER = """<figure class="sdl-explorer">
{picture}
<figcaption><b>{headline}</b> — {words}</figcaption>
{rest}
</figure>"""
KERNEL = (
    '<p class="sdl-note">This one {why}needs a kernel: '
    "open the notebook (<code>make lab</code>).</p>"
)


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


def explorer_of(source: str) -> explorers.Explorer | None:
    """The explorer that a cell's last line calls, with literal arguments; None if it calls none.

    The call is read, never evaluated.
    """
    last = (ast.parse(source).body or [None])[-1]
    call = getattr(last, "value", None)
    name = getattr(getattr(call, "func", None), "id", "")
    if not (isinstance(call, ast.Call) and name.endswith("_explorer") and hasattr(explorers, name)):
        return None
    places = [ast.literal_eval(value) for value in call.args]
    words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    return getattr(explorers, name)(*places, **words)


def live_data(explorer: explorers.Explorer) -> str:
    """The one control and all frames, for page.js; empty if a kernel is needed."""
    chart = explorer.chart
    if not chart.ends:
        return ""
    ((name, control),) = explorer.controls.items()
    data = {
        "label": control.description,
        "min": control.min,
        "max": control.max,
        "step": control.step,
        "value": control.value,
        "digits": 0 if isinstance(control.value, int) else 2,
        "presets": {label: values[name] for label, values in explorer.preset_values.items()},
        "spec": chart.spec,
        "columns": chart.columns,
        "ends": chart.ends,
        "lines": chart.lines,
        "frames": base64.b64encode(chart.frames).decode(),
    }
    text = json.dumps(data).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def figure(explorer: explorers.Explorer) -> str:
    """The explorer as a picture with its words, and what page.js needs to bring it to life."""
    why = "has several sliders and " if len(explorer.controls) > 1 else ""
    headline, words = html.escape(explorer.headline), html.escape(explorer.words)
    return EXPLORER.format(
        picture=picture(explorer.chart.static_spec(), f"{explorer.headline}: {explorer.words}"),
        headline=headline,
        words=words,
        rest=live_data(explorer) or KERNEL.format(why=why),
    )


def show(cell: nbformat.NotebookNode) -> None:
    """Put one picture in the place of each chart and explorer, in words too.

    The words are for those who cannot see it. Formulas among the outputs become markdown.
    """
    explorer = explorer_of(cell.source)
    if explorer:
        shown = figure(explorer)
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": shown})]
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
