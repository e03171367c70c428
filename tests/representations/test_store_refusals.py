"""Matrices that are none: each a ValueError that says which, where, and what to do."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from sdl_theory.representations.store import Representations, open_representations

X = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)


@pytest.mark.parametrize(
    "x, words",
    [
        (X[None], r"got shape \(1, 40, 5\). Pool over tokens"),
        (X[0], r"must be a non-empty matrix of shape \(N, n_p\)"),
        (X[:0], r"non-empty matrix .* got shape \(0, 5\)"),
        (X[:, :0], r"non-empty matrix .* got shape \(40, 0\)"),
        (X.astype(int), r"got int64. Convert it: x.astype\(np.float32\)"),
        (X.astype(complex), "must hold real floating numbers; got complex128"),
        (X.astype(object), "must hold real floating numbers; got object"),
        (torch.ones(2, 2, dtype=torch.int32), "got torch.int32"),
        (X.tolist(), "np.asarray makes one of a list"),
        (None, "got None"),
    ],
)
def test_what_is_no_matrix_of_floats_is_refused(x, words):
    with pytest.raises(ValueError, match=words):
        Representations(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_are_not_finite_are_named(bad, tmp_path):
    """1e300 is a number in float64 and none in float32."""
    x = X.astype(np.float64)
    x[17, 3] = bad
    np.save(tmp_path / "x.npy", x)
    mine = open_representations(tmp_path / "x.npy")
    words = r"x.npy must be finite \(in float32\); row 17, entry 3 is (nan|-?inf): drop that row"
    for read in (
        lambda: mine.rows([2, 17, 5]),
        lambda: mine.rows(slice(1, 40, 4)),
        lambda: mine.rows(slice(None, None, -1)),
        lambda: list(mine.chunks(4)),
    ):
        with pytest.raises(ValueError, match=words):
            read()
    assert torch.isfinite(mine.rows([16, 18])).all()


def test_large_finite_rows_are_no_error():
    """Their sum is beyond float32, they are not."""
    x = np.full((2, 4), 3e38, np.float32)
    assert torch.equal(Representations(x).rows([0, 1]), torch.tensor(x))


def good(folder, suffix):
    path = folder / f"x{suffix}"
    labels = np.zeros(len(X), np.int64)
    if suffix == ".npy":
        np.save(path, X)
    elif suffix == ".npz":
        np.savez(path, x=X, labels=labels)
    elif suffix == ".safetensors":
        save_file({"x": torch.tensor(X), "labels": torch.tensor(labels)}, path)
    else:
        pq.write_table(pa.table({"x": pa.FixedSizeListArray.from_arrays(X.ravel(), 5)}), path)
    return path


KINDS = [".npy", ".npz", ".safetensors", ".parquet"]


@pytest.mark.parametrize("suffix", KINDS)
def test_truncated_files_are_named(suffix, tmp_path):
    whole = good(tmp_path, suffix).read_bytes()
    path = tmp_path / f"half{suffix}"
    for length in (0, 1, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"half{suffix} is damaged or no {suffix} file"):
            open_representations(path)
    path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'nonsense': }..")
    with pytest.raises(ValueError, match=f"half{suffix} is damaged or no {suffix} file"):
        open_representations(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_files_cut_off_after_opening_do_not_end_in_fewer_rows(suffix, tmp_path):
    mine = open_representations(good(tmp_path, suffix))
    with open(mine.x.filename, "r+b") as file:
        file.truncate(mine.x.offset + 30 * 5 * 4)  # ten whole rows are gone
    with pytest.raises(ValueError, match=f"x{suffix} has become shorter since it was opened"):
        list(mine.chunks(16))


@pytest.mark.parametrize("suffix", KINDS)
def test_flipped_bytes_end_in_rows_or_a_named_error(suffix, tmp_path):
    """Whatever byte of a file is another: never a crash, never an error without a name."""
    whole = bytearray(good(tmp_path, suffix).read_bytes())
    path = tmp_path / f"bad{suffix}"
    for at in [*range(0, min(len(whole), 260), 3), *range(len(whole) - 200, len(whole), 5)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            for _ in open_representations(path).chunks(16):
                pass
        except ValueError as error:
            assert "bad" in str(error) or "labels" in str(error) or "x must" in str(error), error


@pytest.mark.parametrize("suffix", KINDS)
def test_absent_files_and_folders_are_named(suffix, tmp_path):
    with pytest.raises(ValueError, match="no file at .*none"):
        open_representations(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ValueError, match="no file at .*folder.*it is a folder"):
        open_representations(tmp_path / f"folder{suffix}")


def test_unknown_formats_are_named(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n")
    with pytest.raises(ValueError, match=r"\.npy, \.npz, \.safetensors, \.parquet; got 'x.csv'"):
        open_representations(tmp_path / "x.csv")


def test_files_that_hold_something_else_are_named(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, X.astype(object), allow_pickle=True)
    with pytest.raises(ValueError, match="object arrays hold no numbers"):
        open_representations(path)
    np.savez(tmp_path / "x.npz", x=X.astype(object), allow_pickle=True)
    with pytest.raises(ValueError, match="x.npz.*Python objects"):
        open_representations(tmp_path / "x.npz")
    np.save(path, X.astype(np.int8))
    with pytest.raises(ValueError, match="x.npy must hold real floating numbers; got int8"):
        open_representations(path)
    np.savez(tmp_path / "y.npz", a=np.zeros(3), b=np.zeros(4))
    with pytest.raises(ValueError, match=r"y.npz holds a \(3,\), b \(4,\); pass key="):
        open_representations(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", a=np.zeros((3, 2)), b=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="z.npz holds no labels"):
        open_representations(good(tmp_path, ".npz"), labels=tmp_path / "z.npz")


@pytest.mark.parametrize(
    "columns, words",
    [
        ({"a": [1, 2], "t": ["x", "y"]}, r"columns of floats; it has a \(int64\), t \(string\)"),
        ({"a": [[1.0], [2.0]], "b": [[1.0], [2.0]]}, r"pass key= with one of \['a', 'b'\]"),
        ({"a": [[1.0, 2.0], [3.0]]}, "row 1 has 1 numbers, the first has 2"),
        ({"a": [[1.0, 2.0], None]}, "a is null in row 1"),
        ({"a": [[1.0, 2.0], [3.0, None]]}, "a holds a null in row 1"),
        ({"a": [1.0, None], "b": [1.0, 2.0]}, "a is null in row 1"),
        ({"a": [[1.0], [2.0]], "label": ["x", None]}, "label is null in row 1"),
        ({"a": pa.array([], pa.list_(pa.float32()))}, "non-empty matrix"),
    ],
)
def test_parquet_files_without_such_a_column_are_named(columns, words, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=words):
        list(open_representations(tmp_path / "x.parquet").chunks())


@pytest.mark.parametrize("bad", [None, [1.0], [1.0, None], [1.0, np.nan]])
def test_rows_of_parquet_files_are_named_wherever_they_are_read(bad, tmp_path):
    lists = [[1.0, 2.0]] * 20
    lists[13] = bad
    pq.write_table(pa.table({"a": lists}), tmp_path / "x.parquet", row_group_size=5)
    mine = open_representations(tmp_path / "x.parquet")
    for read in (lambda: list(mine.chunks(3)), lambda: mine.rows([12, 13, 2])):
        with pytest.raises(ValueError, match="row 13"):
            read()
