"""The pages that are made from the sources: the map of the library, the lists of lessons.

`python -m tests.pages` writes them; test_front_door.py compares. (The tables of results have a
command of their own: sdl_theory/experiments/results.py.)
"""

import ast
import json
import re
from pathlib import Path

from sdl_theory.experiments.results import markdown, put

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "sdl_theory"
START = ROOT / "notebooks/00_start_here.ipynb"
MAP = "## The map\n"
# the order in which the wings build on each other; "" is the ground floor
WINGS = ("", "truth", "representations", "theory", "measure", "training", "experiments")
GROUND = "Files directly in this folder. Known to every wing; they import none."
DOOR = ("__init__", "__main__")


def docstring(path):
    return " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())


def first_sentence(text):
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`*(\"])", text)[0]


def rooms(folder):
    """A line for each module of a folder."""
    for path in sorted(folder.glob("*.py")):
        if path.stem not in DOOR:
            link = path.relative_to(LIBRARY).as_posix()
            yield f"* [`{path.stem}`]({link}): {first_sentence(docstring(path))}"


def code_map():
    """Every wing with its rule, every module with the first sentence of its docstring."""
    door = [f"* [`{stem}`]({stem}.py): {docstring(LIBRARY / f'{stem}.py')}" for stem in DOOR]
    parts = ["### The door", "\n".join(door)]
    place = lambda folder: folder.relative_to(LIBRARY).as_posix().removeprefix(".")
    packages = [place(path.parent) for path in LIBRARY.rglob("__init__.py")]
    for package in sorted(packages, key=lambda name: (WINGS.index(name.split("/")[0]), name)):
        rule = docstring(LIBRARY / package / "__init__.py") if package else GROUND
        heading = f"### {package or 'The ground floor'}"
        parts += [heading, rule, "\n".join(rooms(LIBRARY / package))]
    return "\n\n".join(part for part in parts if part) + "\n"


def lessons():
    """(path, number, title, minutes) of every lesson."""
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        title = first.splitlines()[0].removeprefix("# ")
        minutes = re.search(r"About (\d+ minutes|an hour)", first)[1]
        yield path, path.stem[:2], title, minutes.split()[0].replace("an", "60")


def lesson_line():
    """The lessons in README, by the first half of their titles."""
    links = (
        f"[{number} {title.split(':')[0]}](notebooks/{path.name})"
        for path, number, title, _ in lessons()
    )
    return " · ".join(links)


def lesson_table():
    """The lessons that follow 00, in 00."""
    rows = [
        [f"[{number} {title}]({path.name})", minutes]
        for path, number, title, minutes in lessons()
        if path != START
    ]
    return markdown(["lesson", "minutes"], rows)


def with_lessons(notebook):
    """00 with its table of lessons; nothing else of it is touched."""
    table = lesson_table()
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if table.splitlines()[0] in source.splitlines():
            cell["source"] = put(table, source).splitlines(keepends=True)
    return notebook


def pages():
    """(path, what it should hold) of every page that is made."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    yield ROOT / "README.md", re.sub(r"^\[00 .*$", lambda _: lesson_line(), readme, flags=re.M)
    library = (LIBRARY / "README.md").read_text(encoding="utf-8")
    yield LIBRARY / "README.md", f"{library.split(MAP)[0]}{MAP}\n{code_map()}"
    start = with_lessons(json.loads(START.read_text(encoding="utf-8")))
    yield START, json.dumps(start, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for page, text in pages():
        page.write_text(text, encoding="utf-8")
        print(page.relative_to(ROOT))
