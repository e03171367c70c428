"""The static site without a browser: one page a notebook, whole, self-contained, typeset."""

import base64
import json
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from widgets.cells import chart_words
from widgets.site import build

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder, and its pages read, by stem."""
    folder = tmp_path_factory.mktemp("site")
    return folder, {
        path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in build(folder)
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
        [*(f"{stem}.html" for stem in pages), "page.css", "vega.js", "teach.js"]
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
                    ("script", "vega.js"),
                    ("script", "teach.js"),
                ), element
            assert element.name not in ("iframe", "object", "embed", "base")
            assert not re.search(r"url\(|@import", element.get("style", ""))
        assert [link["href"] for link in page.select("link")] == ["page.css"]
        assert page.select("style") == []
        assert all(
            script.get("src") in ("vega.js", "teach.js") or script["type"] == "application/json"
            for script in page.select("script")
        )
    assert not re.search(r"url\(|@import|https?:", (folder / "page.css").read_text())


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


def test_living_explorers_carry_their_frames(site):
    living = 0
    for stem, page in site[1].items():
        for figure in page.select("figure.sdl-explorer"):
            script = figure.select_one("script[type='application/json']")
            assert (script is None) == ("needs a kernel" in figure.text)
            assert len(figure.figcaption.text) > 20
            if script:
                data, living = json.loads(script.string), living + 1
                frames = round((data["max"] - data["min"]) / data["step"]) + 1
                assert len(data["ends"]) == len(data["lines"]) == frames > 10
                assert data["ends"] == sorted(data["ends"])
                assert len(base64.b64decode(data["frames"])) == 4 * data["ends"][-1] * len(
                    data["columns"]
                )
                assert data["spec"]["$schema"]
                assert data["label"]
                assert data["presets"]["reset"] == data["value"]
                assert len(data["presets"]) > 1
                assert all(
                    data["min"] <= value <= data["max"] for value in data["presets"].values()
                )
                assert (
                    ": ".join(data["lines"][round((data["value"] - data["min"]) / data["step"])])
                    == figure.img["alt"]
                )
        assert bool(page.select("script[src='vega.js'][defer]")) == bool(
            page.select("script[type='application/json']")
        ), stem
    assert living >= 1


def test_vega_is_a_classic_script(site):
    """Browsers load no modules from file://; a module's syntax in a classic script is an error."""
    script = (site[0] / "vega.js").read_text(encoding="utf-8")
    assert script.startswith('"use strict";(() => {')
    assert script.endswith("})();\n")
    assert "enliven" in script
    assert not re.search(r"(?<![.\w$])export(\s+\w|\s*[{*])", script)
    assert not re.search(r"(?<![.\w$])import(\s+[\w$]|\s*[{*\"'(]|\.meta)", script)
