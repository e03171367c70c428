"""Notebooks are green on every processor (tests/figures.py).

Their figures are compared as numbers, their words exactly.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from figures import STEP, agree, close, figures, words

ROOT = Path(__file__).resolve().parents[1]


def stored_texts():
    """Every text that a notebook holds as output and that nbval compares."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for kind, text in {
                    output.get("name"): output.get("text"),
                    **output.get("data", {}),
                }.items():
                    if kind in ("stdout", "text/plain", "text/latex"):
                        yield "".join(text)


TEXTS = list(stored_texts())
FLOATS = [
    (text, *figure)
    for text in TEXTS
    for figure in figures(text)
    if "." in text[slice(*figure[-1])] or "e" in text[slice(*figure[-1])]
]


def again(text, span, value):
    """`text` with another value at `span`, printed as the one that stood there."""
    old = text[slice(*span)]
    decimals = len(re.search(r"(?:\.(\d*))?(?:e|$)", old)[1] or "")
    sign, comma = "+" if old[0] == "+" else "", "," if "," in old else ""
    new = f"{value:{sign}{comma}.{decimals}{'e' if 'e' in old else 'f'}}"
    return (
        text[: span[0]]
        + (new.replace("0.", ".", 1) if old.lstrip("+-")[0] == "." else new)
        + text[span[1] :]
    )


@pytest.mark.parametrize(
    "stored, new",
    [
        ("0.6753562547100406", "0.6753562547100405"),
        ("loss 0.3", "loss 0.30000000000000004"),
        ("-0.0", "0.0"),
        ("[-0.  0.4]", "[ 0.   0.4]"),
        ("0.36", "0.37"),
        ("9.999", "10.0"),
        ("a   9.99 b", "a  10.00 b"),
        ("4.4e-04", "4.5e-04"),
        ("9.9e-05", "1.0e-04"),
        ("27%", "28%"),
        ("4.2%", "4.3%"),
        ("64,000", "64000"),
        ("loss Lt  3", "loss Lt  2.999999"),
        ("[+0.27, nan, inf]", "[+0.27, nan, inf]"),
        (".46, 1-0.5", ".47, 1-0.5"),
        ("0.7", "0.71"),
    ],
)
def test_same_numbers(stored, new):
    assert agree(stored, new) and agree(new, stored)


@pytest.mark.parametrize(
    "stored, new",
    [
        ("51 of 52", "50 of 52"),
        ("64,000", "64,001"),
        ("0.4", "0.5"),
        ("4%", "5%"),
        ("0.36", "0.38"),
        ("0.36", "-0.36"),
        ("1e-05", "2e-05"),
        ("4.2%", "4.2"),
        ("0.0", "1e-17"),
        ("nan", "0.0"),
        ("inf", "1e308"),
        ("1e999", "1e308"),
        ("-inf", "inf"),
        ("0.4 trap", "0.4 saddle"),
        ("0.4 trap", "0.4  0.4 trap"),
        ("1 2", "12"),
        ("1\n2", "1 2"),
        ("W_1", "W_2"),
        ("float64", "float32"),
        ("1.0", "1.1"),
        ("263.12", "263.14"),
        ("1-0.5", "1+0.5"),
        ("0.41677", "0.4168"),
    ],
)
def test_other_numbers_and_other_words(stored, new):
    assert not agree(stored, new) and not agree(new, stored)


def test_a_billionth_is_the_order_of_sums():
    """Every stored figure, one at a time and all at once, and every boundary where a print of two
    digits or more rounds.
    """
    assert len(FLOATS) > 250
    assert sum(len(list(figures(text))) for text in TEXTS) > len(FLOATS) + 500
    for text, value, unit, span in FLOATS:
        for factor in (1 - 1e-9, 1 + 1e-9):
            assert agree(text, again(text, span, value * factor)), text
        boundary = value + unit / 2
        assert unit > STEP * value or agree(
            *(again(text, span, boundary * factor) for factor in (1 - 1e-9, 1 + 1e-9))
        ), text
    for text in TEXTS:
        moved = text
        for value, _unit, span in reversed(list(figures(text))):
            moved = again(moved, span, value * (1 + 1e-9)) if "." in text[slice(*span)] else moved
        assert agree(text, moved), text


def test_a_thousandth_is_not():
    """For each figure that has the digits to show it, which is 2000 units of its last place; fewer
    digits show two units.
    """
    shown = [(text, value, span) for text, value, unit, span in FLOATS if abs(value) >= 2000 * unit]
    print(
        len(FLOATS), "figures with a point or an exponent,", len(shown), "of them show a thousandth"
    )
    assert len(shown) > 30
    for text, value, span in shown:
        assert not agree(text, again(text, span, value * 1.001)) and not agree(
            text, again(text, span, value * 0.999)
        ), text
    for text, value, unit, span in FLOATS:
        if 2 * unit > 1e-5 * abs(value):
            assert not agree(text, again(text, span, value + 2 * unit)) and not agree(
                text, again(text, span, value - 2 * unit)
            ), text


def test_words_and_counts_are_exact():
    changed = 0
    for text in TEXTS:
        for found in re.finditer(r"[^\W\d_]{2,}", text):
            assert not agree(
                text, text[: found.start()] + found[0].swapcase() + text[found.end() :]
            ), found
            changed += 1
        for value, unit, (start, end) in figures(text):
            if unit is None:
                assert not agree(text, f"{text[:start]}{value + 1}{text[end:]}"), text
    assert changed > 1000 and close(2, 2, None, None) and words("a 0.5 b") == ["a", "b"]


def test_nbval_compares_so(tmp_path):
    """The hook in notebooks/conftest.py, on the nbval that is installed: what cells print, and what
    is stored.
    """
    says = [
        ("print('loss', 0.1 + 0.2)", "loss 0.3\n", True),
        ("print('loss', 0.3)", "loss 0.302\n", False),
        ("print('trap')", "saddle\n", False),
        ("print(3)", "4\n", False),
        ("print(f'{0.3649999:.2f} {-0.0}')", "0.37 0.0\n", True),
    ]
    cells = [
        nbformat.v4.new_code_cell(
            code, execution_count=1, outputs=[nbformat.v4.new_output("stream", text=text)]
        )
        for code, text, _ in says
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "says.ipynb")
    shutil.copy(ROOT / "notebooks/conftest.py", tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-v",
        "-c",
        ROOT / "pyproject.toml",
        "--rootdir",
        tmp_path,
        "--nbval",
        "--nbval-current-env",
        tmp_path,
    ]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout
    assert [
        verdict == "PASSED" for verdict in re.findall(r"says::ipynb::Cell \d (PASSED|FAILED)", said)
    ] == [passes for *_, passes in says], said
