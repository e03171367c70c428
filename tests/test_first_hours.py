"""What a newcomer does in the first hours, from the shell and from Python.

No work is lost, nothing ignored in silence, and one line says what to do.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sdl_theory import (
    Anchors,
    Config,
    LinearRepresentationBench,
    Problem,
    Samples,
    SDLModel,
    diagnose_groups,
    fit,
    load_directions,
    pattern,
    setup,
)
from sdl_theory.__main__ import main
from sdl_theory.experiments import gain as record

QUICK = [
    "--set",
    "steps=4",
    "batch=8",
    "n=12",
    "n_p=9",
    "mu=.6",
    "n_q=16",
    "log_every=2",
    "checkpoint_every=2",
]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--method", "relu", "--set", "aux_coef=1"], "aux_coef = 1 is a setting of topk"),
        (["--method", "relu", "--set", "k=1"], "k = 1 is a setting of"),
        (["--method", "topk", "--set", "target_l0=5"], "target_l0 = 5"),
        (["--method", "topk", "--set", "bandwidth=9"], "bandwidth = 9 is a setting of jumprelu"),
        (
            ["--method", "batchtopk", "--set", "level_loss=sum"],
            "level_loss = 'sum' is a setting of matryoshka",
        ),
        (["--set", "lam_anchor=9"], "add --anchors"),
        (["--set", "seed=3"], "use --seeds 3"),
        (["--seeds", "0", "0"], "seeds must differ"),
        (["--out", ""], "it is empty"),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(words, said, capsys):
    try:
        code = main(["train", *words])
    except SystemExit as ended:
        code = ended.code
        print(code if isinstance(code, str) else "", file=__import__("sys").stderr)
    assert code not in (0, None) and said in capsys.readouterr().err


def test_what_somebody_keeps_in_a_folder_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "report.json").write_text("mine")
    assert main(["train", "--out", str(tmp_path), *QUICK]) == 1
    assert (tmp_path / "report.json").read_text() == "mine"
    assert "a folder of its own" in capsys.readouterr().err
    run = tmp_path / "run"
    assert main(["train", "--out", str(run), *QUICK]) == 0
    assert torch.equal(SDLModel.load(run).W_E, SDLModel.load(run / "checkpoint.safetensors").W_E)
    (run / "checkpoint.safetensors").unlink()
    assert main(["train", "--out", str(run), *QUICK]) == 1
    assert "no checkpoint that they belong to" in capsys.readouterr().err


def test_a_saelens_folder_is_tried_before_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "sdl_theory.experiments.commands.train.train_row",
        lambda *_, **__: pytest.fail("it trained"),
    )
    (tmp_path / "file").write_text("")
    assert main(["train", "--saelens", str(tmp_path / "file"), *QUICK]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert main(["train", "--saelens", str(tmp_path / "new"), *QUICK, "plain=true"]) == 1
    assert "plain" in capsys.readouterr().err


def test_a_fault_in_the_last_row_is_found_before_the_first(monkeypatch, capsys):
    monkeypatch.setattr(
        "sdl_theory.experiments.tables.train_row", lambda *_, **__: pytest.fail("it trained")
    )
    assert main(["table", "--methods", "topk", "foo", *QUICK]) == 1
    assert "foo" in capsys.readouterr().err


def test_rows_of_two_makings_say_both(tmp_path):
    out = tmp_path / "t.json"
    few = [*QUICK, "--seeds", "0", "1", "--out", str(out)]
    assert main(["table", "--methods", "topk", *few]) == 0
    out.write_text(out.read_text().replace(f'"torch": "{torch.__version__}"', '"torch": "1.0"'))
    assert main(["table", "--methods", "batchtopk", *few]) == 0
    stored = json.loads(out.read_text())
    assert stored["torch"] == torch.__version__
    assert stored["before"][0]["torch"] == "1.0"
    assert len(stored["rows"]) == 4


def test_the_record_of_gains_keeps_its_groups(tmp_path, monkeypatch, capsys):
    def row(arm, seeds):
        return [
            record.asdict(arm) | dict(seed=seed, left_out=k) | dict.fromkeys(record.FIGURES, 0.5)
            for seed in seeds
            for k in ([arm.anchors] if arm.anchors else record.SHOWN)
        ]

    monkeypatch.setattr(record, "run_arm", row)
    out = tmp_path / "gain.json"
    assert (
        record.main(["--methods", "topk", "--seeds", *map(str, range(5)), "--out", str(out)]) == 0
    )
    before = out.read_text()
    for words, said in (
        (["--seeds", "4", "5"], "trained together"),
        (["--methods", "foo"], "no such method"),
        (["--seeds", "1", "1"], "each once"),
        (["--seeds", "-1"], "each once"),
    ):
        assert record.main(["--methods", "topk", "--out", str(out), *words]) == 1
        assert said in capsys.readouterr().err
    # not into the project's own record
    assert record.main(["--seeds", "7"]) == 1 and "a file of their own" in capsys.readouterr().err
    assert out.read_text() == before
    (tmp_path / "other.json").write_text("{}")
    assert record.main(["--out", str(tmp_path / "other.json")]) == 1
    assert "no record" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(capsys):
    if not Path("/proc").is_dir():
        pytest.skip("not Linux: no place that even root cannot write to")
    assert main(["train", "--out", "/proc/foo", *QUICK]) == 1
    said = capsys.readouterr().err
    assert "/proc/foo" in said and "name another place" in said and ".lock" not in said


def test_arrays_and_lists_as_people_have_them():
    assert torch.equal(Problem(np.eye(3)[::-1]).W_p, torch.eye(3, dtype=torch.float64).flip(0))
    for size in (1e200, 1e-200):
        assert torch.allclose(
            load_directions(np.full((2, 2), size)).W_p.norm(dim=0),
            torch.ones(2, dtype=torch.float64),
        )
    with pytest.raises(ValueError, match="mask.nonzero"):
        pattern([[True, False]], 2, 1)
    with pytest.raises(ValueError, match="whole number; got 1.5"):
        pattern([[1.5]], 2, 1)
    with pytest.raises(ValueError, match="group 'c'"):
        diagnose_groups(Problem(torch.eye(3, dtype=torch.float64)), {"c": []}, controls=1)
    bench = LinearRepresentationBench(10, 8, 0.9, 0.6)
    with pytest.raises(ValueError, match="feature 99"):
        fit(
            SDLModel(8, 12, k=2),
            bench,
            Config(steps=1, batch=4),
            anchors=Anchors((99,), torch.ones(1, 8), torch.ones(8, 1)),
            progress=False,
        )


def test_own_activations_are_trained_kept_and_loaded(tmp_path):
    sae = SDLModel(6, 12, k=2, generator=torch.Generator().manual_seed(0))
    fit(
        sae,
        Samples(torch.randn(64, 6, generator=torch.Generator().manual_seed(1))),
        Config(steps=3, batch=8),
        out=tmp_path / "mine",
        progress=False,
    )
    assert torch.equal(SDLModel.load(tmp_path / "mine").W_D, sae.W_D)
    # a kill costs ten seconds, not the run
    assert setup("demo", "topk", seeds=[0]).config.checkpoint_every == 100
