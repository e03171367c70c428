"""The notebooks as a folder of web pages that needs no server, no network and no kernel: `python -m
widgets.site [folder]`.

Pages show the outputs that the notebooks were committed with. Explorers with one slider stay alive:
their frames travel inside the page.
"""

from __future__ import annotations

import ast
import base64
import html
import json
import mimetypes
import re
import sys
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

from . import explorers
from .live import HERE, bundle
from .markup import colours, exporter, markdown

ROOT = HERE.parent
CHART = "application/vnd.vegalite.v5+json"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="page.css">{script}
</head>
<body>
<nav aria-label="Lessons">{nav}</nav>
<main>
{body}
</main>
<nav aria-label="Lessons, again">{nav}</nav>
</body>
</html>
"""
EXPLORER = """<figure class="sdl-explorer">
<img src="data:image/png;base64,{png}" alt="{headline}: {words}">
<figcaption><b>{headline}</b> — {words}</figcaption>
{rest}
</figure>"""
KERNEL = (
    '<p class="sdl-note">This one {why}needs a kernel: open the notebook (<code>make '
    "lab</code>).</p>"
)


def chart_words(spec: dict) -> list[str]:
    """The titles and subtitles of a chart and its parts, in order."""
    title = spec.get("title") or {}
    own = [title.get("text"), title.get("subtitle")] if isinstance(title, dict) else [title]
    words = [" ".join(text) if isinstance(text, list) else text for text in own if text]
    parts = [
        part for key in ("layer", "hconcat", "vconcat", "concat") for part in spec.get(key, [])
    ] + [spec[key] for key in ("spec",) if key in spec]
    return words + [text for part in parts for text in chart_words(part)]


def explorer_of(source: str) -> explorers.Explorer | None:
    """The explorer that a cell's last line calls, with literal arguments; the call is read, never
    evaluated.
    """
    last = (ast.parse(source).body or [None])[-1]
    call = getattr(last, "value", None)
    name = getattr(getattr(call, "func", None), "id", "")
    if not (isinstance(call, ast.Call) and name.endswith("_explorer") and hasattr(explorers, name)):
        return None
    arguments = (
        [ast.literal_eval(value) for value in call.args],
        {word.arg: ast.literal_eval(word.value) for word in call.keywords},
    )
    return getattr(explorers, name)(*arguments[0], **arguments[1])


def live_data(explorer: explorers.Explorer) -> str:
    """The one control, and all frames, for page.js; empty if a kernel is needed."""
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


def figure(explorer: explorers.Explorer, picture: str | None) -> str:
    """The explorer as a picture with its words, and what page.js needs to bring it to life."""
    why = "has several sliders and " if len(explorer.controls) > 1 else ""
    headline, words = html.escape(explorer.headline), html.escape(explorer.words)
    return EXPLORER.format(
        png=picture or explorer.chart.png64(),
        headline=headline,
        words=words,
        rest=live_data(explorer) or KERNEL.format(why=why),
    )


def show(cell: nbformat.NotebookNode) -> None:
    """One picture for each chart and explorer, with words for those who cannot see it; formulas
    among the outputs as markdown.
    """
    explorer = explorer_of(cell.source)
    pictures = [
        output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    if explorer:
        cell.outputs = [
            nbformat.v4.new_output(
                "display_data", {"text/html": figure(explorer, (pictures or [None])[-1])}
            )
        ]
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            words = ". ".join(chart_words(data.get(CHART, {}))) or data.get("text/plain", "picture")
            output.data, output.metadata = (
                {"image/png": data["image/png"]},
                {"image/png": {"alt": words}},
            )
        elif "text/latex" in data:
            output.data = {"text/markdown": data["text/latex"]}


def mend(body: str, folder: Path) -> str:
    """Links to notebooks become links to pages; pictures travel inside the page; wide tables scroll
    by themselves.
    """
    soup = BeautifulSoup(body, "html.parser")
    for link in soup.select("a[href]"):
        target = link["href"]
        if re.match(r"[a-z]+:|#", target):
            continue
        if (
            re.fullmatch(r"[\w.-]+\.ipynb(#.*)?", target)
            and (folder / target.split("#")[0]).exists()
        ):
            link["href"] = re.sub(r"\.ipynb(#|$)", r".html\1", target)
        else:
            link.unwrap()  # the file is in the repository and not on the site: its name stays
    for image in soup.select("img:not([src^='data:'])"):
        file = folder / image["src"]
        if not file.is_file():
            raise ValueError(f"no picture {image['src']}")
        image["src"] = (
            f"data:{mimetypes.guess_type(file.name)[0]};base64,{base64.b64encode(file.read_bytes()).decode()}"
        )
    for table in soup.select("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "table"}))
    return str(soup)


def heads(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """The title and the line under it, as HTML."""
    title, _, rest = notebook.cells[0].source.strip().partition("\n")
    inline = lambda text: markdown(text).strip().removeprefix("<p>").removesuffix("</p>")
    return inline(title.lstrip("# ")), inline(rest.strip().split("\n\n")[0])


def page(title: str, nav: str, body: str) -> str:
    """The skeleton around a body; Vega is loaded where there is something to bring to life."""
    script = (
        '\n<script src="vega.js" defer></script>'
        if '<script type="application/json">' in body
        else ""
    )
    return PAGE.format(title=re.sub("<[^>]+>", "", title), nav=nav, body=body, script=script)


def build(folder: Path, notebooks: Path = ROOT / "notebooks") -> list[Path]:
    """Write one page a notebook, index.html, page.css and vega.js; return the pages. What cannot be
    written is an error that names its notebook.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, lessons, export = sorted(notebooks.glob("*.ipynb")), [], exporter()
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        try:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    show(cell)
            lessons.append(
                (
                    path.stem,
                    *heads(notebook),
                    mend(export.from_notebook_node(notebook)[0], notebooks),
                )
            )
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    short = lambda lesson: f"{lesson[0][:2]} {lesson[1].split(':')[0]}"
    link = lambda rel, lesson, left, right: (
        f'<a rel="{rel}" href="{lesson[0]}.html">{left}{short(lesson)}{right}</a>'
        if lesson
        else "<span></span>"
    )
    for before, lesson, after in zip([None, *lessons], lessons, [*lessons[1:], None]):
        stem, title, _, body = lesson
        nav = "\n".join(
            [
                link("prev", before, "←&nbsp;", ""),
                '<a href="index.html">All lessons</a>',
                link("next", after, "", "&nbsp;→"),
            ]
        )
        (folder / f"{stem}.html").write_text(page(title, nav, body), encoding="utf-8")
    name, words, *_ = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")
    items = "\n".join(
        f'<li><span>{stem[:2]}</span><a href="{stem}.ipynb">{title}</a><p>{about}</p></li>'
        for stem, title, about, _ in lessons
    )
    contents = f'{markdown(name)}\n{markdown(words)}\n<ul class="lessons">\n{items}\n</ul>'
    (folder / "index.html").write_text(
        page(name.lstrip("# "), "", mend(contents, notebooks)), encoding="utf-8"
    )
    sheets = [(HERE / name).read_text(encoding="utf-8") for name in ("live.css", "page.css")]
    (folder / "page.css").write_text("\n".join([*sheets, colours()]), encoding="utf-8")
    # a classic script, since browsers load no modules from file://
    (folder / "vega.js").write_text(
        f'"use strict";(() => {{{bundle("page.js")}}})();\n', encoding="utf-8"
    )
    return [*(folder / f"{stem}.html" for stem, *_ in lessons), folder / "index.html"]


def main() -> None:
    """Build, or say in one line what is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "html"
    try:
        print(f"{len(build(folder))} pages in {folder}")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
