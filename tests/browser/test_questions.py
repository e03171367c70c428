"""What a student does with the questions, on the page and in JupyterLab."""

import json
from pathlib import Path

import pytest

from widgets.teaching import load

from .conftest import taught
from .eyes import keep, plain

pytestmark = pytest.mark.browser
BLOCKED = """Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('blocked', 'SecurityError') } })"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of a few lessons, by number."""
    return taught(tmp_path_factory, "05_spurious_minima")


def answer(reader, name: str, choice: int):
    """By keyboard: to the first option, down to the choice, on to the button."""
    field = reader.locator(f'fieldset[data-question="{name}"]')
    field.locator("input").first.focus()
    reader.keyboard.press("Space")
    for _ in range(choice):
        reader.keyboard.press("ArrowDown")
    reader.keyboard.press("Tab")
    reader.keyboard.press("Enter")
    return field.get_by_role("status")


def all_questions(reader, forgets: bool):
    kept = load("05")
    for one in kept.questions:
        for choice in range(len(one.options)):
            said = answer(reader, one.id, choice).inner_text()
            assert said.startswith("Right." if choice == one.right else "No.")
            assert plain(one.options[choice].because) in said
        answer(reader, one.id, one.right)
    score = reader.locator(".sdl-score [role=status]")
    assert score.inner_text() == f"{len(kept.questions)} of {len(kept.questions)} answered right."
    first = kept.questions[0]
    answer(reader, first.id, (first.right + 1) % len(first.options))
    keep(reader.locator(".sdl-quiz"), f"quiz-{forgets}")
    before = score.inner_text()
    reader.reload()
    again = reader.locator(f'fieldset[data-question="{first.id}"]')
    if forgets:
        assert score.inner_text().startswith("0 of")
        assert reader.locator("fieldset input:checked").count() == 0
        return
    assert score.inner_text() == before and before.startswith(f"{len(kept.questions) - 1} of")
    assert again.get_by_role("status").inner_text().startswith("No.")
    reader.get_by_role("button", name="Start over").click()
    assert score.inner_text().startswith("0 of") and again.get_attribute("data-state") is None
    reader.reload()
    assert reader.locator("fieldset input:checked").count() == 0


def test_answers_are_explained_and_kept(reader, pages):
    reader.goto(pages["05"].as_uri())
    assert reader.locator(".sdl-answers:visible").count() == 0
    button = reader.get_by_role("button", name="Check").first
    button.click()
    assert "Choose one" in reader.locator("fieldset [role=status]").first.inner_text()
    all_questions(reader, forgets=False)


def test_the_index_marks_a_lesson_when_all_is_answered(reader, pages):
    """Right or wrong; not before the last one; also on "back", which brings an old page back."""
    names, marks = [one.id for one in load("05").questions], reader.locator(".sdl-done")
    drawn = lambda: reader.evaluate("new Promise(requestAnimationFrame)")
    reader.goto(pages["in"].as_uri())
    assert marks.count() == 0
    reader.get_by_role("link", name="Spurious minima").click()
    for name in names[:-1]:
        answer(reader, name, 0)
    reader.go_back()
    drawn()
    assert marks.count() == 0
    reader.go_forward()
    answer(reader, names[-1], 0)
    reader.go_back()
    marks.wait_for()
    assert marks.inner_text() == "\u2713 questions answered" and marks.is_visible()
    assert reader.locator(".lessons li", has=marks).inner_text().startswith("05")
    keep(reader, "index-marked")
    for strange in ("7", "null", '{"hill": 1}'):
        reader.evaluate("text => localStorage.setItem('sdl-quiz-05', text)", strange)
        reader.reload()
        drawn()
        assert marks.count() == 0


def test_without_storage_the_index_marks_nothing(reader, pages):
    reader.add_init_script(BLOCKED)
    reader.goto(pages["in"].as_uri())
    assert reader.locator(".lessons li").count() == 1 and reader.locator(".sdl-done").count() == 0


