"""Representations from files: every format gives the same rows, and bad ones are refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from sdl_theory.representations.formats import is_whole_map
from sdl_theory.representations.store import Representations, open_representations, write_npy

N, D = 23, 5
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float16)
LABELS = np.arange(N) % 3


def as_npy(path, x=X):
    np.save(path / "x.npy", x)
    np.save(path / "labels.npy", LABELS)
    return open_representations(path / "x.npy", path / "labels.npy")


def as_npz(path, x=X, save=np.savez):
    save(path / "x.npz", x=x, labels=LABELS, names=["a", "b", "c"])
    return open_representations(path / "x.npz")


def as_safetensors(path, x=X):
    save_file({"emb": torch.tensor(x), "labels": torch.tensor(LABELS)}, path / "x.safetensors")
    return open_representations(path / "x.safetensors")


def table(x, fixed=True, **columns):
    flat = pa.array(x.ravel())
    offsets = pa.array(np.arange(0, x.size + 1, x.shape[1], dtype=np.int32))
    lists = pa.FixedSizeListArray.from_arrays(flat, x.shape[1])
    return pa.table({"emb": lists if fixed else pa.ListArray.from_arrays(offsets, flat), **columns})


def as_parquet(path, x=X, fixed=True):
    pq.write_table(table(x, fixed, label=LABELS), path / "x.parquet", row_group_size=7)
    return open_representations(path / "x.parquet")


def as_columns(path, x=X):
    columns = {f"d{i}": x[:, i].astype(np.float32) for i in range(x.shape[1])}
    pq.write_table(pa.table({**columns, "label": LABELS}), path / "x.parquet", row_group_size=7)
    return open_representations(path / "x.parquet")


FORMATS = {
    "array": lambda path: Representations(X, LABELS),
    "tensor": lambda path: Representations(torch.tensor(X), torch.tensor(LABELS)),
    "big-endian": lambda path: Representations(X.astype(">f8"), LABELS.astype(np.float32)),
    "npy": as_npy,
    "npy by columns": lambda path: as_npy(path, np.asfortranarray(X)),
    "npz": as_npz,
    "npz by columns": lambda path: as_npz(path, np.asfortranarray(X)),
    "npz compressed": lambda path: as_npz(path, save=np.savez_compressed),
    "safetensors": as_safetensors,
    "parquet": as_parquet,
    "parquet of lists": lambda path: as_parquet(path, fixed=False),
    "parquet of columns": as_columns,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_rows(kind, tmp_path):
    mine, exact = FORMATS[kind](tmp_path), torch.tensor(X).float()
    assert (len(mine), mine.n_p) == (N, D)
    assert torch.equal(mine.labels, torch.tensor(LABELS)) and mine.labels.dtype is torch.int64
    for which in (
        slice(None),
        slice(3, 20, 4),
        slice(None, None, -1),
        [5, 2, 22, 5],
        np.array([0]),
    ):
        rows = mine.rows(which)
        assert rows.dtype is torch.float32
        assert np.array_equal(rows.numpy(), exact.numpy()[which])
    assert torch.equal(mine.rows(torch.tensor([4, 1])), exact[[4, 1]])
    assert mine.rows([]).shape == (0, D) and mine.rows(slice(0, 0)).shape == (0, D)
    for rows in (1, 4, N, 1000, None):
        starts, parts = zip(*mine.chunks(rows))
        assert torch.equal(torch.cat(parts), exact)
        assert list(starts) == list(range(0, N, rows or N)) or "parquet" in kind
    with pytest.raises(ValueError, match=r"which must be places in \[0, 23\); got 23"):
        mine.rows([0, 23])
    with pytest.raises(ValueError, match="whole numbers"):
        mine.rows([0.5])


def test_bfloat16_is_read_from_safetensors(tmp_path):
    x = torch.tensor(X).bfloat16()
    save_file({"emb": x}, tmp_path / "x.safetensors")
    mine = open_representations(tmp_path / "x.safetensors")
    assert mine.x.dtype is torch.bfloat16
    assert torch.equal(mine.rows([7, 3]), x.float()[[7, 3]])
    assert torch.equal(mine.rows(slice(2, 9)), x.float()[2:9])
    assert torch.equal(torch.cat([part for _, part in mine.chunks(4)]), x.float())


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
def test_files_are_mapped_and_not_read(kind, tmp_path):
    """A page changed on disk after opening is seen: nothing was copied."""
    mine = FORMATS[kind](tmp_path)
    assert is_whole_map(mine.x) and not mine.x.flags.writeable
    writable = np.memmap(mine.x.filename, mine.x.dtype, "r+", mine.x.offset, mine.x.shape)
    writable[4, 2] = 77
    writable.flush()
    assert mine.rows([4])[0, 2] == 77
    assert torch.cat([part for _, part in mine.chunks(3)])[4, 2] == 77


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_rows_are_copies(kind):
    """What is done to them is not done to the user's own."""
    mine = FORMATS[kind](None)
    wide = Representations(mine.x.astype(np.float32) if kind == "array" else mine.x.float())
    for rows in (wide.rows(slice(None)), wide.rows([0, 1]), next(wide.chunks())[1]):
        rows.zero_()
    assert torch.equal(wide.rows(slice(None)), torch.tensor(X).float())


