"""The static site without a browser: one page a notebook, whole, self-contained, typeset."""

import base64
import json
import math
import re
import zlib
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from widgets.cells import chart_words
from widgets.site import build

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder, and its pages read, by stem; a few states of each explorer are enough here."""
    folder = tmp_path_factory.mktemp("site")
    return folder, {
        path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in build(folder, states=20)
    }


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path) -> str:
    """The notebook's markdown without its code."""
    return "\n\n".join(
        re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.S)
        for cell in cells(path, "markdown")
    )


def lesson_alone(page):
    """The page without its questions and the speaker's notes, which test_teaching.py looks at."""
    page = BeautifulSoup(str(page), "html.parser")
    for element in page.select("form.sdl-quiz, template.sdl-notes"):
        element.decompose()
    return page


def test_one_page_a_notebook(site):
    folder, pages = site
    stems = [path.stem for path in NOTEBOOKS]
    assert sorted(pages) == sorted([*stems, "index", "teaching"]) and len(stems) >= 5
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            *(f"{stem}.html" for stem in pages),
            "frames",
            "page.css",
            "page.js",
            "vega.js",
            "teach.js",
        ]
    )
    assert [link["href"] for link in pages["index"].select(".lessons > li > a")] == [
        f"{stem}.html" for stem in stems
    ]
    for before, stem, after in zip([None, *stems], stems, [*stems[1:], None]):
        page, first = pages[stem], cells(NOTEBOOKS[stems.index(stem)], "markdown")[0].source
        assert page.html["lang"] == "en"
        assert len(page.select("h1")) == 1
        assert page.title.text
        assert page.title.text in first.replace("$", "")
        for rel, other in (("prev", before), ("next", after)):
            assert [link["href"] for link in page.select(f"nav a[rel={rel}]")] == (
                [f"{other}.html"] * 2 if other else []
            )


def test_every_chart_and_explorer_has_a_picture_in_words(site):
    for path in NOTEBOOKS:
        page, code = lesson_alone(site[1][path.stem]), cells(path, "code")
        explorers = [
            cell
            for cell in code
            if re.match(r"\w+_explorer\(", cell.source.strip().splitlines()[-1])
        ]
        charts = [
            out
            for cell in code
            if cell not in explorers
            for out in cell.outputs
            if "image/png" in out.get("data", {})
        ]
        drawn = len(re.findall(r"!\[|<img", prose(path)))
        assert len(page.select("figure.sdl-explorer")) == len(explorers)
        assert len(page.select("img")) == len(explorers) + len(charts) + drawn
        for image in page.select("img"):
            kind, data = image["src"].split(",", 1)
            assert kind == "data:image/svg+xml;base64"
            drawing = BeautifulSoup(base64.b64decode(data), "html.parser").svg
            assert min(float(drawing[side]) for side in ("width", "height")) > 100
            assert len(drawing.select("text")) > 5 and drawing.select("path")
            assert len(image["alt"]) > 12
        words = {
            word
            for out in charts
            for word in chart_words(out.data.get("application/vnd.vegalite.v5+json", {}))
        }
        assert all(any(word in image["alt"] for image in page.select("img")) for word in words)


def test_nothing_is_fetched(site):
    folder, pages = site
    for page in pages.values():
        for element in page.find_all(True):
            for name in {
                "src",
                "srcset",
                "poster",
                "data",
                "background",
                "action",
                "xlink:href",
            } & set(element.attrs):
                assert element[name].startswith("data:") or (element.name, element[name]) in (
                    ("script", "page.js"),
                    ("script", "teach.js"),
                ), element
            assert element.name not in ("iframe", "object", "embed", "base")
            assert not re.search(r"url\(|@import", element.get("style", ""))
        assert [link["href"] for link in page.select("link")] == ["page.css"]
        assert page.select("style") == []
        assert all(script["src"] in ("page.js", "teach.js") for script in page.select("script"))
    for name in ("page.css", "page.js", "teach.js"):
        assert not re.search(r"url\(|@import|https?:", (folder / name).read_text())


def test_every_internal_link_resolves(site):
    folder, pages = site
    for stem, page in pages.items():
        for link in page.select("a[href]"):
            if not re.match("https?:", link["href"]):
                file, _, part = link["href"].partition("#")
                assert (folder / (file or f"{stem}.html")).is_file() and (
                    not part or pages[Path(file or stem).stem].find(id=part)
                ), f"{stem}: {link['href']}"
    for path in NOTEBOOKS:
        wanted = re.findall(r"\]\(([\w.-]+)\.ipynb(?:#[^)]*)?\)", prose(path))
        assert sorted(wanted) == sorted(
            link["href"].split(".html")[0]
            for link in site[1][path.stem].select("main a[href*='.html']")
        )


