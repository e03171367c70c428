"""Questions and notes as HTML: one form, for the page, the notebook and viewers that run nothing.

Without a script the answers are folded below each question; quiz.js puts a button in their place.
"""

from __future__ import annotations

import re
from html import escape

from ..markup import markdown
from .pictures import picture
from .questions import HERE, Question, Teaching, lessons, load

FORM = """<form class="sdl-quiz" data-lesson="{lesson}">
{questions}
</form>"""
QUESTION = """<fieldset data-question="{id}" data-right="{right}">
<legend>{number}. {ask}</legend>
{picture}{options}
<details class="sdl-answers"><summary>Answers</summary>
<ol>{answers}</ol></details>
<p class="sdl-see">It is about <a href="#{anchor}">{see}</a>.</p>
</fieldset>"""
BEGIN = """document.querySelectorAll('main form.sdl-quiz').forEach(quiz);
presenting();
addEventListener('pageshow', marks);"""
OPTION = """<div><label><input type="radio" name="{name}" value="{value}">
<span>{says}</span></label></div>"""


def inline(text: str) -> str:
    """Markdown of one paragraph, without the paragraph; a number at its head begins no list."""
    text = re.sub(r"^(\d+)\.(?=\s|$)", r"\1\\.", text)
    return markdown(text).strip().removeprefix("<p>").removesuffix("</p>")


def anchor(heading: str) -> str:
    """The name by which a heading of a lesson is linked to, as nbconvert writes it."""
    return re.sub(r"\s+", "-", heading.strip()).replace('"', "%22")


def _picture(name: str) -> str:
    """A question's picture, if it has one."""
    if not name:
        return ""
    return f"{picture(name)[0]}\n"


def _question(lesson: str, number: int, question: Question) -> str:
    """One question; the answers stand in the order of its options."""
    verdict = lambda i: "<b>Right.</b>" if i == question.right else "<b>No.</b>"
    return QUESTION.format(
        id=question.id,
        right=question.right,
        number=number,
        ask=inline(question.ask),
        picture=_picture(question.picture),
        options="\n".join(
            OPTION.format(name=f"{lesson}-{question.id}", value=i, says=inline(option.says))
            for i, option in enumerate(question.options)
        ),
        answers="\n".join(
            f"<li>{verdict(i)} {inline(option.because)}</li>"
            for i, option in enumerate(question.options)
        ),
        anchor=escape(anchor(question.see)),
        see=inline(question.see),
    )


def quiz_html(kept: Teaching) -> str:
    """The form with a lesson's questions."""
    questions = (_question(kept.lesson, i, one) for i, one in enumerate(kept.questions, 1))
    return FORM.format(lesson=kept.lesson, questions="\n".join(questions))


def quiz_words(kept: Teaching) -> str:
    """The questions as plain text, for viewers that show nothing else."""
    lines = ["Run this cell to answer here."]
    for number, question in enumerate(kept.questions, 1):
        lines += ["", f"{number}. {question.ask}"]
        lines += [f"   {'abcdef'[i]}) {option.says}" for i, option in enumerate(question.options)]
    return "\n".join(lines)


def notes_html(kept: Teaching) -> str:
    """What a speaker says, by heading, where present.js finds it; nobody else sees it."""
    notes = "\n".join(
        f'<div data-heading="{escape(anchor(heading))}">{markdown(text).strip()}</div>'
        for heading, text in kept.notes.items()
    )
    return f'<template class="sdl-notes">\n{notes}\n</template>' if notes else ""


def quiz_of(source: str) -> str | None:
    """The form that a cell's last line asks for, as in quiz("05"); None if it asks for none.

    The call is read, never evaluated.
    """
    asked = re.search(r'^quiz\("(\d\d)"\)\s*\Z', source, re.M)
    return quiz_html(load(asked[1])) if asked else None


def notes_of(stem: str) -> str:
    """The notes of a page by its file's stem; empty for a page that has none."""
    return notes_html(load(stem[:2])) if stem[:2] in lessons() else ""


def asked_of(stem: str) -> str:
    """Attributes by which quiz.js knows a lesson in the index, and whether all is answered."""
    if stem[:2] not in lessons():
        return ""
    asked = " ".join(one.id for one in load(stem[:2]).questions)
    return f' data-lesson="{stem[:2]}" data-questions="{asked}"'


def teach_script() -> str:
    """quiz.js and present.js as one classic script, which finds what it brings to life."""
    parts = "\n".join((HERE / name).read_text("utf-8") for name in ("quiz.js", "present.js"))
    return f'"use strict";(() => {{\n{parts}\n{BEGIN}\n}})();\n'


def teach_sheet() -> str:
    """quiz.css and present.css."""
    return "\n".join((HERE / name).read_text("utf-8") for name in ("quiz.css", "present.css"))
