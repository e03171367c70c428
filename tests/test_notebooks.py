"""The exercises can be done, and their folded answers are right."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.fixture(scope="module")
def exercises():
    """(number, task's code, answer's code) of each task, and the imports."""
    cells = [(c["cell_type"], "".join(c["source"])) for c in json.loads((NOTEBOOKS / "10_exercises.ipynb").read_text(encoding="utf-8"))["cells"]]
    imports = next(source for kind, source in cells if kind == "code")
    tasks = []
    for i, (kind, source) in enumerate(cells):
        title = re.match(r"## (\d+)\. ", source)
        if kind == "markdown" and title:
            end = next(j for j in range(i + 1, len(cells)) if cells[j][0] == "markdown")
            answer = re.search(r"```python\n(.*?)\n```", cells[end][1], re.S)
            assert cells[end][1].startswith(f"<details><summary>Answer to {title[1]}</summary>")
            tasks.append((int(title[1]), "\n".join(source for _, source in cells[i + 1:end]), answer[1]))
    return imports, tasks


def test_ten_tasks_answered(exercises):
    imports, tasks = exercises
    assert [number for number, *_ in tasks] == list(range(1, 11))
    for number, code, answer in tasks:
        name = answer.split(" =")[0]
        lines = code.splitlines()
        mine = [i for i, line in enumerate(lines) if line.startswith(f"{name} = ")]
        assert len(mine) == 1, f"task {number} should have one line `{name} = ...`"
        for source, solved in ((code, False), ("\n".join([*lines[:mine[0]], answer, *lines[mine[0] + 1:]]), True)):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(imports + "\n" + source, {})
            assert said.getvalue().splitlines()[-1].startswith("well found") is solved, (number, said.getvalue())


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda p: p.stem)
def test_links_between_lessons_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+\.ipynb)\)", path.read_text(encoding="utf-8")):
        assert (NOTEBOOKS / target).exists(), target
