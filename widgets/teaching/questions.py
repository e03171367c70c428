"""What is asked about a lesson, and what to say while showing it: NN.json, read and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Option(NamedTuple):
    """One of the answers to choose from, in markdown.

    because : why it is right, or what its mistake is.
    """

    says: str
    because: str


class Question(NamedTuple):
    """A question in markdown, its options, and which of them is right.

    right : the index of the right one.
    see : the heading of the lesson's section that answers it.
    picture : a name in pictures.py, or nothing.
    """

    id: str
    ask: str
    options: list[Option]
    right: int
    see: str
    picture: str = ""


class Teaching(NamedTuple):
    """All that is kept about a lesson.

    lesson : its number, two digits.
    notes : for a heading of the lesson what a speaker says there, in markdown.
    """

    lesson: str
    questions: list[Question]
    notes: dict[str, str]


def lessons() -> list[str]:
    """The numbers of the lessons that something is kept about, in order."""
    return sorted(path.stem for path in HERE.glob("[0-9][0-9].json"))


def _question(lesson: str, stored: dict) -> Question:
    """A question as it is stored: of its options exactly one has `right`."""
    place = f"{lesson}.json, {stored.get('id', 'a question without id')!r}"
    if missing := {"id", "ask", "see", "options"} - set(stored):
        raise ValueError(f"{place} lacks {', '.join(sorted(missing))}; add it")
    if unknown := set(stored) - {"id", "ask", "see", "options", "picture"}:
        raise ValueError(f"{place} has {', '.join(sorted(unknown))}, that nobody reads; remove it")
    options = stored["options"]
    for number, option in enumerate(options):
        if not option.get("says", "").strip() or not option.get("because", "").strip():
            raise ValueError(f"{place}: option {number} needs `says` and `because`, got {option}")
    right = [number for number, option in enumerate(options) if option.get("right")]
    if len(right) != 1 or len(options) < 2:
        raise ValueError(
            f"{place} has {len(options)} options, right ones: {right}; "
            "give two or more, one of them with `right`"
        )
    return Question(
        stored["id"],
        stored["ask"],
        [Option(option["says"], option["because"]) for option in options],
        right[0],
        see=stored["see"],
        picture=stored.get("picture", ""),
    )


def load(lesson: str) -> Teaching:
    """The questions and notes of a lesson, by its number, as in load("05").

    ValueError for a lesson that has none, and for a file that is not well-formed.
    """
    if lesson not in lessons():
        raise ValueError(f"lesson {lesson!r} has no questions; those are {', '.join(lessons())}")
    stored = json.loads((HERE / f"{lesson}.json").read_text(encoding="utf-8"))
    questions = [_question(lesson, one) for one in stored["questions"]]
    names = [question.id for question in questions]
    if len(set(names)) < len(names):
        raise ValueError(f"{lesson}.json: two questions have one id, of {', '.join(names)}")
    return Teaching(lesson, questions, stored.get("notes", {}))
