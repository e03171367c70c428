"""The static site without a browser: one page a notebook, whole, self-contained, typeset."""

import base64
import json
import re
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from widgets.formulas import BadFormula, mathml
from widgets.site import build, chart_words

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder, and its pages read, by stem."""
    folder = tmp_path_factory.mktemp("site")
    return folder, {
        path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in build(folder)
    }


def small(folder: Path, *cells) -> BeautifulSoup:
    """The page of a notebook made of these cells, strings as markdown."""
    cells = [
        nbformat.v4.new_markdown_cell(cell) if isinstance(cell, str) else cell
        for cell in ("# Title\n\nWords.", *cells)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "small.ipynb")
    return BeautifulSoup(
        build(folder / "html", folder)[0].read_text(encoding="utf-8"), "html.parser"
    )


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path) -> str:
    """The notebook's markdown without its code."""
    return "\n\n".join(
        re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.S)
        for cell in cells(path, "markdown")
    )


def test_one_page_a_notebook(site):
    folder, pages = site
    stems = [path.stem for path in NOTEBOOKS]
    assert sorted(pages) == sorted([*stems, "index"]) and len(stems) >= 5
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{stem}.html" for stem in pages), "page.css", "vega.js"]
    )
    assert [link["href"] for link in pages["index"].select(".lessons > li > a")] == [
        f"{stem}.html" for stem in stems
    ]
    for before, stem, after in zip([None, *stems], stems, [*stems[1:], None]):
        page, first = pages[stem], cells(NOTEBOOKS[stems.index(stem)], "markdown")[0].source
        assert (
            page.html["lang"] == "en"
            and len(page.select("h1")) == 1
            and page.title.text
            and page.title.text in first.replace("$", "")
        )
        for rel, other in (("prev", before), ("next", after)):
            assert [link["href"] for link in page.select(f"nav a[rel={rel}]")] == (
                [f"{other}.html"] * 2 if other else []
            )


def test_every_chart_and_explorer_has_a_picture_in_words(site):
    for path in NOTEBOOKS:
        page, code = site[1][path.stem], cells(path, "code")
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
        assert (
            len(page.select("figure.sdl-explorer")) == len(explorers)
            and len(page.select("img")) == len(explorers) + len(charts) + drawn
        )
        for image in page.select("img"):
            kind, data = image["src"].split(",", 1)
            assert (
                kind == "data:image/png;base64"
                and min(Image.open(BytesIO(base64.b64decode(data))).size) > 100
            )
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
                assert element[name].startswith("data:") or (element.name, element[name]) == (
                    "script",
                    "vega.js",
                ), element
            assert element.name not in ("iframe", "object", "embed", "base") and not re.search(
                r"url\(|@import", element.get("style", "")
            )
        assert [link["href"] for link in page.select("link")] == ["page.css"] and page.select(
            "style"
        ) == []
        assert all(
            script.get("src") == "vega.js" or script["type"] == "application/json"
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


def test_formulas_are_typeset(site):
    number = 0
    for path in NOTEBOOKS:
        page = BeautifulSoup(str(site[1][path.stem]), "html.parser")
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


@pytest.mark.parametrize(
    "formula", [r"\frobnicate{x}", r"\frac{a}", "a_{", "x & y", r"\left( x", r"\big\wrong"]
)
def test_a_bad_formula_is_an_error_that_names_its_notebook(tmp_path, formula):
    with pytest.raises(BadFormula):
        mathml(formula, "inline")
    with pytest.raises(ValueError, match=re.escape(f"small.ipynb: cannot typeset ${formula}$")):
        small(tmp_path, f"Good $x$, bad ${formula}$.")


@pytest.mark.parametrize(
    "formula, display, wanted",
    [
        (r"\operatorname{tr} K", "inline", '<mi>tr</mi><mspace width="0.167em" /><mi>K</mi>'),
        (r"\mathrm{diag}(s)", "inline", "<mi>diag</mi>"),
        (r"\mathbb{E}", "inline", "<mi>𝔼</mi>"),
        (
            r"\big\| x \big\|_F^2",
            "block",
            'minsize="1.2em" maxsize="1.2em" stretchy="true" symmetric="true" lspace="0" '
            'rspace="0">‖</mo></mrow><mi>F</mi>',
        ),
        (r"(-1, 2)", "inline", '<mo form="prefix">−</mo>'),
        (r"|x| - 1", "inline", "<mi>|</mi><mo>−</mo>"),
        (r"\max_{i} x", "block", "<munder><mi>max</mi><mrow><mi>i</mi></mrow></munder>"),
        (r"\max_{i} x", "inline", "<msub><mi>max</mi>"),
        (r"W^\top", "inline", "<mo>⊤</mo>"),
        (r"\tilde L", "inline", '<mover accent="true">'),
        (r"\text{only } d", "inline", "<mtext>only\xa0</mtext>"),
        (r"a \Leftrightarrow b", "inline", "<mo>⇔</mo>"),
        (
            r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
            "block",
            '<mtd columnalign="right"><mi>c</mi></mtd>',
        ),
        (
            r"a = (b = c)",
            "block",
            '<mi>a</mi></math><math displaystyle="true"><mo form="infix">=</mo><mo '
            'stretchy="false">(</mo><mi>b</mi><mo>=</mo>',
        ),
        (
            r"a, \qquad d \le e",
            "block",
            '</math></span><span><math displaystyle="true"><mi>d</mi></math>',
        ),
    ],
)
def test_formulas_say_what_latex_says(formula, display, wanted):
    assert wanted in mathml(formula, display)


def test_folded_answers_stay_folded_and_typeset(tmp_path):
    answer = (
        "<details><summary>Why $x_d$?</summary>\n\nSince $\\rho > 0$, "
        "`code`:\n\n```python\nprint(1)\n```\n\n</details>\n\nAfter."
    )
    table = "| $|a| + \\|b\\|$ | c |\n|---|---|\n| $\\big|d\\big|$ | e |"
    page = small(
        tmp_path,
        answer,
        table,
        "See [07](missing.ipynb), [code](../widgets/site.py), [here](small.ipynb#x).",
    )
    details = page.details
    assert (
        not details.has_attr("open") and len(details.select("math")) == 2 and details.summary.math
    )
    assert details.select(".highlight") and "After" not in details.text
    assert [len(row.select("th, td")) for row in page.select("tr")] == [2, 2]
    assert [link["href"] for link in page.select("main p a")] == [
        "small.html#x"
    ] and "See 07, code" in page.main.text


def test_what_cannot_be_shown_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="small.ipynb: no picture pictures/none.png"):
        small(tmp_path, "![words](pictures/none.png)")
    with pytest.raises(ValueError, match="small.ipynb"):
        small(tmp_path, nbformat.v4.new_code_cell("rho = 0.5\npair_explorer(rho=rho)"))


