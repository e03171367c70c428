"""The notebooks as a folder of web pages that needs no server, no network and no kernel.

`python -m widgets.site [folder]` writes it. Pages show the outputs that the notebooks were
committed with. Explorers stay alive: the stories of their states lie beside the pages, in frames/.
"""

from __future__ import annotations

import base64
import mimetypes
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from bs4 import BeautifulSoup

from .cells import figure, show
from .charts.theme import in_the_dark
from .live import HERE, bundle
from .markup import Exporter, colours, exporter, markdown
from .recordings import Call, Recording, calls, recordings
from .teaching.forms import asked_of, notes_of, teach_script, teach_sheet

ROOT = HERE.parent
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="page.css">{script}
<script src="teach.js" defer></script>
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
GUIDE = '<p class="sdl-guide">For teachers: <a href="teaching.md">how to teach with these</a>.</p>'


def mend(body: str, folder: Path) -> str:
    """The body with all that the site has: links to pages, pictures inside, tables that scroll.

    Links to notebooks become links to pages; pictures travel inside the page; wide tables scroll by
    themselves.
    """
    soup = BeautifulSoup(body, "html.parser")
    for link in soup.select("a[href]"):
        target = link["href"]
        if re.match(r"[a-z]+:|#", target):
            continue
        if (
            re.fullmatch(r"[\w.-]+\.(ipynb|md)(#.*)?", target)
            and (folder / target.split("#")[0]).exists()
        ):
            link["href"] = re.sub(r"\.(ipynb|md)(#|$)", r".html\2", target)
        else:
            link.unwrap()  # the file is in the repository and not on the site: its name stays
    for image in soup.select("img:not([src^='data:'])"):
        file = folder / image["src"]
        if not file.is_file():
            raise ValueError(f"no picture {image['src']}")
        kind, data = mimetypes.guess_type(file.name)[0], base64.b64encode(file.read_bytes())
        image["src"] = f"data:{kind};base64,{data.decode()}"
    for table in soup.select("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "table"}))
    return str(soup)


def heads(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """The title and the line under it, as HTML."""
    title, _, rest = notebook.cells[0].source.strip().partition("\n")
    inline = lambda text: markdown(text).strip().removeprefix("<p>").removesuffix("</p>")
    return inline(title.lstrip("# ")), inline(rest.strip().split("\n\n")[0])


def page(title: str, nav: str, body: str) -> str:
    """The skeleton around a body; page.js where there is something to bring to life."""
    script = '\n<script src="page.js" defer></script>' if " data-frames=" in body else ""
    return PAGE.format(title=re.sub("<[^>]+>", "", title), nav=nav, body=body, script=script)


class Lesson(NamedTuple):
    """A notebook as HTML: its file's stem, its title, the line under it, all of it."""

    stem: str
    title: str
    about: str
    body: str

    @property
    def short(self) -> str:
        """Its number and the first words of its title."""
        return f"{self.stem[:2]} {self.title.split(':')[0]}"


class Notebook(NamedTuple):
    """A notebook read: its file, what is in it, its explorers by their cells' sources."""

    path: Path
    node: nbformat.NotebookNode
    calls: dict[str, Call]

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """From its file."""
        node = nbformat.read(path, as_version=4)
        cells = [cell.source for cell in node.cells if cell.cell_type == "code"]
        return cls(path, node, calls(cells, path.stem))


def lesson(notebook: Notebook, told: dict[Call, Recording], export: Exporter) -> Lesson:
    """A notebook as HTML; what cannot be written is an error that names it."""
    path, node, here = notebook.path, notebook.node, notebook.calls
    try:
        for cell in node.cells:
            if cell.cell_type == "code":
                call = here.get(cell.source)
                show(cell, call and figure(told[call], call.name, call.file))
        body = mend(export.from_notebook_node(node)[0], path.parent) + notes_of(path.stem)
        return Lesson(path.stem, *heads(node), body)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def navigation(before: Lesson | None, after: Lesson | None) -> str:
    """Links to the lesson before, to all of them, and to the one after."""
    link = lambda rel, to, words: f'<a rel="{rel}" href="{to.stem}.html">{words}</a>'
    nothing = "<span></span>"
    links = [
        link("prev", before, f"←&nbsp;{before.short}") if before else nothing,
        '<a href="index.html">All lessons</a>',
        link("next", after, f"{after.short}&nbsp;→") if after else nothing,
    ]
    return "\n".join(links)


def index(lessons: list[Lesson], notebooks: Path) -> str:
    """README's head, and all lessons."""
    name, words, *_ = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")
    items = "\n".join(
        f"<li{asked_of(one.stem)}><span>{one.stem[:2]}</span>"
        f'<a href="{one.stem}.ipynb">{one.title}</a><p>{one.about}</p></li>'
        for one in lessons
    )
    contents = f'{markdown(name)}\n{markdown(words)}\n<ul class="lessons">\n{items}\n</ul>\n{GUIDE}'
    return page(name.lstrip("# "), "", mend(contents, notebooks))


def build(
    folder: Path, notebooks: Path = ROOT / "notebooks", states: int | None = None
) -> list[Path]:
    """Write one page a notebook, index.html, page.css, scripts and frames/; return the pages.

    states : how many states of each explorer to keep, where fewer will do than it asks for.

    What cannot be written is an error that names its notebook.
    """
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    write = lambda name, text: (folder / name).write_text(text, encoding="utf-8")
    export = exporter()
    read = [Notebook.read(path) for path in sorted(notebooks.glob("*.ipynb"))]
    told = recordings([call for one in read for call in one.calls.values()], states)
    for call, recording in told.items():
        write(call.file, recording.script)
    lessons = [lesson(one, told, export) for one in read]
    for before, one, after in zip([None, *lessons], lessons, [*lessons[1:], None]):
        write(f"{one.stem}.html", page(one.title, navigation(before, after), one.body))
    write("index.html", index(lessons, notebooks))
    guide = notebooks / "teaching.md"
    if guide.is_file():
        body = mend(markdown(guide.read_text(encoding="utf-8")), notebooks)
        write("teaching.html", page("Teaching", navigation(None, None), body))
    sheets = [(HERE / name).read_text(encoding="utf-8") for name in ("live.css", "page.css")]
    dark = in_the_dark(".sdl-live-chart svg")
    write("page.css", "\n".join([*sheets, teach_sheet(), dark, colours()]))
    write("teach.js", teach_script())
    # classic scripts, since browsers load no modules from file://
    write("vega.js", f'"use strict";(() => {{{bundle("chart.js")}}})();\n')
    script = (HERE / "page.js").read_text(encoding="utf-8")
    write("page.js", f'"use strict";(() => {{\n{script}}})();\n')
    stems = [*(one.stem for one in lessons), *(["teaching"] if guide.is_file() else []), "index"]
    return [folder / f"{stem}.html" for stem in stems]


def main() -> None:
    """Build, or say in one line what is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "html"
    try:
        print(f"{len(build(folder))} pages in {folder}")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
