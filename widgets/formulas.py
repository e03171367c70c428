r"""LaTeX to MathML, which browsers draw by themselves: latex2mathml, mended where it needs it.

What it would pass on as it stands (an unknown \command, a stray &) raises BadFormula.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from latex2mathml.converter import convert

NAME = re.compile(r"[A-Za-z]{2,}")
CHILDREN = {
    "mfrac": 2,
    "mroot": 2,
    "msub": 2,
    "msup": 2,
    "munder": 2,
    "mover": 2,
    "msubsup": 3,
    "munderover": 3,
}
BIG = {r"\vert": "|", r"\Vert": "‖", r"\langle": "⟨", r"\rangle": "⟩", r"\{": "{", r"\}": "}"}
# mo has space around it, mi has none
TAGS = dict.fromkeys("±⟺⟹↦⟶⪰⪯⩽⟂⧵:;", "mo") | dict.fromkeys("∞∂∇∅/|‖", "mi")
LIMITS = {"max", "min", "sup", "inf", "lim"}
ACCENTS = set("~^¯˙→ˇ")
OPENING = set("([{⟨,;=≠<>≤≥≈∈∝→+·×⋅")  # a minus after one of these is a sign, not a difference
OPEN, CLOSE = tuple("([{⟨"), tuple(")]}⟩")
RELATIONS = set("=≤≥<>≈≡∝⟺⟹⇔⇒→")


class BadFormula(ValueError):
    """A formula that cannot be typeset."""


def mathml(formula: str, display: str) -> str:
    """A <math> element; for display "block" several, since browsers break none.

    One for each part that may begin a line.
    """
    source = (
        formula.replace(r"\|", r"\Vert ")
        .replace("|", r"\vert ")
        .replace(r"\operatorname*", r"\operatorname")
        .replace("{aligned}", "{split}")
    )
    for pattern, plain in (
        (r"\\arg\b", r"\\operatorname{arg}"),
        (r"\\mathbb\s*(\{1\}|1)", "{𝟙}"),
        (r"\\(begin|end)\{equation\*?\}", ""),
    ):
        source = re.sub(pattern, plain, source)
    try:
        tree = ET.fromstring(
            convert(source, display=display).replace(
                ' xmlns="http://www.w3.org/1998/Math/MathML"', ""
            )
        )
    except Exception as error:
        raise BadFormula(
            f"cannot typeset ${formula.strip()}$: {type(error).__name__} {error}".strip()
        ) from error
    for mend in (_names, lambda row: _kinds(row, display == "block"), _spaces):
        for row in list(tree.iter()):
            mend(row)
    for element in tree.iter():
        text = (element.text or "").strip()
        if (
            re.search(r"[\\&$]", text)
            or (element.tag == "mo" and not text)
            or len(element) != CHILDREN.get(element.tag, len(element))
        ):
            raise BadFormula(
                f"cannot typeset ${formula.strip()}$: {text or element.tag} is not understood"
            )
    return _lines(tree) if display == "block" else ET.tostring(tree, encoding="unicode")


def _names(row: ET.Element) -> None:
    r"""An upright name is one element.

    Whether its letters came one by one (\mathrm) or as an operator (\operatorname).
    """
    if len(row) > 1 and all(
        child.tag == "mi" and child.get("mathvariant") == "normal" for child in row
    ):
        row[0].text = "".join(child.text or "" for child in row)
        del row[1:], row[0].attrib["mathvariant"]
    for child in row:
        if child.tag == "mo" and NAME.fullmatch(child.text or ""):
            child.tag = "mi"


def _name(element: ET.Element) -> str:
    """The name that an element begins with, as "max" in max_i, or nothing."""
    while len(element) == 1 or (
        len(element) and element.tag in ("msub", "msup", "msubsup", "munder")
    ):
        element = element[0]
    return element.text if element.tag == "mi" and NAME.fullmatch(element.text or "") else ""


def _kinds(row: ET.Element, block: bool) -> None:
    """Big fences, accents that sit on their letter, limits under max, each symbol's right kind."""
    for child in row:
        if child.get("minsize"):
            child.text = BIG.get(child.text, child.text)
            child.attrib |= {"stretchy": "true", "symmetric": "true", "lspace": "0", "rspace": "0"}
        elif child.get("stretchy") != "true":
            child.tag = TAGS.get(child.text or "", child.tag)
        if child.tag == "mover" and len(child) == 2 and child[1].text in ACCENTS:
            child.set("accent", "true")
        if child.tag == "msub" and block and _name(child) in LIMITS:
            child.tag = "munder"
        if child.tag == "mrow" and [part.text for part in child] == [","]:
            child[0].tag = "mi"  # 10{,}000
        child.text = "∗" if child.text == "*" else child.text
    if row.tag in ("msup", "msub", "msubsup") and row[0].get("minsize"):
        base, row[0] = row[0], ET.Element("mrow")  # else Chromium forgets minsize under an exponent
        row[0].append(base)


def _spaces(row: ET.Element) -> None:
    """A thin space beside a name, as in tr K; none after a sign, as in (-1, 2)."""
    if row.tag not in ("mrow", "math", "mtd", "mstyle"):
        return
    for i, (before, child) in reversed(list(enumerate(zip(list(row), list(row)[1:]), start=1))):
        if child.tag == "mo" and child.text == "−" and before.text in OPENING:
            child.set("form", "prefix")
        spaced = ("mo", "mspace", "mtext")
        if (_name(before) and child.tag not in spaced) or (
            _name(child) and before.tag not in spaced
        ):
            row.insert(i, ET.Element("mspace", width="0.167em"))


def _lines(tree: ET.Element) -> str:
    """The formula cut after its wide spaces and before its relations, outside all brackets.

    A span for each statement, a <math> for each part of it.
    """
    start, depth = '<math displaystyle="true">', 0
    lines = ["<span>" + start]
    for child in tree[0]:
        base = ""
        if child.tag in ("mi", "mo", "msub", "msup", "msubsup"):
            base = next(part.text or "" for part in child.iter() if not len(part))
        depth += (base in OPEN) - (base in CLOSE)
        if child.tag == "mo" and base in RELATIONS and depth == 0 and not lines[-1].endswith(start):
            child.set("form", "infix")
            lines.append("</math>" + start)
        lines.append(ET.tostring(child, encoding="unicode"))
        if child.tag == "mspace" and float(child.get("width", "0em")[:-2]) >= 1 and depth == 0:
            lines.append("</math></span><span>" + start)
    return "".join([*lines, "</math></span>"])
