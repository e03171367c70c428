"""The command line, given what it should not be: one line that begins with "error: "."""

import pytest

from sdl_theory.__main__ import main

SMALL = "train --device cpu --set n=12 n_p=12 mu=.2 n_q=16 k=2 steps=2 batch=8 warmup=1".split()
HOSTILE_SET = [
    "lr",
    "lr=",
    "lr=nan",
    "=3",
    "n=1e9",
    "steps=-1",
    "k=99",
    "betas=3",
    "betas=(.9,2)",
    "bench=..",
    "S=1",
    "S=x",
    "mu=[]",
    "n_q=0",
    "n_p=1e30",
    "samples={}",
    "unit_norm=3",
    "precision=fp8",
    "aux_k=.5",
    "lam_anchor=x",
    "seed=-1",
    "batch=",
    "resample_every=()",
    "compile=1",
    "lr=1e400",
    "n=(((",
    "decay=2",
    "target_l0=0",
    "x=1",
    "",
]


@pytest.mark.parametrize(
    "words",
    [[*SMALL, word] for word in HOSTILE_SET]
    + [
        ["train", "--device", "nonsense"],
        ["train", "--device", "meta"],
        ["train", "--device", "cuda:99"],
        ["train", "--device", ""],
        ["train", "--seeds", "-1"],
        ["train", "--seeds", str(10**30)],
        ["train", "--anchors", "-1"],
        ["train", "--method", "vae"],
        ["train", "--method", "matryoshka", "--set", "levels=3"],
        ["train", "--method", "matryoshka", "--set", "levels=x"],
        ["table", "--methods", "vae"],
        ["table", "--device", "cpu", "--set", "lr=nan"],
        ["table", "--set", "nothing"],
        ["traps", "pairs", "--most", "-1"],
        ["traps", "shared", "--out", "/dev/null"],
        ["traps", "correlated", "--out", "/"],
    ],
    ids=lambda w: " ".join(w[-2:]),
)
def test_the_command_line_has_no_traceback(words, capsys):
    try:
        code = main(words)
        told = capsys.readouterr().err
    except SystemExit as stopped:
        code, told = stopped.code if isinstance(stopped.code, int) else 1, str(stopped.code)
    assert code != 0
    assert len([line for line in told.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in told
    assert told.strip().splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("out", ["file", "file/below", "/dev/null"])
def test_a_folder_that_cannot_be_is_one_line(out, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main([*SMALL, "--out", out if out[0] == "/" else str(tmp_path / out)]) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("error: ")
    assert (tmp_path / "file").read_text() == "mine"
