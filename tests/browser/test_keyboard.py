"""A reader without a mouse: the Tab key alone leads through a page, its explorers too."""

import pytest

from .conftest import taught

pytestmark = pytest.mark.browser
# what has the focus: its tag, the explorer that it is in, whether it can be seen
HELD = """() => {
    const held = document.activeElement, box = held.getBoundingClientRect();
    return [held.tagName, held.closest('figure.sdl-explorer')?.dataset.explorer ?? null,
        box.bottom > 0 && box.top < innerHeight];
}"""
ALIVE = "name => document.getElementById(name).classList.contains('sdl-alive')"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of two lessons, by number."""
    return taught(tmp_path_factory, "00_start_here", "05_spurious_minima")


@pytest.mark.parametrize(
    "lesson, explorers", [("00", ["start"]), ("05", ["pair", "three", "lattice"])]
)
@pytest.mark.parametrize("width", [1280, 390])
def test_tab_alone_reaches_and_moves_every_explorer(reader, pages, lesson, explorers, width):
    """Also one that sleeps far below what has the focus: it wakes, its first control is held."""
    reader.set_viewport_size({"width": width, "height": 720})
    reader.goto(pages[lesson].as_uri())
    reached = []
    for _ in range(300):
        reader.keyboard.press("Tab")
        tag, name, seen = reader.evaluate(HELD)
        if tag == "BODY":
            break
        assert seen, (tag, name)
        if name and name not in reached:
            reached.append(name)
            reader.wait_for_function(ALIVE, arg=name)
            assert reader.evaluate(HELD)[:2] == ["INPUT", name]
            before = reader.evaluate("location.hash")
            reader.keyboard.press("ArrowLeft" if name == "pair" else "ArrowRight")
            reader.wait_for_function("hash => location.hash !== hash", arg=before)
    assert reached == explorers and tag == "BODY"


def test_without_a_script_a_sleeping_picture_is_no_stop(reader, pages):
    reader.context.new_cdp_session(reader).send(
        "Emulation.setScriptExecutionDisabled", {"value": True}
    )
    reader.goto(pages["05"].as_uri())
    assert reader.locator("figure[tabindex]").count() == 0
