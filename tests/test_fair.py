"""Fair to the paper: a sentence about it names the place it speaks of.

What was false once does not come back; a trap is said to be what it is.
"""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RESULTS = (ROOT / "notebooks/results/README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLACE = re.compile(
    r"\b(section \d|sections \d|appendix [A-Z]|Eqs?\. ?\d|eqs?\. ?\d|equations? \d|Theorems? "
    r"\d|Tables? \d|Figures? \d|Example \d|Assumption \d|abstract\b|walkthrough|version 6|v6\b)",
    re.I,
)
PAPER = re.compile(r"\b(the|its own|their) paper\b|2512\.05534\b", re.I)

# A sentence with one of these says nothing about what is in the paper, so it names no place.
# Each has its reason.
ALLOWED = {
    "the paper's orientation": "how our matrices lie: W_E by rows, W_D by columns",
    "the paper's size": "the size of a run of ours, named after the preset",
    "What the paper claims, and what holds": "a heading; the tables below it name a place a row",
    "The paper's claims": "a heading; the table below it names a place a row",
    "THE PAPER'S CLAIMS": "a heading of `verify`; its rows name their places",
    "The paper's claims (arXiv:2512.05534, or the authors' walkthrough": "the head of the file "
    "whose every check names its place",
    "the paper's claims": "the audit by name; its rows name their places",
    "the paper's claim |": "the head of a column whose rows name their places",
    "None of these is a claim of the paper": "says what the second table is not",
    "places of the paper": "the same, in code",
    "what this project adds to the paper's claims": "says what the second file is not",
    "place of the paper": "how the audit's rows name their place",
    "holds under a hypothesis the paper omits": "the name of a verdict; its row names the place",
    "the paper says it, or its walkthrough": "the field that tells claims from findings",
    "whose theory it builds and checks": "a citation",
    "the paper's metric": "by that name the metric of section 5.1 and appendix B, which README, "
    "results and docstrings introduce with both",
    "the paper's own figures": "the head of a column; the text above it names the tables",
    "Beyond the paper": "says that something is not in it",
    "beyond arXiv:2512.05534": "says that something is not in it",
    "offers one theory for all of this": "lesson 00's first sentence on it: what the whole is "
    "about",
    "one optimization problem": "README's first sentence on it: what the whole is about",
    "You do not need": "says that nobody has to read it",
    "we did not find in": "what we did not find in it",
    "the paper's own metric": "the same metric; gain.py prints the others beside it",
    "the paper's literal metric": "the same metric",
    "claims of the paper and": "the last line of `verify`, a count",
    "Linear Representation Bench, arXiv:2512.05534": "the bench by its name and source",
    "The loss of the paper says nothing": "lesson 11's section 5",
    "which the paper does not do": "lesson 11's section 5",
}
# What once stood here and is not so, or is not the paper's.
BANNED = {
    r"states no recipe": "section 5.1 and appendix B define the metric; what is not stated is said "
    "by name",
    r"nor which matrix": "section 5.1 and appendix B: the encoder",
    r"paper does not say which it means": "section 5.1 and appendix B: inner products, not cosines",
    r"Section 8": "there is no section 8 in the paper; its anchoring is the walkthrough's 'A "
    "Principled Fix'",
    r"biases \(as in the paper\)|Off, as in the paper": "section 2.3 omits biases from the theory; "
    "of its experiments we do not know",
    r"Eq\. 10 of arXiv:2512\.05534 as a module|bias-free \(Eq\. 10\)": "Eq. 10 is the property of "
    "sigma; the architecture is Eqs. 1 to 3",
    r"covers the paper's benchmark": "v6 states Theorem 3.1 for 1-S <= 1/n",
    r"permanently trapped there": "the walkthrough says 'can become permanently trapped'",
    r"dead neurons are stuck": "strictly dead ones only, and not for ever",
}


def sentences(text):
    """The sentences of a text; a row of a table, a line of a list and a heading are one each."""
    for block in re.split(r"\n\s*\n|\n(?=[|*#>-])|\n(?=\s{4,}\w+ : )", text):
        if block.lstrip().startswith("|"):
            yield block
        else:
            yield from re.split(r"(?<=[.!?])[)*\"]*\s+(?=[A-Z*`\"(\[])", " ".join(block.split()))


