"""Markdown, formulas and code as HTML, for the static site."""

from __future__ import annotations

import re
from html import unescape

from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from .formulas import mathml


class Renderer(IPythonRenderer):
    """Markdown in which formulas become MathML, also inside raw HTML such as <summary>."""

    def inline_math(self, body: str) -> str:
        return f'<span class="formula">{mathml(body, "inline")}</span>'

    def block_math(self, body: str) -> str:
        return f'<span class="formula block">{mathml(body, "block")}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def block_html(self, html: str) -> str:
        return re.sub(
            r"(?<![\\$])\$([^$]+)\$(?!\$)",
            lambda formula: self.inline_math(formula[1]),
            super().block_html(html),
        )


def markdown(source: str) -> str:
    """Markdown as HTML. A | inside a formula does not end a table's cell."""
    bars = lambda formula: formula[0].replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    source = re.sub(r"^ *\|.*$", lambda row: re.sub(r"\$[^$]+\$", bars, row[0]), source, flags=re.M)
    return MarkdownWithMath(renderer=Renderer(escape=False)).render(source)


def hanging(line: str, column: str) -> str:
    """A line of code or print as a block that wraps where it is too long.

    column : a pattern; the rest hangs under the end of what it matches, and nothing hides behind a
        scrollbar.
    """
    text = unescape(re.sub("<[^>]+>", "", line)).rstrip()
    return f'<span class="line" style="--deep: {re.match(column, text).end()}ch">{line}</span>'


class Lines(HtmlFormatter):
    """Code whose long lines wrap four deeper than they start."""

    def wrap(self, source):
        return super().wrap((kind, hanging(line, " *.{,4}")) for kind, line in source)


class Exporter(HTMLExporter):
    """nbconvert's basic page with our markdown and our code, without prompts."""

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        return markdown(source)


def exporter() -> Exporter:
    """The exporter of all pages. Notebooks are our own, so nothing is cleaned away."""
    code = lambda source, **_: highlight(source, PythonLexer(), Lines())
    # what is printed wraps under its last column
    printed = lambda text: "".join(
        hanging(line, r"(.* {2,})?") for line in ansi2html(text).splitlines(keepends=True)
    )
    filters = {"highlight_code": code, "ansi2html": printed, "clean_html": lambda html: html}
    return Exporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters=filters,
    )


def colours() -> str:
    """The colours of code, by light and by dark, as CSS."""
    light, dark = (
        HtmlFormatter(style=name).get_token_style_defs(".highlight")
        for name in ("xcode", "github-dark")
    )
    return "\n".join([*light, "@media (prefers-color-scheme: dark) {", *dark, "}\n"])
