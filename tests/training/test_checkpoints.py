"""A checkpoint that is damaged, foreign or another run's is refused by name; nothing changes."""

import pytest
import torch
from runs_for_tests import assert_same, go, holds, tiny

from sdl_theory import Anchors, CheckpointError, fit
from sdl_theory.files import read_tensors, write_tensors


def rewrite(folder, change):
    """The checkpoint with its tensors and metadata changed by hand."""
    tensors, metadata = read_tensors(folder / "checkpoint.safetensors")
    tensors = {name: value.clone() for name, value in tensors.items()}
    change(tensors, metadata)
    write_tensors(folder / "checkpoint.safetensors", tensors, metadata)


@pytest.fixture(scope="module")
def run_of_ten(tmp_path_factory):
    """A finished run, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("ten") / "run"
    go(folder, steps=10)
    return folder


@pytest.fixture
def damaged(run_of_ten, tmp_path):
    for path in run_of_ten.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


LOST = [
    "W_E",
    "b_D",
    "theta",
    "run/asleep",
    "run/coef",
    "run/sums",
    "adam/exp_avg/W_D",
    "adam/exp_avg_sq/W_E",
    "adam/step/b_E",
]


@pytest.mark.parametrize(
    "change, words",
    [
        *[
            (lambda t, m, name=name: t.pop(name), f"does not fit this run: it has no tensor {name}")
            for name in LOST
        ],
        (
            lambda t, m: t.update(W_E=t["W_E"][:5]),
            r"its W_E is \(\(5, 30\), torch.float32\), not \(\(64, 30\), torch.float32\)",
        ),
        (lambda t, m: t.update(W_D=t["W_D"].double()), r"its W_D is \(\(30, 64\), torch.float64\)"),
        (lambda t, m: t["adam/exp_avg/W_E"].fill_(torch.nan), "its adam/exp_avg/W_E is not finite"),
        (lambda t, m: m.pop("step"), "no training checkpoint: it lacks step"),
        (
            lambda t, m: m.clear(),
            "no training checkpoint: it lacks anchors, config, data, model, step",
        ),
        (
            lambda t, m: m["config"].update(lr=0.5),
            r"another run: its config.lr is 0.5, this one's is 0.03",
        ),
        (lambda t, m: m["model"].update(n_q=63), r"its model.n_q is 63, this one's is 64"),
        (lambda t, m: m["data"][0].update(seed=9), r"its data\[0\].seed is 9, this one's is 2"),
        (lambda t, m: m["anchors"][0].reverse(), r"its anchors is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_changes(change, words, damaged):
    rewrite(damaged, change)
    model, bench, config = tiny("jumprelu", 10)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"^{damaged}/checkpoint.safetensors .*{words}"):
        fit(model, bench, config, anchors=4, out=damaged, resume=True, progress=False)
    assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_checkpoint_is_named(kept, damaged):
    path = damaged / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=f"^{path} is truncated or no safetensors file"):
        go(damaged, steps=10, resume=True)


def test_a_foreign_safetensors_file_is_named(damaged):
    from safetensors.torch import save_file

    save_file(dict(W=torch.ones(3)), damaged / "checkpoint.safetensors")
    with pytest.raises(
        CheckpointError, match=f"^{damaged}/checkpoint.safetensors was not written by sdl_theory"
    ):
        go(damaged, steps=10, resume=True)


def test_other_anchors_of_which_nobody_knows_the_features_are_told_apart(tmp_path):
    model, bench, config = tiny("jumprelu", 10)
    known = Anchors.of_truth(bench, 4)
    anchors = lambda order: Anchors(None, known.W_E[order], known.W_D[:, order])
    fit(model, bench, config, anchors=anchors([0, 1, 2, 3]), out=tmp_path, progress=False)
    fit(
        tiny("jumprelu", 10)[0],
        bench,
        config,
        anchors=anchors([0, 1, 2, 3]),
        out=tmp_path,
        resume=True,
        progress=False,
    )
    with pytest.raises(CheckpointError, match=r"its anchors is"):
        fit(
            tiny("jumprelu", 10)[0],
            bench,
            config,
            anchors=anchors([0, 1, 3, 2]),
            out=tmp_path,
            resume=True,
            progress=False,
        )


def test_a_history_torn_in_its_last_line_is_gone_on_with(tmp_path):
    go(tmp_path / "whole")
    go(tmp_path / "torn", callback=lambda row: row["step"] < 20)
    path = tmp_path / "torn" / "history.jsonl"
    path.write_text(path.read_text() + '{"step": 24, "samp')
    go(tmp_path / "torn", resume=True)
    assert_same(holds(tmp_path / "torn"), holds(tmp_path / "whole"))


@pytest.mark.parametrize(
    "line, words",
    [
        ('{"step": 8, "sa', "is not JSON"),
        ("3", "is no row of a history: it needs a step"),
        ('{"loss": 1}', "is no row"),
    ],
)
def test_a_history_damaged_before_its_end_is_named(line, words, damaged):
    path = damaged / "history.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(ValueError, match=f"^{path}, line 2, {words}"):
        go(damaged, steps=10, resume=True)