def test_parts_of_mapped_files_are_not_mistaken_for_the_whole(tmp_path):
    """A slice of a map tells the whole map's place in the file: rows must not come from there."""
    np.save(tmp_path / "x.npy", X)
    part = Representations(np.load(tmp_path / "x.npy", mmap_mode="r")[3:9])
    assert torch.equal(next(part.chunks())[1], torch.tensor(X[3:9]).float())


def test_parquet_becomes_npy_for_training(tmp_path):
    path = write_npy(as_parquet(tmp_path), tmp_path / "rows.npy")
    assert np.array_equal(np.load(path), X.astype(np.float32))


def test_one_matrix_of_several_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", final=X, layer5=X * 2, labels=LABELS)
    assert torch.equal(
        open_representations(tmp_path / "x.npz", key="layer5").rows([1])[0],
        torch.tensor(X[1] * 2).float(),
    )
    with pytest.raises(ValueError, match=r"x.npz holds final \(23, 5\), layer5 .* pass key="):
        open_representations(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="not 'layer6'"):
        open_representations(tmp_path / "x.npz", key="layer6")


def test_labels_come_in_many_forms(tmp_path):
    texts = np.array(["dog", "cat", "dog"])
    x = X[:3]
    for labels in (texts, texts.astype("S"), texts.astype(object), texts.tolist()):
        mine = Representations(x, labels)
        assert mine.labels.tolist() == [1, 0, 1] and mine.names == ["cat", "dog"]
    named = Representations(x, texts, names=["emu", "dog", "cat"])
    assert named.labels.tolist() == [1, 2, 1] and named.names == ["emu", "dog", "cat"]
    for column in (texts, pa.array(texts).dictionary_encode()):
        pq.write_table(pa.table({"labels": column}), tmp_path / "l.parquet")
        assert Representations(x, tmp_path / "l.parquet").names == ["cat", "dog"]
    assert Representations(x, np.array([2.0, 0.0, 1.0])).labels.tolist() == [2, 0, 1]
    (tmp_path / "names.json").write_text(json.dumps(["a", "ä"]), encoding="utf-8")
    (tmp_path / "names.txt").write_text("a\nä\n", encoding="utf-8")
    for file in ("names.json", "names.txt"):
        assert Representations(x, [0, 1, 1], tmp_path / file).names == ["a", "ä"]
    np.savez(tmp_path / "l.npz", labels=[0, 1, 1])
    assert Representations(x, tmp_path / "l.npz").labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "labels, names, words",
    [
        ([0, 1], None, r"labels must have one entry for each of the 3 rows; got shape \(2,\)"),
        (np.zeros((3, 1)), None, r"got shape \(3, 1\)"),
        ([0, 1, 0.5], None, "row 2 has 0.5"),
        ([0, np.nan, 1], None, "row 1 has nan"),
        ([0, -1, 1], None, "row 1 has -1. Drop rows without a class"),
        ([0, 1, 2], ["a", "b"], "below the number of names, 2; row 2 has 2"),
        (["a", "b", "c"], ["a", "b"], "among names; row 2 has 'c'"),
        (["a", "b", "a"], ["a", "b", "a"], "names has 'a' twice"),
        (np.array([0, 1j, 2]), None, "labels must be whole numbers, or texts"),
        (np.array(["a", None, 2], dtype=object), None, "labels must be whole numbers, or texts"),
        ([0, 1, 2], [1, 2, 3], "names must be a list of texts"),
        ([0, 1, 2], "no.json", "names must be .* that is there"),
        ("no.npy", None, "no file at no.npy"),
    ],
)
def test_labels_and_names_that_do_not_fit_are_refused(labels, names, words):
    with pytest.raises(ValueError, match=words):
        Representations(X[:3], labels, names)
