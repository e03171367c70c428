"""Labelled embeddings as the experiment of Table 2 reads them: split, centred, scaled."""

import numpy as np
import pytest
import torch

from sdl_theory.experiments.real.cases import HELD_OUT, Part, Split, both
from sdl_theory.representations.store import Representations

COUNTS = (8, 5, 12)


def some(shift=3.0):
    labels = np.repeat(np.arange(3), COUNTS)
    noise = np.random.default_rng(0).normal(size=(len(labels), 6))
    return Representations((noise + shift + labels[:, None]).astype(np.float32), labels)


def test_one_row_in_four_of_each_class_is_held_out_and_trained_on_by_nobody():
    whole = some()
    split = Split.of(whole)
    counts = split.train.labels.bincount().tolist()
    assert counts == [count - count // HELD_OUT for count in COUNTS]
    rows = torch.cat([split.train.rows(slice(None)), split.heldout])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, torch.tensor(whole.x).tolist()))
    other = Split.of(whole, seed=1)
    assert not torch.equal(other.heldout, split.heldout)


def test_means_are_those_of_the_rows_to_train_on():
    split = Split.of(some())
    x, labels = split.train.rows(slice(None)).double(), split.train.labels
    brute = torch.stack([x[labels == c].mean(0) for c in range(3)])
    torch.testing.assert_close(split.means.means, brute)
    torch.testing.assert_close(split.means.mean, x.mean(0))


def test_a_case_is_scaled_to_squared_norm_one_and_centred_where_it_says_so():
    raw, centred = both("x", some())
    assert (raw.name, centred.name) == ("x, raw", "x, centred")
    for case in (raw, centred):
        assert case.seen.square().sum(1).mean().item() == pytest.approx(1, abs=1e-5)
        assert case.truth.norm(dim=0).allclose(torch.ones(3))
        assert case.seen.mean(0).allclose(case.seen_mean, atol=1e-5)
        batch = case.data(0).batch(0, len(case.seen)).x_p  # an epoch
        assert torch.equal(batch.sum(1).sort().values.round(decimals=3), rounded(case.seen))
    assert centred.mean_share < 1e-10 < 0.8 < raw.mean_share < 1
    # one common direction is nearly all that raw class means are; centred, it is gone
    assert (raw.truth.mT @ raw.truth).min() > 0.95
    weighted = centred.split.means.counts.double() @ (
        centred.split.means.means - centred.split.means.mean
    )
    assert weighted.abs().max() < 1e-9


def rounded(x):
    return x.sum(1).sort().values.round(decimals=3)


def test_relabelled_classes_are_means_of_random_groups():
    case = both("x", some())[0]
    one, again, other = case.relabelled(0), case.relabelled(0), case.relabelled(1)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == (6, 3) and one.norm(dim=0).allclose(torch.ones(3))


def test_a_part_is_its_rows_in_chunks():
    whole = some()
    part = Part(whole, torch.tensor([1, 4, 9, 20]))
    assert len(part) == 4 and part.labels.tolist() == whole.labels[[1, 4, 9, 20]].tolist()
    chunks = list(part.chunks(3))
    assert [start for start, _ in chunks] == [0, 3]
    assert torch.equal(torch.cat([x for _, x in chunks]), whole.rows([1, 4, 9, 20]))


def test_what_cannot_be_split_is_refused_by_name():
    x = np.ones((9, 2), np.float32)
    with pytest.raises(ValueError, match="has no labels"):
        Split.of(Representations(x))
    with pytest.raises(ValueError, match="class 7 has 1 rows; a class needs 4"):
        Split.of(Representations(x, [0] * 8 + [7]))
    with pytest.raises(ValueError, match="all embeddings are alike"):
        both("x", Representations(x, [0] * 9))
