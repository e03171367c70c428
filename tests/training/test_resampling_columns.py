"""What sign rows are made of, by brute force: thresholds, lengths, halves, what is refused."""

import pytest
import torch
from models_for_tests import BENCH, begun_by, model, seeded

from sdl_theory import Config, Trainer
from sdl_theory.training.methods import METHODS
from sdl_theory.training.resampling import resample
from sdl_theory.training.resampling.columns import (
    BLOCK,
    best_columns,
    lengths,
    squares_of_sums,
)
from sdl_theory.training.resampling.halves import Half, halves
from sdl_theory.training.resampling.samples import look
from sdl_theory.training.resampling.sign import TOGETHER, directions, sign_rows, tried, whitening

f64 = torch.float64


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=f64)


@pytest.mark.parametrize("blocks", [1, 3])
def test_squares_of_sums_are_those_of_running_sums(blocks):
    codes, rows = drawn(BLOCK * blocks), drawn(BLOCK * blocks, 7, seed=1)
    wanted = (codes[:, None] * rows).cumsum(0).square().sum(1)
    torch.testing.assert_close(squares_of_sums(codes, rows), wanted)


def gain(codes, r):
    """Of the loss, by codes with their best column."""
    size = codes.square().sum()
    return ((codes @ r).square().sum() / size / len(r)).item() if size > 0 else 0.0


def brute_best(z, r, jumps):
    """(gain, sign, threshold): every sign and every threshold that tells samples apart."""
    found = []
    for sign in (1, -1):
        levels = sorted({0.0, *(sign * z).clamp(min=0).tolist()}) if jumps else [0.0]
        for low, high in zip(levels, [*levels[1:], levels[-1] + 1]):
            at = (low + high) / 2 if jumps else 0.0
            codes = sign * z * (sign * z > at)
            found.append((gain(codes, r), sign, at))
    return max(found)


@pytest.mark.parametrize("count", [5, BLOCK, 50, 200])
@pytest.mark.parametrize("jumps", [False, True])
def test_the_best_column_is_that_of_every_sign_and_threshold(jumps, count):
    z, r = drawn(6, count), drawn(count, 4, seed=1)
    r += z[3].relu()[:, None] * (z[3, :, None] > 1)  # one with a threshold to find
    z[4], z[5] = z[4].abs(), -z[4].abs()  # and two with one sign alone
    found = best_columns(z, r, jumps=jumps)
    for i in range(6):
        best, sign, at = brute_best(z[i], r, jumps)
        assert found.gain[i].item() == pytest.approx(best, rel=1e-9)
        codes = found.sign[i] * z[i] * (found.sign[i] * z[i] > found.threshold[i])
        assert found.sign[i] == sign and found.threshold[i].item() == pytest.approx(at)
        torch.testing.assert_close(found.column[i], (codes @ r) / (codes @ r).norm())


def test_nothing_is_gained_of_nothing():
    """No codes, or nothing missing: no gain, no NaN."""
    for jumps in (False, True):
        for z, r in (
            (torch.zeros(2, 40, dtype=f64), drawn(40, 3)),
            (drawn(2, 40), 0 * drawn(40, 3)),
        ):
            found = best_columns(z, r, jumps=jumps)
            assert found.gain.tolist() == [0, 0] and not found.column.any()
            assert not lengths(z, found, Half(z.mT, r)).any()


@pytest.mark.parametrize("method", ["relu", "jumprelu"])
def test_rows_are_those_of_one_direction_after_the_other(method):
    """Beside a loop that tries every sign and threshold: directions, order, lengths, what is left.

    A ReLU's directions are looked at TOGETHER first: of 12, all at once.
    """
    jumps, made = method == "jumprelu", model(method, dtype=f64)
    x, r = drawn(80, 12), drawn(80, 12, seed=1) + drawn(80, 12) @ drawn(12, 12, seed=2) / 4
    fit, check = Half(x[::2], r[::2].clone()), Half(x[1::2], r[1::2].clone())
    left, other, wanted = fit.r.clone(), check.r.clone(), []
    ways = directions(fit, 0.0, whitening(fit.x))
    assert len(ways) <= TOGETHER

    def tried(w):
        _, sign, at = brute_best(fit.x @ w, left, jumps)
        codes = [sign * (half.x @ w) * (sign * (half.x @ w) > at) for half in (fit, check)]
        column = torch.nn.functional.normalize(codes[0] @ left, dim=0)
        return sign, codes, column, (codes[1] @ other @ column / codes[1].square().sum()).item()

    for w in [w for w in ways if jumps or tried(w)[3] > 0]:
        sign, codes, column, size = tried(w)
        if size > 0:
            wanted.append((size * sign * w, column))
            left -= size * codes[0][:, None] * column
            other -= size * codes[1][:, None] * column
    assert 3 < len(wanted) < 12, "none was refused, or nearly all"
    new = sign_rows(made, fit, check, len(wanted))
    for one, (row, column) in zip(new, wanted, strict=True):
        torch.testing.assert_close(one.row, row)
        torch.testing.assert_close(one.column, column)
    torch.testing.assert_close(fit.r, left)
    torch.testing.assert_close(check.r, other)


