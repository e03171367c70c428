"""The bench: its law, its truth, its streams; sparse and dense alike."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sdl_theory.truth.streams
from sdl_theory import (
    Constant,
    LinearRepresentationBench,
    Samples,
    ShiftedExponential,
    Uniform,
    interference,
)
from sdl_theory.truth.sampling import SparseFeatures
from sdl_theory.truth.streams import draw_codes, seeded

SMALL = dict(n=40, n_p=30, S=0.9, mu=0.4)


@pytest.mark.parametrize("spare", [6.0, -3.0])
def test_gaps_draw_independent_bernoulli_features(spare, monkeypatch):
    """Counts per sample and per feature, and pairs, as Bernoulli(1 - S) has them.

    Within five standard errors; the first and last place too. With too little room the rest is
    drawn in further turns.
    """
    monkeypatch.setattr(sdl_theory.truth.streams, "SPARE", spare)
    n, S, batch = 12, 0.8, 60_000
    x = draw_codes(SparseFeatures(n, S, Constant(2.0)), batch, seeded("cpu", 5)).dense
    assert set(x.unique().tolist()) == {0.0, 2.0}
    on = (x > 0).double()
    error = lambda p, count: 5 * math.sqrt(p * (1 - p) / count)
    assert (on.mean(0) - 0.2).abs().max() < error(0.2, batch)
    for k, probability in enumerate(SparseFeatures(n, S).count_probabilities().tolist()):
        assert (
            abs((on.sum(1) == k).double().mean().item() - probability)
            < error(probability, batch) + 1e-4
        )
    together = on.mT @ on / batch
    off = together[~torch.eye(n, dtype=bool)]
    assert (off - 0.04).abs().max() < error(0.04, batch)
    # last of one sample, first of the next
    assert abs((on[:-1, -1] * on[1:, 0]).mean().item() - 0.04) < error(0.04, batch)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 30),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999, 0.99999]),
    st.integers(1, 50),
    st.integers(0, 999),
)
def test_codes_of_any_size_are_whole(n, S, batch, seed):
    codes = draw_codes(SparseFeatures(n, S, Uniform(0.5, 1)), batch, seeded("cpu", seed))
    assert len(codes) == batch and codes.offsets[0] == 0 and codes.offsets[-1] == len(codes.indices)
    x = codes.dense
    assert x.shape == (batch, n)
    assert int((x > 0).sum()) == len(codes.values)
    assert bool(((x == 0) | (x >= 0.5)).all())
    if S == 0:
        assert (x > 0).all()
    rows = torch.randperm(batch, generator=seeded("cpu", 1))[:7]
    assert torch.equal(codes.rows(rows).dense, x[rows])


def test_magnitudes_follow_their_law():
    codes = draw_codes(
        SparseFeatures(50, 0.5, ShiftedExponential(0.3, 2.0)), 4000, seeded("cpu", 0), torch.float64
    )
    assert codes.values.min() >= 0.3 and abs(codes.values.mean() - 2.3) < 0.03
    assert abs(codes.values.square().mean() - ShiftedExponential(0.3, 2.0).second_moment) < 0.3


@pytest.mark.parametrize("kind", ["sae", "transcoder", "crosscoder"])
def test_truth_of_every_kind(kind):
    bench = LinearRepresentationBench(**SMALL, kind=kind, seed=3)
    blocks = bench.problem.W_p.split(list(bench.blocks))
    assert bench.W_p.shape == (30, 40)
    assert sum(bench.blocks) == 30
    assert len(blocks) == (2 if kind == "crosscoder" else 1)
    for block in blocks:
        assert (block.norm(dim=0) - 1).abs().max() < 1e-12 and interference(block) <= 0.4 + 1e-12
    batch = bench.batch(0, 64)
    torch.testing.assert_close(batch.x_p, batch.x @ bench.W_p.mT)
    torch.testing.assert_close(batch.x_r, batch.x @ bench.W_r.mT)
    if kind == "transcoder":
        assert (bench.W_r.mT @ bench.W_p).diagonal().abs().max() < 0.8
        assert interference(bench.problem.W_r) <= 0.4 + 1e-12
    else:
        assert batch.x_r is batch.x_p
    assert bench.problem.M_d[0] == bench.features.M_d[0]


def test_transcoders_may_have_another_target_size():
    bench = LinearRepresentationBench(**SMALL, kind="transcoder", n_r=35)
    assert bench.W_r.shape == (35, 40) and bench.batch(0, 8).x_r.shape == (8, 35)
    with pytest.raises(ValueError, match="only kind='transcoder'"):
        LinearRepresentationBench(**SMALL, n_r=35)


@pytest.mark.parametrize("samples", [None, 100])
def test_streams_are_a_function_of_seed_and_step(samples):
    make = lambda seed=0: LinearRepresentationBench(**SMALL, seed=seed, samples=samples)
    one, two, stream = make(), make(), make().batches(16, start=3)
    two.batch(9, 16), two.sample(5)  # what was asked before does not matter
    assert torch.equal(one.batch(3, 16).x_p, two.batch(3, 16).x_p)
    assert torch.equal(next(stream).x_p, one.batch(3, 16).x_p)
    assert torch.equal(next(stream).x_p, one.batch(4, 16).x_p)
    assert not torch.equal(one.batch(3, 16).x_p, one.batch(4, 16).x_p)
    assert not torch.equal(one.batch(3, 16).x_p, make(1).batch(3, 16).x_p)
    parts = [one.batch(3, 16, rank=r, world=4).x_p for r in range(4)]
    torch.testing.assert_close(torch.cat(parts), one.batch(3, 16).x_p)
    with pytest.raises(ValueError, match="multiple of 3"):
        one.batch(3, 16, rank=0, world=3)


def test_a_fixed_set_is_seen_whole_once_an_epoch_in_a_new_order():
    bench = LinearRepresentationBench(**SMALL, samples=60)
    # 120 samples: two epochs, batch 2 spans both
    rows = torch.cat([bench.batch(t, 24).x for t in range(5)])
    first, second = rows[:60], rows[60:]
    order = lambda x: x[torch.tensor(sorted(range(60), key=lambda i: x[i].tolist()))]
    assert torch.equal(order(first), order(second)) and not torch.equal(first, second)
    x = bench.sample(60).x
    assert not any(torch.equal(row, other) for row in x for other in first if row.any())


def test_samples_serve_any_pair():
    x_p, x_r = torch.arange(20.0).view(10, 2), torch.arange(30.0).view(10, 3)
    data = Samples(x_p, x_r, seed=1)
    batch = data.batch(0, 10)
    assert sorted(batch.x_p[:, 0].tolist()) == x_p[:, 0].tolist()
    assert torch.equal(batch.x_r[:, 0], batch.x_p[:, 0] / 2 * 3)
    with pytest.raises(ValueError, match="10 and 9 rows"):
        Samples(x_p, x_r[:9])
    with pytest.raises(ValueError, match="must be finite"):
        Samples(x_p / 0)


@pytest.mark.parametrize("kind", ["sae", "transcoder", "crosscoder"])
def test_save_and_load(kind, tmp_path):
    bench = LinearRepresentationBench(
        **SMALL, magnitudes=Uniform(0.2, 1.5), kind=kind, seed=4, samples=50
    )
    bench.save(tmp_path)
    again = LinearRepresentationBench.load(tmp_path)
    assert torch.equal(again.problem.W_p, bench.problem.W_p)
    assert torch.equal(again.batch(2, 8).x_r, bench.batch(2, 8).x_r)
    assert again.settings == bench.settings
    settings_ = json.loads((tmp_path / "bench.json").read_text())
    del settings_["magnitudes"]
    (tmp_path / "bench.json").write_text(json.dumps(settings_))
    with pytest.raises(ValueError, match="not written by"):
        LinearRepresentationBench.load(tmp_path)


def test_your_own_directions():
    W = torch.eye(5, dtype=torch.float64)[:, :4]
    bench = LinearRepresentationBench(W_p=W, S=0.5)
    assert (bench.n, bench.n_p, bench.mu) == (4, 5, 0.0) and bench.batch(0, 6).x_p.shape == (6, 5)


def test_bad_settings_are_named():
    for arguments, words in [
        (dict(kind="vae"), "kind must be one of"),
        (dict(S=1.0), "S = P"),
        (dict(samples=0), "samples must be"),
        (dict(kind="crosscoder", blocks=(10, 10)), "blocks must sum to n_p = 30"),
        (dict(seed=-1), "seed must be"),
    ]:
        with pytest.raises(ValueError, match=words):
            LinearRepresentationBench(**SMALL | arguments)
