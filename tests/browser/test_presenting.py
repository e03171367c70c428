"""What a teacher does: present a lesson, one section a screen, with notes; or print it."""

import pytest

from widgets.teaching import load

from .conftest import taught
from .eyes import keep, plain

pytestmark = pytest.mark.browser
# the headings and questions that take up room; the code cells that do
SEEN = """() => [...document.querySelectorAll('main :is(h1, h2, h3, fieldset)')]
    .filter(e => e.getClientRects().length).map(e => e.id || e.dataset.question)"""
CODE = """() => [...document.querySelectorAll('main .input')]
    .filter(e => e.getClientRects().length).length"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of a lesson and of the exercises, by number, and the one for teachers."""
    return taught(tmp_path_factory, "05_spurious_minima", "10_exercises")


def test_one_section_a_screen_by_keys(reader, pages):
    reader.goto(pages["05"].as_uri())
    headings = reader.evaluate(SEEN)
    assert reader.evaluate(CODE) > 20 and len(headings) > 10
    reader.get_by_role("button", name="Present").click()
    bar = reader.locator(".sdl-present-bar [role=status]")
    for i, heading in enumerate(headings):
        assert reader.evaluate(SEEN) == [heading]
        assert bar.inner_text().startswith(f"{i + 1} of {len(headings)}: ")
        tasks = 3 if heading == "On-your-own" else 0  # a task is its code
        assert reader.evaluate(CODE) == tasks
        assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth"), heading
        keep(reader, f"present-{i:02}")
        reader.keyboard.press("ArrowRight")
    assert reader.evaluate(SEEN) == headings[-1:]  # stays at the last
    reader.keyboard.press("ArrowLeft")
    assert reader.evaluate(SEEN) == [headings[-2]]
    reader.keyboard.press("Home")
    assert reader.evaluate(SEEN) == headings[:1]
    seen = [headings[0]]  # a clicker: through long sections, and on
    while seen[-1] != headings[-1] and len(seen) < 100:
        reader.keyboard.press("PageDown")
        seen += reader.evaluate(SEEN)
    assert list(dict.fromkeys(seen)) == headings and len(seen) > len(headings) + 5
    reader.keyboard.press("Escape")
    assert reader.evaluate(SEEN) == headings and not bar.is_visible()
    assert reader.get_by_role("button", name="Present").is_visible()
    assert reader.evaluate("scrollY") > 1000  # where the class was


def test_it_begins_where_the_page_was_and_follows_links(reader, pages):
    reader.goto(pages["05"].as_uri() + "#6.-Real-dogs")
    reader.get_by_role("button", name="Present").evaluate("e => e.click()")
    assert reader.evaluate(SEEN) == ["6.-Real-dogs"]
    reader.keyboard.press("End")
    assert reader.evaluate(SEEN) == [load("05").questions[-1].id]
    reader.keyboard.press("ArrowLeft")
    reader.locator(".sdl-see a:visible").click()
    assert reader.evaluate(SEEN) == ["3.-Three-features,-three-worlds"]


def test_notes_come_and_go(reader, pages):
    reader.goto(pages["05"].as_uri() + "#The-picture")
    reader.get_by_role("button", name="Present").evaluate("e => e.click()")
    notes = reader.get_by_label("Speaker's notes")
    assert not notes.is_visible()
    reader.keyboard.press("n")
    assert plain(load("05").notes["The picture"]) in notes.inner_text()
    reader.keyboard.press("ArrowLeft")
    assert notes.inner_text() == "No note for this section."
    reader.get_by_role("button", name="Notes").click()
    assert not notes.is_visible()
    reader.get_by_role("button", name="Leave").click()
    assert len(reader.evaluate(SEEN)) > 10


def test_explorers_live_and_keep_their_arrows(reader, pages):
    reader.goto(pages["05"].as_uri() + "#3.-Three-features,-three-worlds")
    reader.get_by_role("button", name="Present").evaluate("e => e.click()")
    reader.locator("figure.sdl-explorer#three").scroll_into_view_if_needed()  # and it wakes
    slider = reader.get_by_label("path of M_d")
    words = reader.locator("figure.sdl-alive", has=slider).locator(".sdl-line")
    before = words.inner_text()
    slider.focus()
    for _ in range(60):
        reader.keyboard.press("ArrowRight")
    reader.wait_for_function(
        "([line, before]) => line.innerText !== before", arg=[words.element_handle(), before]
    )
    assert reader.evaluate(SEEN) == ["3.-Three-features,-three-worlds"]
    reader.keyboard.press("Escape")  # lets the slider go, and no more
    assert reader.evaluate(SEEN) == ["3.-Three-features,-three-worlds"]
    reader.keyboard.press("ArrowRight")
    assert reader.evaluate(SEEN) == ["4.-Every-way-to-share-features-out"]
    reader.keyboard.press("Escape")
    assert len(reader.evaluate(SEEN)) > 10


def test_print_is_whole_while_presenting(reader, pages):
    reader.goto(pages["05"].as_uri())
    headings, code = reader.evaluate(SEEN), reader.evaluate(CODE)
    reader.get_by_role("button", name="Present").click()
    reader.emulate_media(media="print")
    assert reader.evaluate(SEEN) == headings and reader.evaluate(CODE) == code
    for hidden in (".sdl-present-bar", ".sdl-present-door", ".sdl-check", ".sdl-answers"):
        assert reader.locator(f"{hidden}:visible").count() == 0


def test_exercises_keep_their_code(reader, pages):
    """And the page for teachers is no lesson: it has no presenting view."""
    reader.goto(pages["10"].as_uri() + "#1.-A-number-by-hand-(02)")
    reader.get_by_role("button", name="Present").evaluate("e => e.click()")
    assert reader.evaluate(CODE) == 1 and reader.locator("text=my_M_d").first.is_visible()
    reader.goto(pages["te"].as_uri())
    assert reader.get_by_role("button", name="Present").count() == 0