@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_what_the_other_half_contradicts_is_no_row(method):
    """There the same samples miss the opposite: no length of any row lowers the loss."""
    x, r = drawn(60, 8), drawn(60, 5, seed=1)
    made = model(method, dtype=f64)
    assert len(sign_rows(made, Half(x, r.clone()), Half(x, r.clone()), 3)) == 3
    opposite = Half(x, -r)
    assert sign_rows(made, Half(x, r.clone()), opposite, 3) == []
    assert torch.equal(opposite.r, -r)


def test_a_top_k_row_that_wins_no_place_is_none():
    x, r, made = drawn(60, 8), drawn(60, 5, seed=1), model("topk", dtype=f64)
    half = lambda level, won, change: Half(x, r.clone(), level, won, change)
    free, zero = torch.zeros(60, dtype=f64), torch.zeros(60, dtype=f64)
    new = half(free, r.clone(), zero)
    assert len(sign_rows(made, new, new, 2)) == 2
    # a place costs more than all that is missing
    dear = half(free + 1, r.clone(), zero + 1e6)
    assert sign_rows(made, dear, dear, 2) == [] and torch.equal(dear.r, r)


def test_directions_are_looked_for_anew_when_all_were_tried():
    x, r = drawn(200, 4), drawn(200, 6, seed=1)
    half = Half(x, r.clone())
    assert len(sign_rows(model("relu", dtype=f64), half, half, 11)) == 11


@pytest.mark.parametrize("method", ["relu", "jumprelu"])
def test_the_model_leaves_of_samples_what_was_written_down(method):
    """Rows, columns, thresholds and biases are those that were found, and Adam forgets them."""
    made = model(method, dtype=f64, biases=True, theta=0.4 if method == "jumprelu" else None)
    made.decoder_norm = 2.0
    run = Trainer(made, BENCH, Config(resample="sign", resample_every=10**6, batch=200))
    run.step()
    with torch.no_grad():
        made.W_E[50:] = 0
        made.b_E[:] = -0.01
    x, dead = BENCH.batch(0, 600).x_p.double(), torch.arange(64) >= 50
    fit, check = halves(made, x, x)
    assert len(sign_rows(made, fit, check, 14)) == 14
    assert resample(run.descent, (x, x), dead, seeded()).tolist() == list(range(50, 64))
    left = x - made(x).detach()
    torch.testing.assert_close(left[::2], fit.r)
    torch.testing.assert_close(left[1::2], check.r)
    torch.testing.assert_close(made.W_D.norm(dim=0)[50:], torch.full((14,), 2.0, dtype=f64))
    for name in ("W_E", "b_E"):
        moments = run.tensors()[f"adam/exp_avg_sq/{name}"]
        assert not moments[50:].any() and moments[:50].any()


def test_no_row_is_made_of_a_column_of_zeros():
    """Though to push out what had the place would lower the other half's loss by itself."""
    x, r, level = drawn(60, 8), drawn(60, 5, seed=1), torch.ones(60, dtype=f64)
    missed, found = Half(x, 0 * r, level, 0 * r, 0 * level), Half(x, r, level, 0.5 * r, -9 * level)
    z = x[:, :3].mT
    assert not tried([z, z], [missed, found], jumps=False).gains.any()
    assert tried([z, z], [found, found], jumps=False).gains.all()


def test_directions_are_as_many_as_those_in_which_anything_is_missing():
    x = drawn(60, 8)
    assert len(directions(Half(x, x @ drawn(8, 3, seed=1)), 1e-9, whitening(x))) == 3
    assert whitening(0 * x) is None


@pytest.mark.parametrize("method", METHODS)
def test_halves_are_samples_of_even_and_odd_place_as_the_model_leaves_them(method):
    """More of them than are looked at together; by pairs and without."""
    made = model(method, dtype=f64, theta=0.5 if method == "jumprelu" else None)
    x = BENCH.batch(0, 1500).x_p.double()
    both = halves(made, x, 2 * x)
    for i, half in enumerate(both):
        assert torch.equal(half.x, x[i::2]) and half.x.shape == (750, 30)
        if method in ("relu", "jumprelu", "gated", "topk"):  # no threshold of the batch
            torch.testing.assert_close(half.r, (2 * x - made(x)).detach()[i::2])
        assert (half.level is None) == (not made.way.takes_k)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "gated"])
def test_a_look_by_pairs_sees_what_one_without_sees(method, monkeypatch):
    made = model(method, dtype=f64, theta=2.0 if method == "jumprelu" else None)
    x = BENCH.batch(0, 200).x_p.double()
    where = "sdl_theory.training.resampling.samples."
    dense = look(made, x, x)
    monkeypatch.setattr(where + "LARGE", 0)
    monkeypatch.setattr(where + "SPARSE_BELOW", 1.0)
    sparse = look(made, x, x)
    assert dense.pairs is None and sparse.pairs is not None
    torch.testing.assert_close(sparse.residual, dense.residual)
    assert torch.equal(sparse.fires(), dense.fires()) and dense.fires().any()
    if made.by_sample:
        for one, other in zip(sparse.last(made.k), dense.last(made.k)):
            assert torch.equal(one, other)


@pytest.mark.parametrize("rule", ["sign", "split"])
def test_where_no_latent_is_dead_or_none_alive_nothing_is_begun(rule):
    made, x = model("relu", dtype=f64), BENCH.batch(0, 200).x_p.double()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    assert begun_by(rule, made, x, x, torch.zeros(64, dtype=torch.bool)).shape == (0,)
    if rule == "split":
        assert begun_by(rule, made, x, x, torch.ones(64, dtype=torch.bool)).shape == (0,)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