def test_outputs_of_all_kinds(tmp_path):
    out = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell(
        "if True:\n    x",
        outputs=[
            out("stream", name="stdout", text="a <b>\nverdict   trap\n"),
            out(
                "execute_result",
                {"text/plain": "Matrix", "text/latex": r"$\displaystyle \frac{1}{2}$"},
            ),
            out(
                "execute_result",
                {"text/html": "<table><tr><td>cell</td></tr></table>", "text/plain": "plain"},
            ),
        ],
    )
    page = small(tmp_path, cell)
    assert (
        page.select_one(".output_stdout pre").text == "a <b>\nverdict   trap\n"
        and page.select_one(".input pre").text == "if True:\n    x\n"
    )
    assert [line["style"] for line in page.select(".line")] == [
        "--deep: 4ch",
        "--deep: 5ch",
        "--deep: 0ch",
        "--deep: 10ch",
    ]
    assert (
        page.select_one(".output_markdown mfrac")
        and page.select_one(".table td").text == "cell"
        and "plain" not in page.main.text
    )


def test_living_explorers_carry_their_frames(site):
    living = 0
    for stem, page in site[1].items():
        for figure in page.select("figure.sdl-explorer"):
            script = figure.select_one("script[type='application/json']")
            assert (script is None) == ("needs a kernel" in figure.text) and len(
                figure.figcaption.text
            ) > 20
            if script:
                data, living = json.loads(script.string), living + 1
                frames = round((data["max"] - data["min"]) / data["step"]) + 1
                assert len(data["ends"]) == len(data["lines"]) == frames > 10 and data[
                    "ends"
                ] == sorted(data["ends"])
                assert (
                    len(base64.b64decode(data["frames"]))
                    == 4 * data["ends"][-1] * len(data["columns"])
                    and data["spec"]["$schema"]
                )
                assert (
                    data["label"]
                    and data["presets"]["reset"] == data["value"]
                    and len(data["presets"]) > 1
                )
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
    assert (
        script.startswith('"use strict";(() => {')
        and script.endswith("})();\n")
        and "enliven" in script
    )
    assert not re.search(r"(?<![.\w$])export(\s+\w|\s*[{*])", script)
    assert not re.search(r"(?<![.\w$])import(\s+[\w$]|\s*[{*\"'(]|\.meta)", script)
