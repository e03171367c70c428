"""Questions, solutions and notes: whole, true, and the same in page and notebook."""

import base64
import json
import re
from pathlib import Path

import answers_05_for_tests as middle
import answers_10_for_tests as tasks
import answers_11_for_tests as records
import answers_15_for_tests as last
import answers_for_tests as first
import pytest
from bs4 import BeautifulSoup
from test_fair import nameless
from test_notebooks import SOLUTIONS
from test_prose_numbers import LESSONS, strangers

from widgets.teaching import lessons, load, questions, quiz
from widgets.teaching.forms import anchor, notes_of, quiz_html, quiz_of, quiz_words
from widgets.teaching.pictures import PICTURES, picture

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
PATHS = {path.stem[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}
ASKED = [(lesson, one.id) for lesson in lessons() for one in load(lesson).questions]
# the module that computes which options of a lesson's questions are true
MODULES = {"0": first, "05": middle, "06": middle, "07": middle, "08": middle, "09": middle}
MODULES |= {"10": tasks, "15": last, "16": last}
NAMES = {("01", "blocks"): "blocks", ("08", "sum"): "sum_of", ("03", "both"): "both"}
# what the right answer rests on is no figure
WORDS = {
    ("00", "trap"): "a definition",
    ("00", "which-loss"): "what training is given",
    ("11", "turn"): "a training; the lesson's cell asserts it",
    ("14", "samples"): "our reading of a record",
}


def cells(path):
    return [
        (cell["cell_type"], "".join(cell["source"]), cell)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]


def headings(path):
    prose = "\n\n".join(source for kind, source, _ in cells(path) if kind == "markdown")
    prose = re.sub(r"```.*?```", "", prose, flags=re.S)
    return re.findall(r"^#{1,3} (.*)$", prose, re.M)


def question(lesson, name):
    return next(one for one in load(lesson).questions if one.id == name)


def words(kept):
    """All sentences about a lesson: (what is said, whether it is a wrong option)."""
    for one in kept.questions:
        yield one.ask, False
        for i, option in enumerate(one.options):
            yield option.says, i != one.right
            yield option.because, False
    yield from ((note, False) for note in kept.notes.values())


def test_every_lesson_has_two_to_four_questions():
    assert set(lessons()) == set(PATHS)
    for lesson in lessons():
        kept = load(lesson)
        assert 2 <= len(kept.questions) <= 4 and lesson in PATHS
        assert all(3 <= len(one.options) <= 4 for one in kept.questions)
        assert set(kept.notes) <= set(headings(PATHS[lesson])) and kept.notes
        for one in kept.questions:
            assert one.see in headings(PATHS[lesson]), (lesson, one.see)
            assert not one.picture or one.picture in PICTURES
    rights = [question(*place).right for place in ASKED]
    assert max(rights.count(i) for i in range(4)) <= 0.6 * len(rights)  # not always the same place


@pytest.mark.parametrize("lesson, name", ASKED)
def test_the_right_option_is_true_and_the_others_are_not(lesson, name):
    module = MODULES.get(lesson) or (first if lesson < "05" else records)
    asked = question(lesson, name)
    compute = getattr(module, NAMES.get((lesson, name), name.replace("-", "_")), None)
    assert (compute is None or compute()[asked.right] is None) is ((lesson, name) in WORDS)
    truths = compute() if compute else []
    assert len(truths) in (0, len(asked.options))
    for i, truth in enumerate(truths):
        assert truth is None or bool(truth) is (i == asked.right), asked.options[i].says


def test_the_figures_of_the_questions_are_printed_by_the_lesson():
    """Lessons 12 to 14, wrong options aside; stricter than test_prose_numbers.py: no other file."""
    for path in LESSONS:
        if path.stem[:2] in lessons():
            notebook = json.loads(path.read_text("utf-8"))
            said = [text for text, wrong in words(load(path.stem[:2])) if not wrong]
            code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            prose = [{"cell_type": "markdown", "source": [text]} for text in said]
            assert list(strangers({"cells": code + prose}, results=set())) == []


def test_what_is_said_is_fair_to_the_paper():
    for lesson in lessons():
        for text, _ in words(load(lesson)):
            assert nameless(text) == [], text


@pytest.mark.parametrize("lesson", lessons())
def test_page_and_notebook_ask_the_same(lesson):
    """One form; the notebook's stored output is it, without pictures, which come when it runs."""
    kept, path = load(lesson), PATHS[lesson]
    form, widget = quiz_html(kept), quiz(lesson)
    assert widget.html == form == quiz_of(f'from widgets.teaching import quiz\n\nquiz("{lesson}")')
    stored = [cell for _, source, cell in cells(path) if source.endswith(f'quiz("{lesson}")')]
    assert len(stored) == 1, "insert the cell, and run it"
    data = stored[0]["outputs"][0]["data"]
    assert "".join(data["text/plain"]) == quiz_words(kept)
    assert "".join(data["text/html"]) == widget.stored()
    assert "Run this cell" in widget.stored() and "<img" not in widget.stored()
    soup = BeautifulSoup(form, "html.parser")
    for field, one in zip(soup.select("fieldset"), kept.questions, strict=True):
        assert len(field.select("input[type=radio]")) == len(field.select("li")) == len(one.options)
        assert len({radio["name"] for radio in field.select("input")}) == 1
        right = [li.b.text == "Right." for li in field.select("li")]
        assert right.index(True) == one.right == int(field["data-right"]) and sum(right) == 1
        assert field.a["href"] == f"#{anchor(one.see)}"
        assert bool(field.img) is bool(one.picture)
    assert not re.search(r"\$|\\[a-zA-Z{|]", soup.text)  # formulas are typeset


def test_notes_are_where_the_page_looks_for_them():
    soup = BeautifulSoup(notes_of("05_spurious_minima"), "html.parser")
    notes = soup.find("template", class_="sdl-notes").find_all("div", recursive=False)
    names = [one["data-heading"] for one in notes]
    assert names == [anchor(heading) for heading in load("05").notes] and len(names) >= 3
    assert notes_of("99_nothing") == ""


def test_pictures_say_what_they_show_and_not_the_answer():
    used = {one.picture for lesson in lessons() for one in load(lesson).questions} - {""}
    assert used == set(PICTURES)
    for name in PICTURES:
        drawn, said = picture(name)
        wide, slim = (part.split("base64,")[1].split('"')[0] for part in drawn.split("<img"))
        for part in (wide, slim):  # dark where the page is
            assert b"prefers-color-scheme: dark" in base64.b64decode(part)
        assert 'media="(max-width' in drawn and len(drawn) < 400_000 and len(said) > 60
    with pytest.raises(ValueError, match="no picture 'x'; there are two losses"):
        picture("x")


@pytest.mark.parametrize("lesson", SOLUTIONS)  # of lesson 10 test_notebooks.py tries them
def test_every_task_has_its_solution_folded_below(lesson):
    """And it is the one that test_notebooks.py tries."""
    listed = cells(NOTEBOOKS / f"{lesson}.ipynb")
    start = next(
        i
        for i, (kind, source, _) in enumerate(listed)
        if kind == "markdown" and "## On your own" in source
    )
    after, solved = listed[start + 1 :], []
    for (kind, source, _), following in zip(after, [*after[1:], ("", "", None)]):
        if kind == "code" and "quiz(" not in source:
            folded = re.fullmatch(
                r"<details><summary>A solution</summary>\n\n(.{20,}?)"
                r"(?:\n\n```python\n(.*)\n```)?\n\n</details>",
                following[1],
                re.S,
            )
            assert folded, f"no solution folded below: {source}"
            if folded[2]:
                assert re.search(rf"^{folded[2].split(' =')[0]} = ", source, re.M)
                solved += [folded[2]] if "judge(" in source else []
    assert solved == SOLUTIONS[lesson]


def test_the_page_for_teachers_leads_somewhere():
    """Sections, presets, minutes; presets of the notes, too."""
    text = (NOTEBOOKS / "teaching.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)(?!\))", text)
    assert len(links) > 15
    for file, part in links:
        found = headings(NOTEBOOKS / file)
        assert not part or part in map(anchor, found), (file, part)
    explorers = Path(questions.__file__).parents[1] / "explorers"
    code = "".join(path.read_text(encoding="utf-8") for path in explorers.glob("*.py"))
    notes = [note for lesson in lessons() for note in load(lesson).notes.values()]
    named = [
        name
        for said in [text, *notes]
        for these in re.findall(r"[Pp]resets? (?:in this order: )?((?:[^.*]*\*[^*]+\*)+)", said)
        for name in re.findall(r"\*([^*]+)\*", these.split(":")[0].split(". ")[0])
    ]
    assert len(named) > 20 and [name for name in named if f'"{name}"' not in code] == []
    for total, path in re.findall(r"## (\d+) minutes(.*?)(?=\n## )", text, re.S):
        assert sum(map(int, re.findall(r"\((\d+) minutes\)", path))) == int(total)


def lesson_file(folder, monkeypatch, **changed):
    """A lesson 00 of one question, changed, in a folder of its own."""
    options = [{"says": "yes", "because": "so", "right": True}, {"says": "no", "because": "not"}]
    stored = {"id": "a", "ask": "why", "see": "there", "options": options} | changed
    if "twice" in stored:
        stored.pop("twice")
        (folder / "00.json").write_text(json.dumps({"questions": [stored, stored]}))
    else:
        stored = {key: value for key, value in stored.items() if value is not None}
        (folder / "00.json").write_text(json.dumps({"questions": [stored]}))
    monkeypatch.setattr(questions, "HERE", folder)


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"see": None}, "lacks see"),
        ({"hint": "x"}, "has hint, that nobody reads"),
        ({"options": [{"says": "yes", "because": ""}]}, "option 0 needs `says` and `because`"),
        ({"options": [{"says": "a", "because": "b"}] * 2}, "right ones: \\[\\]"),
        ({"options": [{"says": "a", "because": "b", "right": True}]}, "has 1 options"),
        ({"options": [{"says": "a", "because": "b", "right": True}] * 2}, "right ones: \\[0, 1\\]"),
        ({"twice": True}, "two questions have one id, of a, a"),
    ],
)
def test_a_file_that_is_not_well_formed_is_refused(tmp_path, monkeypatch, changed, says):
    lesson_file(tmp_path, monkeypatch, **changed)
    with pytest.raises(ValueError, match=says):
        load("00")


def test_a_lesson_without_questions_is_refused():
    with pytest.raises(ValueError, match="lesson '99' has no questions; those are 00, 01"):
        quiz("99")