def test_without_storage_answers_are_explained_and_forgotten(reader, pages):
    reader.add_init_script(BLOCKED)
    reader.goto(pages["05"].as_uri())
    all_questions(reader, forgets=True)


@pytest.mark.parametrize("stored", ["not json", "null", "7", '{"hill": 99}', '{"hill": "<b>"}'])
def test_a_strange_memory_does_no_harm(reader, pages, stored):
    reader.goto(pages["05"].as_uri())
    reader.evaluate("text => localStorage.setItem('sdl-quiz-05', text)", stored)
    reader.reload()
    assert reader.locator(".sdl-score [role=status]").inner_text().startswith("0 of")


def test_without_a_script_the_answers_are_folded_below(reader, pages):
    reader.context.new_cdp_session(reader).send(
        "Emulation.setScriptExecutionDisabled", {"value": True}
    )
    reader.goto(pages["05"].as_uri())
    folds = reader.locator("fieldset details")
    assert (
        folds.count() == len(load("05").questions) == reader.locator(".sdl-answers:visible").count()
    )
    folds.first.locator("summary").click()
    assert folds.first.locator("li").first.is_visible()
    assert reader.get_by_role("button", name="Present").count() == 0


@pytest.mark.parametrize("width, scheme", [(390, "light"), (390, "dark"), (1280, "dark")])
def test_nothing_is_cut_off(reader, pages, width, scheme):
    reader.set_viewport_size({"width": width, "height": 720})
    reader.emulate_media(color_scheme=scheme)
    for name in ("05", "te"):
        reader.goto(pages[name].as_uri())
        assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
        keep(reader, f"teaching-{name}-{width}-{scheme}", full_page=True)
    for state in ("wrong", "right"):
        reader.goto(pages["05"].as_uri())
        one = load("05").questions[0]
        wrong = (one.right + 1) % len(one.options)
        answer(reader, one.id, one.right if state == "right" else wrong)
        said = reader.locator("fieldset [role=status] b").first
        colours = said.evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert contrast(*colours) >= 4.5, (state, colours)


def contrast(*colours: str) -> float:
    """The ratio of WCAG between two colours as browsers write them."""

    def light(colour):
        parts = [int(one) / 255 for one in colour.strip("rgb()").split(",")[:3]]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear))

    low, high = sorted(map(light, colours))
    return (high + 0.05) / (low + 0.05)


def test_in_the_notebook(lab, page, notebook_folder: Path):
    """Stored, it lists the questions and says to run; run, it answers to the keyboard."""
    notebook = json.loads((notebook_folder / "05_spurious_minima.ipynb").read_text("utf-8"))
    cells = notebook["cells"]
    picture = [cell for cell in cells if "### The picture" in "".join(cell["source"])]
    notebook["cells"] = picture + cells[-2:]
    (notebook_folder / "questions.ipynb").write_text(json.dumps(notebook), "utf-8")
    url, token = lab
    page.goto(f"{url}/lab/tree/questions.ipynb?token={token}&reset")
    stored = page.locator(".jp-OutputArea-output", has_text="Run this cell to answer here.")
    stored.wait_for(timeout=60_000)
    assert stored.locator("fieldset").count() == len(load("05").questions)
    keep(page, "quiz-lab-stored")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext.session"
        "?.kernel?.status === 'idle'",
        timeout=90_000,
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector("form.sdl-alive", timeout=90_000)
    for one in load("05").questions:
        said = answer(page, one.id, one.right)
        said.locator("b").wait_for()
        assert said.inner_text().startswith("Right."), one.id
    kept = page.evaluate("JSON.parse(localStorage.getItem('sdl-quiz-05'))")
    assert kept == {one.id: one.right for one in load("05").questions}
    keep(page, "quiz-lab")
    page.locator(".sdl-see a").first.click()
    assert page.get_by_role("heading", name="The picture").is_visible()
    assert page.external == []
