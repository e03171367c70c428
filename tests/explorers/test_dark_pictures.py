"""Pictures on white and on dark paper: every colour has a twin, words stand out, colours differ."""

import itertools
import re

import numpy as np
import pytest
import vl_convert as vlc

from widgets import explorers
from widgets.charts import style, survey_chart, theme
from widgets.charts.theme import DARK, PAPER
from widgets.drawing import narrow, picture, stacked, svg
from widgets.live import VEGA_LITE
from widgets.rows.survey import LONG, TIMES, cell_names, load_survey, survey_rows

EXPLORERS = [getattr(explorers, name) for name in dir(explorers) if name.endswith("_explorer")]
PALETTE = [style.BLUE, style.ORANGE, style.GREEN, style.RED, style.SKY, style.PINK, style.GREY]
# what protanopes, deuteranopes and tritanopes see: Machado, Oliveira, Fernandes (2009), severity 1
SEEN = {
    "by most": np.eye(3),
    "without L": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "without M": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "without S": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def linear(colour: str) -> np.ndarray:
    """A hexadecimal colour as linear light."""
    colour = {"white": "#ffffff", "black": "#000000"}.get(colour, colour).lstrip("#")
    colour = "".join(2 * one for one in colour) if len(colour) == 3 else colour
    sent = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(sent <= 0.04045, sent / 12.92, ((sent + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""
    low, high = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(light: np.ndarray) -> np.ndarray:
    """Oklab of linear light: equal distances look equally different."""
    to_cones = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    to_lab = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ np.clip(light, 0, 1))


@pytest.fixture(scope="module")
def drawn():
    """Every explorer's picture as SVG, as Vega draws it."""
    return {
        make.__name__: vlc.vegalite_to_svg(make().chart.static_spec(), vl_version=VEGA_LITE)
        for make in EXPLORERS
    }


def test_every_colour_has_a_twin_on_dark_paper(drawn):
    used = re.compile(r'(?:fill|stroke)="(#\w+|[a-z]+)"')
    known = {one.lower() for one in DARK} | {"none", "transparent"}
    for name, shown in drawn.items():
        assert {one.lower() for one in used.findall(shown)} - known == set(), name


def test_words_stand_out_and_are_large(drawn):
    words = re.compile(r'<text[^>]*font-size="(\d+)px"[^>]* fill="([^"]+)"')
    for name, shown in drawn.items():
        found = set(words.findall(shown))
        assert found and min(int(size) for size, _ in found) >= 14, name
        for _, colour in found:
            assert contrast(colour, "white") >= 4.5, (name, colour)
            assert contrast(DARK[colour], PAPER) >= 4.5, (name, colour)


def test_marks_stand_out_and_differ_for_every_eye():
    for colour in [*PALETTE, style.BLACK]:
        assert contrast(DARK[colour], PAPER) >= 4.5, colour
    apart = {}
    for paper, turn in (("white", lambda one: one), ("dark", DARK.get)):
        for eye, matrix in SEEN.items():
            seen = [oklab(np.array(matrix) @ linear(turn(one))) for one in PALETTE]
            apart[paper, eye] = min(
                np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)
            )
    # a step that one sees is about .02; the least of Okabe and Ito's colours with a grey is .055
    assert min(apart.values()) > 0.05 and min(
        step for (paper, _), step in apart.items() if paper == "dark"
    ) > min(step for (paper, _), step in apart.items() if paper == "white")


def test_rules_are_for_screens_and_for_notebooks():
    rules = theme.in_the_dark()
    assert rules.startswith("@media screen and (prefers-color-scheme: dark)")  # paper is white
    assert rules.count("{") == rules.count("}") == 2 * len(DARK) + 2
    chart = explorers.pair_explorer().chart
    assert theme.dark_rules(theme.NOTEBOOK) in chart._css and chart.renderer == "svg"


def test_a_pages_picture_knows_the_dark_and_narrow_pages():
    spec = explorers.pair_explorer().chart.static_spec()
    assert theme.in_the_dark() in svg(spec) and "aria-" not in svg(spec)
    assert svg(spec) == svg(spec)
    html = picture(spec, 'a "trap"')
    assert html.count("data:image/svg+xml;base64,") == 2 and "&quot;trap&quot;" in html
    assert '<source media="(max-width: 600px)"' in html
    width = lambda one: int(re.search(r'width="(\d+)"', one)[1])
    assert width(svg(stacked(spec))) < 0.7 * width(svg(spec)) and "hconcat" in spec
    assert width(narrow(spec)) <= 440


def test_a_picture_on_a_narrow_page_is_slim_though_its_names_are_long():
    """One panel; a long title and a legend of long names take several lines."""
    names = ["a name of some length, it's said", "another one of some length", "and a third one"]
    legend = style.alt.Legend(labelExpr=style.named(names), orient="bottom")
    title = "A title that is much too long for a page that is no wider than a hand"
    chart = style.alt.Chart(style.inline({"x": np.arange(3), "y": np.arange(3)}))
    colour = style.alt.Color("x:O", legend=legend)
    chart = chart.mark_point().encode(x="x:Q", y="y:Q", color=colour)
    spec = style.styled(chart.properties(width=600, title=title)).to_dict()
    drawn = narrow(spec)
    assert int(re.search(r'width="(\d+)"', drawn)[1]) <= 440 and title not in drawn
    assert title in svg(spec) and all(name in drawn for name in names)


def test_what_cannot_be_slimmer_is_drawn_as_it_is():
    rows = style.inline({"x": np.arange(3), "y": np.arange(3)})
    long = "a title of an axis that nobody breaks into lines, and is longer than a phone is wide"
    chart = style.alt.Chart(rows).mark_point().encode(x=style.alt.X("x:Q", title=long), y="y:Q")
    spec = style.styled(chart.properties(width=600)).to_dict()
    assert long in narrow(spec)


def test_the_survey_on_a_phone_names_every_line_in_every_panel():
    survey = load_survey()
    names = cell_names(survey["grid"])
    spec = survey_chart(
        style.inline(survey_rows(survey["grid"])), names, [f"{LONG.batch * step}" for step in TIMES]
    ).to_dict()
    texts = lambda one: re.findall(r"<text[^>]*>([^<]+)</text>", svg(one))
    assert texts(spec).count(names[3]) == 1 and texts(stacked(spec)).count(names[3]) == len(TIMES)
    for name in set(names):
        assert texts(stacked(spec)).count(name) == len(TIMES) * names.count(name), name
