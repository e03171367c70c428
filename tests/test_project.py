"""The house itself: one list of dependencies, a light import, names that exist.

And notebooks that keep the rules.
"""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path, kind):
    return [
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == kind
    ]


def test_conda_and_pip_users_get_the_same_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = re.findall(
        r"^  - ([A-Za-z][\w.-]*[^\s:]*)$", (ROOT / "environment.yml").read_text(), re.M
    )
    conda = {line.replace("pytorch", "torch") for line in conda} - {"conda-forge", "pip"}
    assert conda == set(project["dependencies"]) | {"python" + project["requires-python"]}


def test_constraints_pin_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().split()
    }
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["real"] + extras["dev"]
    itself = {"sdl-theory-explorer[real]"}
    assert {re.split(r"[<>=]", name)[0] for name in wanted} - itself <= pinned
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text()


def test_every_import_is_declared():
    """What a module imports is in the dependencies.

    What a function imports (real networks, rebuilding the data) may be an extra's.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras, names = (
        project["optional-dependencies"],
        lambda lines: {re.split(r"[<>=]", line)[0] for line in lines},
    )
    users, developers = names(project["dependencies"]), names(extras["real"] + extras["dev"])
    # `make dev` installs these networks' packages, which need nothing of what they say they need
    networks = (ROOT / "Makefile").read_text().split("NETWORKS = ")[1].split("\n\n")[0]
    developers |= set(re.findall(r"([\w-]+)==", networks))
    owners, seen = packages_distributions(), set()
    for path in [*(ROOT / "sdl_theory").rglob("*.py"), *(ROOT / "widgets").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            for name in (
                {name.split(".")[0] for name in names}
                - sys.stdlib_module_names
                - {"sdl_theory", "widgets"}
            ):
                declared = users if node in tree.body else users | developers
                seen.add(name)
                assert {owner.lower().replace("_", "-") for owner in owners[name]} & declared, (
                    f"{path.relative_to(ROOT)} imports {name}: declare one of {owners[name]}"
                )
    assert {"torch", "PIL", "bs4", "jinja2", "traitlets"} <= seen


def test_import_is_light():
    heavy = "altair, ipywidgets, sympy, transformers, scipy, clarabel, safetensors".split(", ")
    code = f"import sys, sdl_theory; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_every_public_callable_has_a_docstring():
    library = importlib.import_module("sdl_theory")
    public = {
        name: getattr(library, name)
        for name in dir(library)
        if not name.startswith("_") and callable(getattr(library, name))
    }
    assert len(public) > 45
    assert [
        name
        for name, value in public.items()
        if not (value.__doc__ or "").strip() or value.__doc__.startswith(name + "(")
    ] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_keep_the_rules(path):
    code = cells(path, "code")
    for cell in code:
        assert (
            not re.search(r"^\s*(def|class) |^\s*[!%]", cell, re.M) and len(cell.splitlines()) <= 15
        ), cell
        assert max(map(len, cell.splitlines())) <= 100, f"too long for a projector: {cell}"
    assert sorted(len(cell.splitlines()) for cell in code)[len(code) // 2] <= 5
    assert path.stat().st_size <= 400_000
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    assert sum(cell.startswith("assert") or "\nassert" in cell for cell in code) >= 5
    pictures = [
        i
        for i, cell in enumerate(notebook["cells"])
        if any("image/png" in out.get("data", {}) for out in cell.get("outputs", []))
    ]
    sliders = [
        i
        for i, cell in enumerate(notebook["cells"])
        if "_explorer(" in "".join(cell["source"]) and cell["cell_type"] == "code"
    ]
    assert sliders and all(any(i < slider for i in pictures) for slider in sliders[:1])
    assert all(
        cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"
    ), "commit notebooks executed, or nbval compares nothing"
