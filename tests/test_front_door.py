"""The front door: README is short, what it names is there, its code runs.

And the pages that are made from sources are those of now.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pages import code_map, first_sentence, lesson_table, pages

import sdl_theory
from sdl_theory import SDLModel, write_saelens
from sdl_theory.estimate import interval
from sdl_theory.experiments import results
from sdl_theory.experiments.paper import page
from sdl_theory.experiments.paper.compare import FOUND, compare

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START = "".join(
    "".join(cell["source"])
    for cell in json.loads((ROOT / "notebooks/00_start_here.ipynb").read_text("utf-8"))["cells"]
    if cell["cell_type"] == "markdown"
)
PAGES = [
    "README.md",
    ".github/CONTRIBUTING.md",
    "notebooks/results/README.md",
    "sdl_theory/README.md",
    "sdl_theory/training/README.md",
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(text):
    """The names by which GitHub links to headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(text, head):
    body = text.split(head)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines()[2:]]


def test_readme_is_short():
    lines = README.splitlines()
    assert len(lines) <= 110
    free = ("|", "![", "[00 ")  # tables, pictures, the generated line of lessons
    assert [line for line in lines if len(line) > 100 and not line.startswith(free)] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    text = without_code(path.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if not re.match("https?:", target)]
    assert targets
    for target in targets:
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists() and place.is_relative_to(ROOT), f"{page}: {target}"
        assert not anchor or anchor in anchors(place.read_text(encoding="utf-8")), target


def test_what_the_table_of_theorems_names_is_there():
    rows = table_rows(README, "| result | functions |")
    numbers = " ".join(row[0] for row in rows)
    assert all(number in numbers for number in ("3.1:", "3.2", "3.3", "3.4", "3.7", "3.10"))
    for _, functions, lessons, tests in rows:
        names = re.findall(r"`(\w+)`", functions)
        assert names or "python -m sdl_theory" in functions
        assert [name for name in names if not hasattr(sdl_theory, name)] == []
        assert re.search(r"\]\(notebooks/\d\d_\w+\.ipynb\)", lessons)
        assert "](tests" in tests


