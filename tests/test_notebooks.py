"""The exercises can be done, and their folded answers are right."""

import ast
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
    cells = [
        (c["cell_type"], "".join(c["source"]))
        for c in json.loads((NOTEBOOKS / "10_exercises.ipynb").read_text(encoding="utf-8"))["cells"]
    ]
    imports = next(source for kind, source in cells if kind == "code")
    tasks = []
    for i, (kind, source) in enumerate(cells):
        title = re.match(r"## (\d+)\. ", source)
        if kind == "markdown" and title:
            end = next(j for j in range(i + 1, len(cells)) if cells[j][0] == "markdown")
            answer = re.search(r"```python\n(.*?)\n```", cells[end][1], re.S)
            assert cells[end][1].startswith(f"<details><summary>Answer to {title[1]}</summary>")
            tasks.append(
                (int(title[1]), "\n".join(source for _, source in cells[i + 1 : end]), answer[1])
            )
    return imports, tasks


def test_thirteen_tasks_answered(exercises):
    imports, tasks = exercises
    assert [number for number, *_ in tasks] == list(range(1, 14))
    for number, code, answer in tasks:
        name = answer.split(" =")[0]
        lines = code.splitlines()
        mine = [i for i, line in enumerate(lines) if line.startswith(f"{name} = ")]
        assert len(mine) == 1, f"task {number} should have one line `{name} = ...`"
        for source, solved in (
            (code, False),
            ("\n".join([*lines[: mine[0]], answer, *lines[mine[0] + 1 :]]), True),
        ):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(imports + "\n" + source, {})
            assert said.getvalue().splitlines()[-1].startswith("well found") is solved, (
                number,
                said.getvalue(),
            )


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda p: p.stem)
def test_links_between_lessons_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+\.ipynb)\)", path.read_text(encoding="utf-8")):
        assert (NOTEBOOKS / target).exists(), target


SOLUTIONS = {
    "00_start_here": ["my_rho = -0.5", "my_S = 0.99"],
    "01_linear_representations": [
        "my_n = 12",
        "my_S = 0.99",
        'my_pair = "toucan", "common redshank"',
    ],
    "02_two_losses": ["my_S = 0.999", "my_magnitude = 1.0"],
    "03_piecewise_biconvex": [
        "my_row = torch.tensor([1.0, -1.0], dtype=torch.float64)",
        "my_a, my_b = 0.7, 1.2",
    ],
    "04_global_minimum": ["my_mu = -0.5", "my_A = pair.W_p.mT"],
    "05_spurious_minima": [
        "my_rho, my_m_2 = 0.0, 2.0",
        "my_weights = (0.2, 1, 2)",
        'stranger = directions.index("goldfish")',
    ],
    "06_absorption": ["my_theta = 0.02"],
    "07_dead_neurons": ["my_depth, my_log_nudge = 0.1, -0.5"],
    "08_transcoders_crosscoders": ["my_mu, my_other = 0.5, -0.2", "my_lengths = [1.0, 2.0]"],
    "09_symbolic": ['my_rho = "1/2"', "my_m = 6"],
    "13_real_embeddings": ["my_share = 1.0", "my_scale = 100.0"],
    "11_anchored_training": ["my_n_q = 4000", "my_B = [[1.0, 0.0], [0.0, 1.0]]", "my_lr = 6e-3"],
    "12_paper_tables": ["my_share = 0.458", "my_sparsity = 0.1"],
    "15_sparsity_and_traps": ["my_S = 0.6", "my_l1 = 1.8", "my_child = 0.6"],
    "14_language_model": ["my_share = 0.95", "my_centred = True"],
    "16_ways_out": ["my_row = [0.9, -0.4]", "my_decay = 0.05"],
}


@pytest.mark.parametrize("lesson", SOLUTIONS)
def test_every_lesson_ends_in_tasks_that_can_be_done(lesson):
    """All cells in one process, pictures aside; each task first as it stands, then solved."""
    cells = [
        (c["cell_type"], "".join(c["source"]))
        for c in json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    ]
    end = next(
        i
        for i, (kind, source) in enumerate(cells)
        if kind == "markdown" and "## On your own" in source
    )
    state = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for kind, source in cells[:end]:
            if (
                kind == "code"
                and "_explorer(" not in source
                and not re.match(r"\w+_chart\(", source)
                and not re.search(r"^(diagnose_groups|rows = share_rows)\(", source, re.M)
            ):
                exec(source, state)
    for solution in SOLUTIONS[lesson]:
        name = solution.split(" =")[0]
        code = next(
            source
            for kind, source in cells[end:]
            if kind == "code" and re.search(rf"^{name} = ", source, re.M)
        )
        for source, solved in (
            (code, False),
            (re.sub(rf"^{name} = .*$", lambda _: solution, code, flags=re.M), True),
        ):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(source, state)
            assert said.getvalue().startswith(("well found", "it speaks")) is solved, (
                name,
                said.getvalue(),
            )


TRAINERS = {
    "fit",
    "train_row",
    "train_arm",
    "train",
    "Race",
    "SGD",
    "descend",
    "dead_rows",
    "dead_explorer",
    "lattice_rows",
    "lattice_explorer",
}


def trained(cells):
    """Which code cells print what comes out of a training or a descent.

    Variables carry it from cell to cell.
    """
    carried = set()
    named = lambda nodes: {
        node.id for tree in nodes for node in ast.walk(tree) if isinstance(node, ast.Name)
    }
    for i, source in enumerate(cells):
        said, body = False, ast.parse(source).body
        for statement in body:
            nodes = list(ast.walk(statement))
            bound = named(node.target for node in nodes if isinstance(node, ast.comprehension))
            loaded = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Load)]
            names = {
                node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
                for node in loaded
            } - bound
            targets = [
                node.value if isinstance(node, ast.Subscript) else node
                for node in nodes
                if isinstance(getattr(node, "ctx", None), ast.Store)
            ]
            stored = named(targets) - bound
            if names & (TRAINERS | carried):
                filled = [
                    node.args[0]
                    for node in nodes
                    if isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") in ("fit", "train_row")
                ]
                carried |= stored | named(filled)
                said |= bool(names & {"print", "judge"}) or (
                    statement is body[-1] and isinstance(statement, ast.Expr)
                )
            else:
                carried -= stored
        if said:
            yield i


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda p: p.stem)
def test_what_training_prints_is_not_compared(path):
    """Last digits grow under descent, so another processor prints other figures: asserts hold their
    range, here or in the next cell (the tests above, for exercises).
    """
    cells = [
        cell
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    said = lambda cell: (
        {
            "".join(out.get("text", out.get("data", {}).get("text/plain", "")))
            for out in cell["outputs"]
        }
        - {"<chart>"}
    )
    ignored = [
        i
        for i, cell in enumerate(cells)
        if "nbval-ignore-output" in cell["metadata"].get("tags", [])
    ]
    assert ignored == [
        i for i in trained("".join(cell["source"]) for cell in cells) if said(cells[i])
    ]
    for i in ignored:
        here, after = (
            ("".join(cell["source"]) for cell in cells[i : i + 2])
            if i + 1 < len(cells)
            else ("".join(cells[i]["source"]), "")
        )
        assert re.search(r"^\s*(assert |judge\()", here, re.M) or re.search(
            r"^\s*assert ", after, re.M
        ), here
