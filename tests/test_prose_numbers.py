"""Every number in the prose of lessons 12 to 16 was computed, and is still so.

The rule, for whoever writes one. A numeral in a markdown cell must be one of these:

1. printed by a code cell of the same lesson (which reads the results file; nbval compares what it
   prints). Rounding is fine: 0.8123 in the output allows 0.81, 81% and 81.2% in the prose. Signs
   are not looked at.
2. held by a file in notebooks/results whose name stands in the lesson (in a link, in a cell), if
   the prose writes three digits or more (0.436, 23.6%, 1,024): two would be found by chance. Of a
   list of numbers (seeds, a curve) its mean, and not each. The paper's printed figures
   (figures.json) are held for every lesson.
3. no result (`NO_RESULT` below): the number of a place (section 5.1, Tables 1 and 4 to 7, lesson
   11), a year, an arXiv number, a whole number up to 10 without a %, 95% and 0.95 (the level of
   intervals; tau), the minutes of a lesson's first lines, whatever stands in code spans, links and
   subscripts. Sizes can stand in code spans, `n = 100`; results must not, nor in $formulas$, which
   are read.

So: print a figure in a cell, then speak of it. When a results file changes, `make notebooks`
changes what is printed, and this test names the words that are old.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted(path for path in (ROOT / "notebooks").glob("1[2-6]_*.ipynb"))
FIGURES = ROOT / "sdl_theory/experiments/paper/figures.json"
NUMERAL = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|(?<![\w.])\.\d+")
LIST = r"\d+(?:\.\d+)*(?:(?:,| and| to| or|, and|-|–)\s?\d+(?:\.\d+)*)*"
NO_RESULT = [
    r"```.*?```|`[^`]*`",  # code
    r"\]\([^)]*\)|https?://\S+|<[^>]*>",  # where links lead, tags
    rf"(?i)\b(?:sections?|appendix|eqs?\.|equations?|tables?|figures?|theorems?|lessons?|examples?"
    rf"|notebooks?|seeds?)\s+{LIST}(?:\s*\(v6: [\d.]+\))?",
    r"\b(?:19|20)\d\d\b(?!,\d|\.\d)",  # years
    r"(?i)arxiv:\d+\.\d+",
    r"(?m)^#+ \d+\. |^\d+\. ",  # headings and lists
    r"[_^]\{[^}]*\}|[_^]-?\d+|10\^",  # subscripts, powers
    r"\\?95\s?\\?%|(?<![\d.])0?\.95(?!\d)",
]
MINUTES = re.compile(r"\*About \d+ minutes")


def numerals(text):
    """(as written, value, decimals, percent) of every numeral that could be a result."""
    for pattern in NO_RESULT:
        text = re.sub(pattern, " ", text, flags=re.S)
    for found in NUMERAL.finditer(text):
        word = found[0]
        percent = bool(re.match(r"\s?\\?%", text[found.end() :]))
        value = float(word.replace(",", ""))
        if value == int(value) and value <= 10 and "." not in word and not percent:
            continue
        yield word + "%" * percent, value, len(word.partition(".")[2]), percent


def digits(word):
    """Significant ones: 0.436 has three."""
    return len(re.sub(r"\D", "", word).lstrip("0"))


def matches(value, decimals, pool):
    """Is it a number of the pool, or a hundred times one, rounded?"""
    room = 0.5 * 10**-decimals * (1 + 1e-6)
    return any(abs(one - value) <= room or abs(100 * one - value) <= room for one in pool)


def leaves(stored):
    """Every number in a JSON value; of a list of numbers the mean alone."""
    if isinstance(stored, bool) or stored is None:
        return
    if isinstance(stored, (int, float)):
        yield abs(float(stored))
    elif isinstance(stored, dict):
        for one in stored.values():
            yield from leaves(one)
    elif isinstance(stored, list):
        numbers = [one for one in stored if isinstance(one, (int, float))]
        if len(numbers) == len(stored) > 2:
            yield abs(sum(numbers) / len(numbers))
        else:
            for one in stored:
                yield from leaves(one)


def held(notebook):
    """The numbers of the results files that a notebook names, and the printed figures."""
    words = " ".join("".join(cell["source"]) for cell in notebook["cells"])
    files = [path for path in (ROOT / "notebooks/results").glob("*.json") if path.name in words]
    return {v for path in [FIGURES, *files] for v in leaves(json.loads(path.read_text("utf-8")))}


def printed(notebook):
    """The numbers that a notebook's cells print."""
    for cell in notebook["cells"]:
        for out in cell.get("outputs", []):
            text = "".join(out.get("text", out.get("data", {}).get("text/plain", "")))
            for found in re.finditer(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+", text):
                value = float(found[0].replace(",", ""))
                yield value / 100 if text[found.end() : found.end() + 1] == "%" else value


def strangers(notebook, results=None):
    """The numerals of the prose that nothing computed."""
    own, results = set(printed(notebook)), held(notebook) if results is None else results
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            prose = MINUTES.sub("", "".join(cell["source"]))
            for word, value, decimals, _ in numerals(prose):
                if matches(value, decimals, own):
                    continue
                if digits(word) < 3 or not matches(value, decimals, results):
                    yield word, prose[:60]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_number_in_the_prose_was_computed(path):
    assert list(strangers(json.loads(path.read_text("utf-8")))) == []


def lesson(prose, output=""):
    code = dict(cell_type="code", source=[], outputs=[dict(text=[output])])
    return dict(cells=[code, dict(cell_type="markdown", source=[prose])])


@pytest.mark.parametrize(
    "prose",
    [
        "It found 82% of them.",
        "a mean of 0.437, where 0.4361 is stored",
        "It took 12,345 steps.",
        "$M_{IP} = 0.31$ by Table 4",
        "## 3. Of 37 runs",
        "| topk | 0.812 |",
    ],
)
def test_a_number_that_nothing_computed_is_found(prose):
    assert list(strangers(lesson(prose, "0.8066"), {0.4361})), prose


@pytest.mark.parametrize(
    "prose",
    [
        "*About 25 minutes.* Tables 1 and 4 to 7, section 5.1, Theorem 3.10 (v6: 3.8), lesson 11.",
        "`n = 100`, $w_{12}$, $10^{-6}$, arXiv:2512.05534, in 2024, 10 seeds, the 95% interval",
        "at $\\tau = 0.95$: 81%, 80.7%, 0.807 and .81, +0.8; and 0.436 or 43.6% from a file",
        "## 12. A heading",
    ],
)
def test_what_was_computed_and_what_is_no_result_may_stand(prose):
    assert list(strangers(lesson(prose, "it is 0.8066"), {0.4361})) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_changed_last_digit_is_often_seen(path):
    """Of numerals of three digits or more; not always, since a false number may be a true one of
    something else by chance.
    """
    notebook = json.loads(path.read_text("utf-8"))
    pool, seen = {*printed(notebook), *held(notebook)}, []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for word, value, decimals, _ in numerals("".join(cell["source"])):
                others = (value + off * 10**-decimals for off in range(-9, 10) if off)
                seen += [not matches(one, decimals, pool) for one in others if digits(word) >= 3]
    assert not seen or sum(seen) >= len(seen) / 5, f"{sum(seen)} of {len(seen)}"
