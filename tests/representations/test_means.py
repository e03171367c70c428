"""Class means: one streamed pass equals the literal sums, in bounded memory; bad classes named."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sdl_theory import checks
from sdl_theory.representations import means, store
from sdl_theory.representations.means import class_means
from sdl_theory.representations.store import Representations

N, D, K = 203, 7, 5
GENERATOR = np.random.default_rng(1)
X = (GENERATOR.normal(size=(N, D)) + 2).astype(np.float16)
LABELS = GENERATOR.integers(0, K, N) * 3  # labels need not be 0 to K - 1


@pytest.mark.parametrize("chunk", [1, 30, N * D, 1 << 22])
def test_means_are_the_literal_ones_whatever_the_chunk(chunk, monkeypatch):
    monkeypatch.setattr(store, "CHUNK", chunk)
    found = class_means(Representations(X, LABELS))
    x = X.astype(np.float64)
    assert found.classes.tolist() == sorted(set(LABELS.tolist()))
    assert found.counts.tolist() == [int((LABELS == c).sum()) for c in found.classes.tolist()]
    literal = np.stack([x[LABELS == c].mean(0) for c in found.classes.tolist()])
    assert found.means.dtype is found.mean.dtype is torch.float64
    np.testing.assert_allclose(found.means, literal, rtol=1e-14)
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-14)
    assert found.squares == pytest.approx((x**2).sum(1).mean(), rel=1e-14)
    share = (x.mean(0) ** 2).sum() / (x**2).sum(1).mean()
    assert found.mean_share == pytest.approx(share, rel=1e-13) and 0.5 < share < 1
    for centre, rows in ((False, literal), (True, literal - x.mean(0))):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(found.directions(centre), unit, atol=1e-13)


def test_chosen_classes_keep_the_mean_of_all_rows():
    whole = class_means(Representations(X, LABELS))
    some = class_means(Representations(X, LABELS), classes=[9, 0])
    assert some.classes.tolist() == [9, 0]
    assert torch.equal(some.means, whole.means[[3, 0]])
    torch.testing.assert_close(some.mean, whole.mean, rtol=1e-14, atol=0)


def test_sums_do_not_lose_digits_as_float32_would():
    """A float32 sum of 2^14 + 2^-9 stops growing by 2^-9; and of float16 sooner still."""
    x = np.concatenate([np.full((1, 1), 2.0**14), np.full((2**14 - 1, 1), 2.0**-9)])
    found = class_means(Representations(x.astype(np.float32), np.zeros(2**14, int)))
    assert found.mean.item() == (2.0**14 + (2**14 - 1) * 2.0**-9) / 2**14


@pytest.mark.parametrize(
    "labels, more, words",
    [
        (None, {}, "x has no labels, and class means need them: pass labels="),
        ([0, 0, 1, 2], {}, r"2 of 3 classes have fewer than least = 2 .* 1 \(dog\) has 1.*least=1"),
        ([0, 0, 1, 1], dict(classes=[0, 2]), r"class 2 \(emu\) has 0. Leave them out of classes=$"),
        ([0, 0, 1, 1], dict(classes=[7], least=1), "class 7 has 0"),
        ([0, 0, 1, 1], dict(least=0), "least must be a whole number >= 1"),
        ([0, 0, 1, 1], dict(classes=[]), r"at least one; got \[\]"),
        ([0, 0, 1, 1], dict(classes=[1, 1]), "must be different labels"),
        ([0, 0, 1, 1], dict(classes=["dog"]), r"classes\[0\] must be a whole number"),
    ],
)
def test_classes_with_too_few_rows_are_refused(labels, more, words):
    names = ["cat", "dog", "emu"] if labels else None
    with pytest.raises(ValueError, match=words):
        class_means(Representations(X[:4], labels, names), **more)


def test_a_class_of_one_row_is_that_row_where_allowed():
    found = class_means(Representations(X[:3], [4, 4, 6]), least=1)
    assert torch.equal(found.means[1], torch.tensor(X[2]).double())


def test_means_without_direction_are_refused():
    x = np.array([[1.0, 0], [-1, 0], [0, 3], [0, 1]], np.float32)
    mine = class_means(Representations(x, [0, 0, 1, 1], ["cat", "dog"]))
    with pytest.raises(ValueError, match=r"class 0 \(cat\) has no direction: its mean is zero"):
        mine.directions(centre=False)
    mine.directions(centre=True)
    one = class_means(Representations(x + 1 / 3, [0, 0, 0, 0]))
    with pytest.raises(ValueError, match="class 0 has no direction: its mean is the mean of all"):
        one.directions(centre=True)
    with pytest.raises(ValueError, match="holds zeros alone"):
        class_means(Representations(x * 0, [0, 0, 1, 1]))


def test_rows_that_are_not_finite_stop_the_pass_by_name():
    x = X.copy()
    x[150, 2] = np.nan
    with pytest.raises(ValueError, match="row 150, entry 2 is nan"):
        class_means(Representations(x, LABELS))


def test_too_many_classes_are_refused_before_memory_is_taken(monkeypatch):
    limit = K * D * 8
    monkeypatch.setattr(means, "check_bytes", lambda *a: checks.check_bytes(*a, limit=limit))
    with pytest.raises(ValueError, match=f"the sums of K = {K} classes would take .* Name fewer"):
        class_means(Representations(X, LABELS))


PASS = """
import sys
from pathlib import Path
from sdl_theory.representations import store
from sdl_theory.representations.means import class_means
from sdl_theory.representations.store import open_representations

def peak():
    told = Path("/proc/self/status").read_text()
    return int(told.split("VmHWM:")[1].split()[0]) / 1024

store.CHUNK = 1 << 18
little, large = sys.argv[1:]
class_means(open_representations(little))  # what PyTorch and pyarrow themselves take
before = peak()
class_means(open_representations(large))
print(peak() - before)
"""


def written(path, rows):
    """Rows of 256 ones, half a KiB each in .npz, one KiB in the one row group of .parquet."""
    labels = np.arange(rows) % 10
    if path.suffix == ".npz":
        np.savez(path, x=np.ones((rows, 256), np.float16), labels=labels)
    else:
        x = pa.FixedSizeListArray.from_arrays(np.ones(rows * 256, np.float32), 256)
        more = dict(use_dictionary=False, compression="none", row_group_size=rows)
        pq.write_table(pa.table({"x": x, "label": labels}), path, **more)
    return str(path)


@pytest.mark.parametrize("suffix, least, most", [(".npz", 64, 24), (".parquet", 128, 48)])
def test_memory_does_not_grow_with_the_file(suffix, least, most, tmp_path):
    """A child's high-water mark in MiB, mapped pages included."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the high-water mark is read from /proc")
    files = [written(tmp_path / f"{rows}{suffix}", rows) for rows in (1 << 12, 1 << 17)]
    assert os.path.getsize(files[1]) >> 20 >= least
    command = [sys.executable, "-c", PASS, *files]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < most, f"{grown:.1f} MiB more"
