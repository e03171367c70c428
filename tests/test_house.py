"""The house: wings and their arrows, public names, sizes of files, functions and calls."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

WINGS = {  # one rule a wing: what it may import, beside itself
    "ground": set(),
    "truth": {"ground"},
    "representations": {"ground", "truth"},
    "theory": {"ground", "truth"},
    "measure": {"ground", "truth", "theory"},
    "training": {"ground", "truth", "theory", "measure"},
    "experiments": {"ground", "truth", "representations", "theory", "measure", "training"},
    "door": {
        "ground",
        "truth",
        "representations",
        "theory",
        "measure",
        "training",
        "experiments",
    },
}


def wing_of(parts):
    """The wing of a file or name under sdl_theory. Files beside the wings are the ground floor;
    __init__, __main__, and names that only __init__ has, the door.
    """
    if parts[0] in WINGS:
        return parts[0]
    is_ground = (ROOT / f"sdl_theory/{parts[0]}.py").exists() and not parts[0].startswith("__")
    return "ground" if is_ground else "door"


def imports(path):
    """Absolute names of the modules that a file imports, wherever in the file."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("wing", WINGS)
def test_arrows_of_a_wing_point_down(wing):
    files = [
        path
        for path in (ROOT / "sdl_theory").rglob("*.py")
        if wing_of(path.relative_to(ROOT / "sdl_theory").with_suffix("").parts) == wing
    ]
    assert files
    for path in files:
        inner = [name for name in imports(path) if name.startswith("sdl_theory.")]
        reached = {wing_of(name.split(".")[1:]) for name in inner}
        assert reached <= WINGS[wing] | {wing}, f"{path.relative_to(ROOT)} imports {reached}"


def test_arrows_of_pictures_point_down():
    """The library draws nothing; rows know no charts, charts no tensors."""
    forbidden = {
        "sdl_theory": ("widgets", "altair", "ipywidgets"),
        "widgets/rows": ("altair", "ipywidgets"),
        "widgets/charts": ("torch", "ipywidgets", "sdl_theory"),
    }
    for folder, names in forbidden.items():
        for path in (ROOT / folder).rglob("*.py"):
            assert {name.split(".")[0] for name in imports(path)}.isdisjoint(names), path


PUBLIC = """
    Absorption Anchors Batch BatchTopK Certificate CertificateError CheckpointError Config
    Constant Diagnosis Directions Escape Estimate Farkas GapBound GroupDiagnosis GroupMinimum
    Hierarchy History IdealLoss InterferenceNotReached JumpReLU LinearRepresentationBench
    Moments PartialMinimum PartitionRow Path Persistence Polished Prevalence Problem ReLU
    Realization Report Rung SDLModel Samples SearchResult SecondOrder ShiftedExponential
    SparseFeatures TopK Trainer TrainingBytes TrainingError TrueCertificate Uniform Verdict Way
    Weights absorb activation_f1 activation_pattern alternating_convex_search approximate_loss
    best_matches best_partition best_split certify diagnose diagnose_groups escape evaluate
    exact_loss feature_matrix fit gradients gram group_minimum gt_recovery hessian hierarchy
    ideal_loss ideal_weights imagenet_directions interference interval levenshtein_bound
    load_directions loss_gap_bound loss_ladder max_inner_product mcc mirrored_share
    mirrored_weights null_baseline pair_law partial_minimum partitions pattern persist polish
    prevalence printed_recipe pseudo_inverse_weights rankin_bound read_saelens realize
    recovery_curve sampled_loss second_order setup sign_row split survey_partitions table_1
    train_row training_bytes trap_share true_certificate wall_path write_saelens
""".split()


def test_the_public_names_are_these():
    library = importlib.import_module("sdl_theory")
    assert sorted(library.__all__) == PUBLIC
    assert all(hasattr(library, name) for name in [*PUBLIC, "audit", "symbolic"])
    # a module that is named like a public function would hide it, or be hidden
    folder = ROOT / "sdl_theory"
    assert {path.stem for path in folder.iterdir()}.isdisjoint(PUBLIC)


def test_test_files_have_names_of_their_own():
    """pytest imports them by name alone; those of tests/browser are a package."""
    stems = [path.stem for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "browser"]
    own = [stem for stem in stems if stem not in ("__init__", "__main__", "conftest")]
    assert sorted(own) == sorted(set(own))


def pieces(path):
    """Functions of a file and their lines beside their docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node, clean=False)
            yield node.name, node.end_lineno - node.lineno - (documented or "").count("\n")


@pytest.mark.parametrize("folder", ["sdl_theory", "widgets", "tests", "notebooks"])
def test_files_and_functions_stay_small(folder):
    for path in [*(ROOT / folder).rglob("*.py")]:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 250, f"{path.relative_to(ROOT)} has {len(lines)} lines"
        assert max(map(len, lines), default=0) <= 100, path
        for name, count in pieces(path):
            assert count <= 50, f"{path.relative_to(ROOT)}: {name} has {count} lines"


def test_calls_with_more_than_four_arguments_name_them():
    """Of this project's own functions and classes: a fifth argument by place is one too many."""
    files = [p for folder in ("sdl_theory", "widgets") for p in (ROOT / folder).rglob("*.py")]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    kinds = (ast.FunctionDef, ast.ClassDef)
    own = {n.name for tree in trees.values() for n in ast.walk(tree) if isinstance(n, kinds)}
    for path, tree in trees.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", None))
            where = f"{path.relative_to(ROOT)}:{call.lineno} {name}"
            assert name not in own or len(call.args) <= 4, where