@pytest.mark.parametrize("page", PAGES)
def test_named_tests_are_in_the_folder_beside_them(page):
    """`test_name*` stands in, or just before, a link to its folder of tests."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    found = re.findall(
        r"((?:\[?`test_\w+\*`,? ?)+)(?:\]|in \[[^\]]*\])\((?:\.\./)*(tests[^)]*)\)", text
    )
    assert sum(names.count("`test_") for names, _ in found) == text.count("`test_")
    for names, folder in found:
        for name in re.findall(r"`(test_\w+\*)`", names):
            assert list((ROOT / folder).glob(f"{name}.py")), f"{page}: {folder}/{name}"


@pytest.mark.parametrize("page", ["README.md", "sdl_theory/training/README.md"])
def test_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = SDLModel(8, 120, method="topk", k=2, generator=torch.Generator().manual_seed(0))
    write_saelens(model, "folder/of/an/SAE")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    assert len(blocks) == (2 if page == "README.md" else 3)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        for block in blocks:
            exec(block.replace("steps=1200", "steps=60"), {})
    if page == "README.md":
        loss = re.search(r"^trap (\S+)$", said.getvalue(), re.M)[1]
        assert "# trap 0.4: " in blocks[0] and float(loss) == pytest.approx(0.4)


@pytest.mark.parametrize("path, made", list(pages()), ids=lambda value: getattr(value, "name", ""))
def test_pages_are_those_of_now(path, made):
    assert path.read_text(encoding="utf-8") == made, "run `make pages`"


def test_every_module_and_lesson_is_listed():
    library, mapped = ROOT / "sdl_theory", code_map()
    modules = {path.relative_to(library) for path in library.rglob("*.py")}
    inner = {path for path in modules if path.name != "__init__.py"}
    assert all(f"]({path.as_posix()}): " in mapped for path in inner)
    assert re.findall(r"^\* \[.*\]\(.*\): $", mapped, re.M) == [], "a module without a docstring"
    lessons = [path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")]
    assert all(name in README for name in lessons)
    assert sum(name in lesson_table() for name in lessons) == len(lessons) - 1
    assert "Coming:" not in START


def test_the_map_s_command_finds_the_file_of_a_public_name():
    code = (ROOT / "sdl_theory/README.md").read_text("utf-8").split('python -c "')[1].split('"')[0]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == ROOT / "sdl_theory/theory/certify.py"


def test_a_first_sentence():
    assert first_sentence("One, e.g. 3.7. Two.") == "One, e.g. 3.7."
    assert first_sentence("Eq. 10 of all: no end") == "Eq. 10 of all: no end"


@pytest.mark.parametrize("table", results.from_stored_runs(), ids=lambda text: text[2:20])
def test_tables_of_results_are_those_of_the_stored_runs(table):
    page = results.PAGE.read_text(encoding="utf-8")
    assert results.put(table, page) == page, "run `make pages`"


def test_a_table_replaces_the_one_with_its_head_and_no_other():
    page = "a\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\nb\n\n| x |\n|---|\n"
    made = results.markdown(["x", "y"], [["3", "4"], ["5", "6"]])
    assert made == "| x | y |\n|---|---|\n| 3 | 4 |\n| 5 | 6 |"
    assert results.put(made, page) == page.replace("| 1 | 2 |", "| 3 | 4 |\n| 5 | 6 |")
    for wrong in (page + page, "nothing"):
        with pytest.raises(ValueError, match="one table with the head"):
            results.put(made, wrong)
    assert [results.rounded(value, 3) for value in (0.1525, 1.0406, -0.0004)] == [
        ".153",
        "1.041",
        "-0.000",
    ]
    assert [results.percent(share) for share in (0, 0.083, 0.9999, 1)] == [
        "0%",
        "8.3%",
        "100%",
        "100%",
    ]


def test_figures_of_readme_are_those_of_the_results():
    found = without_code(README).split("## What was found")[1].split("\n## ")[0]
    found = " ".join(found.split())
    half, paper = ({one.table: one for one in page.stored(size)}[1] for size in ("half", "paper"))
    rows = {row.line: row for row in compare(paper, FOUND)}
    whole = lambda share: f"{100 * share.value:.0f}%"
    assert f"TopK finds {whole(rows['topk'].plain)} of a thousand" in found
    assert f"JumpReLU {whole(rows['jumprelu'].plain)} where Table 1 has 0%" in found
    assert f"TopK ({whole(rows['topk'].plain)} -> {whole(rows['topk'].anchored)} of" in found
    assert len(paper.seeds) == 5 and "not shown, five seeds" in found
    reproduced = {name for name, row in rows.items() if row.direction == "reproduced"}
    assert reproduced == {"topk", "transcoder", "matryoshka"}
    _, shams = page.shams(results.FOLDER)
    assert {row[0] for row in shams} == {"topk", "transcoder"}
    for _, _, _, true, sham, *_ in shams:
        assert abs(float(true.split("%")[0]) - float(sham.split("%")[0])) < 2
    plain = [run for (_, arm), run in paper.runs.items() if arm == "plain"]
    least = min(interval(run["figures"]["decoder_recovery_95"]).value for run in plain)
    assert f"find {100 * least:.1f} to 100%" in found


def test_the_words_of_lesson_00_are_in_the_code():
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "sdl_theory").rglob("*.py"))
    rows = table_rows(START, "| symbol | in code |") + table_rows(START, "| words | in code |")
    names = [name for row in rows for name in re.findall(r"`([A-Za-z]\w*(?:\.\w+)?)", row[1])]
    assert len(rows) > 20 and len(names) > 40
    words = {word for name in names for word in name.split(".")}
    assert [word for word in words if not re.search(rf"\b{word}\b", source)] == []


def test_hooks_and_make_say_the_same():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"entry: \.venv/bin/(.*)$", hooks, re.M)
    assert len(entries) == 3 and "repo: local" in hooks and "http" not in hooks
    assert all(f"$(BIN)/{entry.removesuffix(' --force-exclude')}" in makefile for entry in entries)
    assert max(map(len, makefile.splitlines())) <= 100