def test_every_note_of_a_speaker_belongs_to_a_section(site):
    notes = 0
    for stem, page in site[1].items():
        for note in page.find_all("div", attrs={"data-heading": True}):
            assert page.find(re.compile("h[1-3]"), id=note["data-heading"]), (stem, note)
            notes += 1
    assert notes > 30


def test_formulas_are_typeset(site):
    number = 0
    for path in NOTEBOOKS:
        page = lesson_alone(site[1][path.stem])
        latex = sum(
            "text/latex" in out.get("data", {})
            for cell in cells(path, "code")
            for out in cell.outputs
        )
        written = len(re.findall(r"\$\$.+?\$\$|\$.+?\$", prose(path), re.S)) + latex
        assert (
            len(page.select(".formula"))
            == written
            == sum(bool(formula.find("math")) for formula in page.select(".formula"))
        )
        for element in page.select("code, pre, script, style"):
            element.decompose()
        assert not re.search(r"\$|\\[a-zA-Z{|]", page.text), path.name
        number += written
    assert number > 100


def read_script(path: Path) -> tuple[dict, bytes]:
    """What an explorer's script hands to page.js: what it must know, and all else, inflated."""
    text = path.read_text(encoding="utf-8")
    about, _, packed = text.removeprefix("sdlFrames(").removesuffix("');\n").rpartition(",\n'")
    return json.loads(about), zlib.decompress(base64.b64decode(packed), wbits=-15)


def test_every_explorer_of_every_lesson_is_alive(site):
    """12 of 12 that train nothing, and more; and the one that trains plays recorded runs."""
    folder, pages, seen = *site, []
    for path in NOTEBOOKS:
        makers = [
            cell.source.strip().splitlines()[-1].split("_explorer(")[0]
            for cell in cells(path, "code")
            if re.match(r"\w+_explorer\(", cell.source.strip().splitlines()[-1])
        ]
        figures = pages[path.stem].select("figure.sdl-explorer")
        assert [figure["data-explorer"] for figure in figures] == makers
        assert len(pages[path.stem].select("script[src='page.js'][defer]")) == bool(figures)
        for figure in figures:
            about, whole = read_script(folder / figure["data-frames"])
            lines = json.loads(whole[4 : 4 + int.from_bytes(whole[:4], "little")])
            sizes = [len(dial["values"]) for dial in about["dials"]]
            at = lambda places: int(np.ravel_multi_index(places, sizes))
            assert len(lines) == len(about["ends"]) == math.prod(sizes) > 10
            assert ": ".join(lines[at(about["start"])][:2]) == figure.img["alt"]
            assert len(about["presets"]) > 1 and all(dial["label"] for dial in about["dials"])
            assert all(lines[at(places)][2] for places in about["presets"].values())
            assert (about["plays"] is not None) == (figure["data-explorer"] == "training")
            assert len(figure.figcaption.text) > 20
        seen += makers
    assert len(set(seen) - {"training"}) >= 12 and len(seen) == len(pages_of(site, "data-frames"))
    assert "needs a kernel" not in "".join(page.text for page in pages.values())


def pages_of(site, attribute: str) -> list:
    """All elements of all pages with an attribute."""
    return [element for page in site[1].values() for element in page.select(f"[{attribute}]")]


def test_a_page_weighs_less_than_a_megabyte_and_a_half(site):
    """Before an explorer is in view: the page, its style, its script."""
    folder = site[0]
    shared = sum((folder / name).stat().st_size for name in ("page.css", "page.js"))
    for stem in site[1]:
        assert (folder / f"{stem}.html").stat().st_size + shared < 1_500_000


@pytest.mark.parametrize("name, holds", [("vega.js", "persistentChart"), ("page.js", "enliven")])
def test_scripts_are_classic(site, name, holds):
    """Browsers load no modules from file://; a module's syntax in a classic script is an error."""
    script = (site[0] / name).read_text(encoding="utf-8")
    assert script.startswith('"use strict";(() => {')
    assert script.endswith("})();\n")
    assert holds in script
    assert not re.search(r"(?<![.\w$])export(\s+\w|\s*[{*])", script)
    assert not re.search(r"(?<![.\w$])import(\s+[\w$]|\s*[{*\"'(]|\.meta)", script)