def strings(path):
    """Docstrings, other strings and comments of a Python file (an f-string in its parts)."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    comments = [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    yield from comments


def texts():
    folders = (".github", "notebooks", "sdl_theory", "widgets")
    inner = [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    for path in [ROOT / "README.md", ROOT / "CITATION.cff", *sorted(inner)]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield path.name, "".join(cell["source"])
    for path in sorted([*(ROOT / "sdl_theory").rglob("*.py"), *(ROOT / "widgets").rglob("*.py")]):
        for text in strings(path):
            yield path.name, text


TEXTS = list(texts())


def nameless(text):
    """Sentences about the paper that name no place in it."""
    return [
        s
        for s in sentences(text)
        if PAPER.search(s)
        and not PLACE.search(s.replace("2512.05534", ""))
        and not any(words.lower() in s.lower() for words in ALLOWED)
    ]


def test_a_sentence_about_the_paper_names_its_place():
    found = [(name, sentence) for name, text in TEXTS for sentence in nameless(text)]
    assert found == [], "\n".join(f"{name}: {sentence}" for name, sentence in found)


@pytest.mark.parametrize(
    "text",
    [
        "The paper leaves much open.",
        "Off, as in the paper.",
        "An aside. Most of what the paper shows is about TopK.",
        "| ReLU | 0% | what the paper reports |",
    ],
)
def test_the_test_can_fail(text):
    assert nameless(text)
    assert not nameless(
        text.replace("the paper", "Table 1 of the paper").replace(
            "The paper", "The paper's section 2.3"
        )
    )


@pytest.mark.parametrize("phrase", BANNED)
def test_what_was_false_does_not_come_back(phrase):
    assert [
        (name, text[:80]) for name, text in TEXTS if re.search(phrase, " ".join(text.split()))
    ] == [], BANNED[phrase]


def test_our_own_section_numbers_are_not_taken_for_the_papers():
    """In code, "section N" is the paper's and stands beside its name.

    (Lessons have sections of their own.)
    """
    known = {"2.3", "5.1", "3", "4", "5"}  # the paper's 2.3 and 5.1, the walkthrough's 3 to 5
    for name, text in TEXTS:
        if name.endswith(".py"):
            for sentence in sentences(text):
                for number in re.findall(r"\bsections? (\d[\d.]*)\b", sentence, re.I):
                    assert number.rstrip(".") in known and (
                        "." in number.rstrip(".") or "walkthrough" in sentence
                    ), f"{name}: {sentence}"


def test_permanently_is_quoted_and_answered():
    found = [(name, text) for name, text in TEXTS if "permanent" in text.lower()]
    assert found
    for name, text in found:
        paragraph = " ".join(text.split())
        assert (
            "walkthrough" in paragraph
            or "can become permanently trapped" in paragraph
            or 'not "permanently"' in paragraph
            or "see our findings" in paragraph
        ), name


@pytest.mark.parametrize("lesson", ["00_start_here", "05_spurious_minima", "07_dead_neurons"])
def test_lessons_say_what_a_trap_is(lesson):
    text = " ".join("\n".join(t for name, t in TEXTS if name == f"{lesson}.ipynb").split())
    assert "local minimum" in text and "never rises" in text


def test_the_words_say_what_a_trap_and_escapable_are():
    words = "\n".join(text for name, text in TEXTS if name == "00_start_here.ipynb")
    row = lambda word: next(line for line in words.splitlines() if line.startswith(f"| {word} |"))
    assert "local minimum of $\\tilde L$" in row("trap") and "never rises" in row("trap")
    assert "No promise of descent" in row("escapable") and "r_d, w_D^i" in row("escapable")


def test_the_papers_metric_comes_first_beside_its_figures():
    """The tables of results that hold the paper's figures have ours by its metric first.

    In the first column of figures; then cosines; k = 32 beside Table 7.
    """
    head = next(
        line
        for line in RESULTS.splitlines()
        if "the paper's own figures" in line and line.startswith("| method")
    )
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns[1].startswith("the paper's metric (encoder, inner product)")
    assert (
        columns.index("the paper's own figures")
        == 2
        < columns.index("encoder cosine")
        < columns.index("decoder cosine")
    )
    demo = next(line for line in RESULTS.splitlines() if line.startswith("| method | anchors |"))
    assert (
        demo.index("the paper's metric (encoder, inner product)")
        < demo.index("encoder cosine")
        < demo.index("decoder found")
    )
    body = RESULTS.split(head)[1].split("\n\n")[0]
    topk = next(line for line in body.splitlines() if line.startswith("| topk"))
    assert "Table 7, k = 32: 100%, .999" in topk
    runs = {
        run["method"]: run["report"]
        for run in json.loads((ROOT / "notebooks/results/paper_size.json").read_text())["runs"]
    }
    for line in body.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        report = runs[cells[0]]
        share, mean = cells[1].split(", ")
        assert float(share.rstrip("%")) / 100 == pytest.approx(
            report["encoder_raw_recovery_95"], abs=6e-4
        ) and float(mean) == pytest.approx(report["encoder_raw_mip"], abs=6e-4), line
        assert float(cells[4].split(", ")[1]) == pytest.approx(report["decoder_mip"], abs=6e-4), (
            line
        )
        assert [float(v) for v in cells[5].split(", ")] == pytest.approx(
            [report["encoder_raw_null_mip"], report["null_mip"]], abs=6e-4
        ), line
