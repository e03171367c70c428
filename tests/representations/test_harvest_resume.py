"""A harvest that is killed, damaged or asked for otherwise: gone on with, redone, refused."""

import json

import numpy as np
import pytest
from networks_for_tests import TEXTS, bert, llama, tokenizer

from sdl_theory.lock import InUse, locked
from sdl_theory.representations import plan
from sdl_theory.representations.harvest import harvest


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(plan, "PIECE", 6)


def run(out, model=None, texts=TEXTS, **other):
    asked = dict(layer=2, parts=("residual", "mlp_out"), batch=2, progress=False) | other
    return harvest(model or bert(), tokenizer(), texts, out, **asked)


def same(a, b):
    return all(np.array_equal(a[part].x, b[part].x) for part in a)


class Counted:
    """Counts a model's forward passes, and stops it at the one of number `at`."""

    def __init__(self, model, at=None):
        self.calls, self.at = 0, at
        model.register_forward_pre_hook(self.call)

    def call(self, *given):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_killed_and_called_again_it_goes_on(at, tmp_path):
    whole, model = run(tmp_path / "whole"), bert()
    every = Counted(fresh := bert())
    run(tmp_path / "again", fresh)
    with pytest.raises(KeyboardInterrupt):
        Counted(model, at)
        run(tmp_path / "a", model)
    rest = Counted(model := bert())
    assert same(run(tmp_path / "a", model), whole)
    assert rest.calls == every.calls - (at - 1)


def test_a_whole_harvest_is_only_opened(tmp_path):
    first = run(tmp_path)
    none = Counted(model := bert(), 1)
    assert same(run(tmp_path, model), first)
    assert none.calls == 0


def interrupted(out):
    model = bert()
    Counted(model, 4)
    with pytest.raises(KeyboardInterrupt):
        run(out, model)
    assert len(json.loads((out / "manifest.json").read_text())["done"]) == 3


def test_a_piece_that_is_not_what_was_written_is_redone(tmp_path):
    interrupted(tmp_path / "a")
    path = tmp_path / "a" / "residual_2.npy"
    rows = np.load(path, mmap_mode="r+")
    written = np.flatnonzero(np.abs(rows).sum(1))
    rows[written[0]] = 0  # as if the power had gone
    rows.flush()
    del rows
    counted = Counted(model := bert())
    assert same(run(tmp_path / "a", model), run(tmp_path / "whole"))
    assert counted.calls == 3  # that piece and the two that were left


@pytest.mark.parametrize("damage", ["cut short", "gone", "of another kind"])
def test_a_file_that_is_not_whole_is_made_anew(damage, tmp_path):
    run(tmp_path / "a")
    path = tmp_path / "a" / "residual_2.npy"
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "gone":
        path.unlink()
    else:
        np.save(path, np.zeros((3, 2)))
    assert same(run(tmp_path / "a"), run(tmp_path / "whole"))


@pytest.mark.parametrize(
    "name, other",
    [
        ("layer", dict(layer=1)),
        ("parts", dict(parts=("residual",))),
        ("pool", dict(pool="mean")),
        ("max_length", dict(max_length=63)),
        ("skip_first", dict(skip_first=True)),
        ("dtype", dict(dtype="float32")),
        ("texts", dict(texts=TEXTS[:-1])),
        ("model", dict(model=llama())),
    ],
)
def test_other_settings_are_refused_and_nothing_is_lost(name, other, tmp_path):
    first = run(tmp_path)
    with pytest.raises(ValueError, match=rf"another harvest: its {name} is .* folder of its own"):
        run(tmp_path, **other)
    none = Counted(model := bert(), 1)
    assert same(run(tmp_path, model), first) and none.calls == 0


def test_other_weights_are_another_network(tmp_path):
    run(tmp_path)
    other = bert()
    other.encoder.layer[0].output.dense.weight[0, 0] += 1
    with pytest.raises(ValueError, match="its model is"):
        run(tmp_path, other)


def test_the_batch_is_no_setting(tmp_path):
    assert same(run(tmp_path, batch=1), run(tmp_path, batch=4))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match="other files and no manifest.json"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": {}}'])
def test_a_manifest_that_is_none_is_refused(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="no manifest of a harvest"):
        run(tmp_path)


def test_two_at_once_are_refused(tmp_path):
    with locked(tmp_path, folder=True), pytest.raises(InUse):
        run(tmp_path)


@pytest.mark.parametrize(
    "words, other",
    [
        ("at most the 3 blocks", dict(layer=4)),
        ("layer must be", dict(layer=0)),
        ("each once", dict(layer=[1, 1])),
        ("each once", dict(layer=[])),
        ("texts must be", dict(texts=[])),
        ("texts must be", dict(texts="one")),
        (r"texts\[1\] must be a text", dict(texts=["a", None])),
        ("parts must be some of", dict(parts=("attention",))),
        ("parts must be a list", dict(parts="residual")),
        ("pool must be", dict(pool="max")),
        ("dtype must be", dict(dtype="int8")),
        ("batch", dict(batch=0)),
        ("max_length", dict(max_length=0)),
        ("max_length must be at most the 64", dict(max_length=65)),
        (r"texts\[1\] = '' has no token", dict(texts=["a", ""], pool="mean")),
        ("no token that would be kept", dict(texts=["", ""])),
    ],
)
def test_bad_input(words, other, tmp_path):
    with pytest.raises(ValueError, match=words):
        run(tmp_path / "out", **other)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_a_dtype_cannot_hold_is_refused(tmp_path):
    model = llama()
    model.model.embed_tokens.weight[5] = 1e6
    with pytest.raises(ValueError, match="reaches 1e.06, which float16 cannot hold"):
        run(tmp_path / "a", model)
    run(tmp_path / "b", model, dtype="float32")
    model.model.embed_tokens.weight[5] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        run(tmp_path / "c", model, dtype="float32")


def test_a_network_that_is_built_otherwise_is_refused(tmp_path):
    import torch

    with pytest.raises(ValueError, match="Linear, in which no list of blocks"):
        run(tmp_path, torch.nn.Linear(2, 2))
