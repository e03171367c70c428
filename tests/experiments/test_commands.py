"""The command line: small runs of the real thing."""

import json
import subprocess
import sys

import pytest
import torch

from sdl_theory import LinearRepresentationBench, SDLModel, read_saelens
from sdl_theory.__main__ import main
from sdl_theory.experiments.commands.settings import BENCH, overrides
from sdl_theory.experiments.presets import ROWS
from sdl_theory.experiments.rows import MODEL, check_overrides
from sdl_theory.files import read_tensors

SMALL = "--device cpu --set n=20 n_p=16 n_q=32 mu=.5 batch=32".split()


def test_the_law_of_magnitudes_is_set_by_name(tmp_path, capsys):
    run = ["train", "--out", str(tmp_path / "run"), *SMALL, "steps=4", "k=2"]
    assert main([*run, "c_min=.5", "beta=.25"]) == 0
    law = read_tensors(tmp_path / "run" / "checkpoint.safetensors")[1]["data"][0]["magnitudes"]
    assert law == dict(law="ShiftedExponential", c_min=0.5, beta=0.25)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["overrides"][-2:] == ["c_min=.5", "beta=.25"]
    assert main([*run, "beta=.3", "c_min=.5", "--resume"]) == 1
    assert "magnitudes.beta is 0.25" in capsys.readouterr().err
    assert main([*run, "c_min=-1"]) == 1 and "c_min" in capsys.readouterr().err

    out = tmp_path / "t.json"
    table = ["table", "--methods", "topk", "--seeds", "0", "--out", str(out), *SMALL]
    assert main([*table, "steps=4", "k=2", "c_min=.5"]) == 0
    assert "c_min=.5" in json.loads(out.read_text())["overrides"]
    assert "found by the paper's metric (encoder, raw)" in capsys.readouterr().err


def test_matryoshka_as_equation_9_and_plain_top_k_are_set_by_name(tmp_path):
    run = ["train", "--method", "matryoshka", "--out", str(tmp_path / "run"), *SMALL, "steps=4"]
    assert main([*run, "ks=1,2,4", "plain=True", "aux_target=input", "aux_coef=.1"]) == 0
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    made = SDLModel.load(checkpoint)
    assert made.ks == (1, 2, 4) and made.plain
    assert read_tensors(checkpoint)[1]["config"]["aux_target"] == "input"


def test_the_command_line_trains_resumes_and_writes(tmp_path, capsys):
    out, saelens = tmp_path / "run", tmp_path / "saelens"
    words = "train --method jumprelu --anchors 5 --device cpu".split()
    words += ["--out", str(out), "--saelens", str(saelens), "--set"]
    words += "steps=30 checkpoint_every=10 n=30 n_p=24 n_q=60 mu=.4 batch=64".split()
    assert main([*words, "target_l0=None"]) == 0
    assert "25 held-out features (5 anchored ones left out)" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())["reports"][0]
    made = SDLModel.load(out / "checkpoint.safetensors")
    bench = LinearRepresentationBench(30, 24, 0.99, 0.4)
    x = bench.sample(5).x_p
    torch.testing.assert_close(read_saelens(saelens).encode(x), made.encode(x))
    assert report["heldout"] == 25 and report["n_q"] == 60
    assert main([*words, "target_l0=None"]) == 1
    assert "pass resume=True" in capsys.readouterr().err
    assert main([*words, "target_l0=None", "--resume"]) == 0
    assert main([*words, "target_l0=3", "--resume"]) == 1
    assert "config.target_l0 is None" in capsys.readouterr().err


def test_the_command_line_names_what_it_does_not_know(capsys):
    for words, message in [
        (["train", "--set", "learning_rate=1"], "no such setting"),
        (["train", "--set", "steps"], "--set steps: write NAME=VALUE"),
        (["train", "--device", "cuda"], "no CUDA device"),
    ]:
        if "cuda" in words and torch.cuda.is_available():
            continue
        with pytest.raises(SystemExit, match=message):
            main(words)
    assert main(["train", "--method", "vae"]) == 1
    assert "method must be one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command, words",
    [
        ("train", ["--out FOLDER", "(default: topk)", "model; default: 0)", *ROWS]),
        (
            "table",
            [
                "--out FILE",
                "default: from 0 on, 5 in demo, 5 in half, 1 in paper",
                "arXiv:2512.05534",
            ],
        ),
    ],
)
def test_help_says_what_is_taken_and_what_is_usual(command, words, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert [word for word in [*words, *MODEL, *BENCH] if word not in said] == []


def test_settings_are_named_as_they_can_be_set():
    with pytest.raises(SystemExit) as refused:
        overrides(["learning_rate=1"])
    named = str(refused.value).partition("there are ")[2].split(", ")
    assert {"levels", "ks", "mu", "lr"} <= set(named) and "seed" not in named
    for name in named:
        overrides([f"{name}=1"])
    assert overrides(["levels=4,16"])["levels"] == (4, 16)


def test_table_refuses_what_none_of_its_rows_has(capsys):
    words = ["table", "--device", "cpu", "--set", "bandwidth=.3", "--methods"]
    assert main([*words, "topk"]) == 1
    assert "setting of jumprelu; method = 'topk' has none" in capsys.readouterr().err
    assert main([*words, "topk", "relu"]) == 1
    assert "none of topk, relu has it. Leave it out" in capsys.readouterr().err
    check_overrides(["topk", "jumprelu"], dict(bandwidth=0.3, lr=1))


def test_table_command_writes_json_and_goes_on(tmp_path, capsys):
    out = tmp_path / "table.json"
    words = ["table", "--methods", "topk", "--seeds", "0", "1", "--out", str(out), *SMALL]
    words.append("steps=20")
    command = [sys.executable, "-m", "sdl_theory", *words]
    assert "null_mip" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    stored = json.loads(out.read_text())
    rows = stored["rows"]
    assert stored["torch"] == torch.__version__
    assert stored["threads"] >= 1 and stored["preset"] == "demo"
    assert [row["anchored"] for row in rows] == [0, 10]
    assert rows[0]["decoder_mip"]["low"] <= rows[0]["decoder_mip"]["value"]
    stored["rows"] = rows[:1]  # as if it had been stopped between the two
    out.write_text(json.dumps(stored))
    assert main(words) == 0
    again = json.loads(out.read_text())["rows"]
    first, second = (row["decoder_mip"]["value"] for row in (again[1], rows[1]))
    assert again[0] == rows[0] and first == pytest.approx(second, abs=1e-5)
    assert main([*words, "k=1"]) == 1 and "holds another table" in capsys.readouterr().err
