"""`quiz`: a lesson's questions in its notebook, answered there."""

from __future__ import annotations

import re

import anywidget
import traitlets

from .forms import quiz_html, quiz_words
from .questions import HERE, load

RENDER = """
export default { render({ model, el }) {
  el.innerHTML = model.get('html');
  el.querySelectorAll('form.sdl-quiz').forEach(quiz);
  // a section of this notebook: its heading is marked one way or the other
  el.querySelectorAll('.sdl-see a').forEach(link => { link.onclick = event => {
    event.preventDefault();
    const name = CSS.escape(decodeURIComponent(link.hash.slice(1)));
    const panel = el.closest('.jp-Notebook') ?? document;
    panel.querySelector(`[id="${name}"], [data-jupyter-id="${name}"]`)?.scrollIntoView();
  }; });
} };
"""


class Quiz(anywidget.AnyWidget):
    """The form, brought to life by the script that the pages have, too."""

    _esm = (HERE / "quiz.js").read_text(encoding="utf-8") + RENDER
    _css = (HERE / "quiz.css").read_text(encoding="utf-8")
    html = traitlets.Unicode("").tag(sync=True)

    def __init__(self, lesson: str):
        self.kept = load(lesson)
        super().__init__(html=quiz_html(self.kept))

    def stored(self) -> str:
        """The form for viewers that run nothing: answers folded, pictures left out."""
        still = re.sub(
            r"<picture.*?</picture>", "<p>(There is a picture when it runs.)</p>", self.html
        )
        return f"<p><em>Run this cell to answer here.</em></p>\n{still}"

    def _repr_mimebundle_(self, **kwargs):
        """The live form, and beside it the questions for viewers that run nothing."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        words = {"text/plain": quiz_words(self.kept), "text/html": self.stored()}
        return {**data, **words}, metadata


def quiz(lesson: str) -> Quiz:
    """The questions about a lesson, by its number, as in quiz("05").

    Answers are kept in the browser and go nowhere. ValueError for a lesson that has none.
    """
    return Quiz(lesson)
