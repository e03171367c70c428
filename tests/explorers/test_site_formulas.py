"""The static site's text without a browser: formulas, folded answers, outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from widgets.formulas import BadFormula, mathml
from widgets.site import build


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
    assert not details.has_attr("open")
    assert len(details.select("math")) == 2
    assert details.summary.math
    assert details.select(".highlight") and "After" not in details.text
    assert [len(row.select("th, td")) for row in page.select("tr")] == [2, 2]
    assert [link["href"] for link in page.select("main p a")] == ["small.html#x"]
    assert "See 07, code" in page.main.text


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
    assert page.select_one(".output_stdout pre").text == "a <b>\nverdict   trap\n"
    assert page.select_one(".input pre").text == "if True:\n    x\n"
    assert [line["style"] for line in page.select(".line")] == [
        "--deep: 4ch",
        "--deep: 5ch",
        "--deep: 0ch",
        "--deep: 10ch",
    ]
    assert page.select_one(".output_markdown mfrac")
    assert page.select_one(".table td").text == "cell"
    assert "plain" not in page.main.text
