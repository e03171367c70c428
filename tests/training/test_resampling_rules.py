"""Sign rows from samples, beside the theory's from single features; what noise gives."""

import pytest
import torch
from models_for_tests import BENCH, begun_by, model, seeded
from resampling_for_tests import trapped

from sdl_theory import SDLModel, sign_row
from sdl_theory.training.methods import METHODS
from sdl_theory.training.resampling.halves import Half
from sdl_theory.training.resampling.sign import directions, sign_rows, whitening
from tests.traps_for_tests import loss

f64 = torch.float64


@pytest.mark.parametrize("seed", range(4))
def test_the_sign_row_of_samples_is_that_of_the_theory(seed):
    problem, weights, made, x, missing = trapped(seed)
    way = sign_row(problem, weights)
    half = Half(x, missing.clone())
    (new,) = sign_rows(made, half, half, 1)
    assert new.gain.item() == pytest.approx(way.gain, rel=1e-6)
    assert new.gain >= way.bound * (1 - 1e-9)
    theirs = way.weights.W_E[way.neurons[0]]
    assert new.row @ theirs / new.row.norm() / theirs.norm() == pytest.approx(1, abs=1e-6)
    after = half.r.square().sum(1).mean().item()
    assert after == pytest.approx(loss(problem, way.weights), rel=1e-6)


def brute_directions(x, r, count):
    """C^-1/2 P^T P C^-1/2 by the square root of C."""
    C, P = x.mT @ x / len(x), r.mT @ x / len(x)
    sizes, vectors = torch.linalg.eigh(C)
    root = vectors @ torch.diag(sizes**-0.5) @ vectors.mT
    return torch.linalg.eigvalsh(root @ P.mT @ P @ root).flip(0)[:count]


def test_directions_are_those_of_the_residual_regressed_on_the_input():
    x, r = (torch.randn(200, d, generator=seeded(d), dtype=f64) for d in (7, 5))
    found = directions(Half(x, r), 0.0, whitening(x))[:5]
    gains = (r.mT @ (x @ found.mT) / 200).square().sum(0)
    torch.testing.assert_close(gains, brute_directions(x, r, 5), rtol=1e-6, atol=0)
    spread = found @ x.mT @ x @ found.mT / 200
    torch.testing.assert_close(spread, torch.eye(5, dtype=f64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_each_sign_row_gains_half_of_the_best_linear_code_or_more(method):
    """On the samples; the residual is written down after every row, and falls by its gain."""
    made, batch = model(method, dtype=f64, theta=3.0 if method == "jumprelu" else None), BENCH
    x = batch.sample(400).x_p.double()
    half = Half(x, (x - made(x)).detach())
    for _ in range(8):
        before = half.r.square().sum(1).mean().item()
        bound = brute_directions(x, half.r, 1)[0].item() / 2
        (new,) = sign_rows(made, half, half, 1)
        assert new.gain >= bound * (1 - 1e-9)
        after = half.r.square().sum(1).mean().item()
        assert before - after == pytest.approx(new.gain.item(), rel=1e-6)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_sign_rows_lower_the_loss_of_samples_not_looked_at(method, biases):
    made = model(method, dtype=f64, biases=biases, theta=1.0 if method == "jumprelu" else None)
    dead = torch.arange(64) >= 24
    with torch.no_grad():
        made.W_E[dead] = 0
        if method in ("batchtopk", "matryoshka"):
            made.theta.fill_(0.3)
    x, fresh = (BENCH.batch(t, 4000).x_p.double() for t in (0, 1))
    miss = lambda: (fresh - made(fresh)).square().sum(1).mean().item()
    before = miss()
    new = begun_by("sign", made, x, x, dead)
    assert len(new) > 20 and miss() < 0.8 * before
    assert (made.encode(x)[:, new] != 0).any(0).all()
    torch.testing.assert_close(made.W_D[:, new].norm(dim=0), torch.ones(len(new), dtype=f64))


def test_noise_is_no_direction():
    """Where nothing is missing but noise, half of the samples refuses what the others saw."""
    draw = lambda seed, count=100: torch.randn(count, 20, generator=seeded(seed), dtype=f64)
    x, noise, fresh = draw(1), draw(2), draw(3, 4000)

    def rise(fit, check):
        """Of the loss on samples not looked at, by 20 rows."""
        made = SDLModel(20, 20, 20, "relu", dtype=f64, generator=seeded())
        new = sign_rows(made, fit, check, 20)
        with torch.no_grad():
            made.W_E.zero_()
            made.W_E[: len(new)] = torch.stack([one.row for one in new])
            made.W_D[:, : len(new)] = torch.stack([one.column for one in new]).mT
            return (made(fresh).square().sum(1).mean() / 20).item()  # beside noise of its own

    fit, check = (Half(x[part], noise[part].clone()) for part in (slice(0, 50), slice(50, 100)))
    assert rise(fit, check) < 0.05
    alone = Half(x[:50], noise[:50].clone())
    assert rise(alone, alone) > 0.3
    missed = [check.r.square().sum().item()]
    for _ in range(10):  # and each row lowers the loss of the half that it was not made of
        sign_rows(SDLModel(20, 20, 20, "relu", dtype=f64), fit, check, 1)
        missed.append(check.r.square().sum().item())
    assert all(after <= before * (1 + 1e-12) for before, after in zip(missed, missed[1:]))
    none = torch.ones(30, dtype=torch.bool)
    made = SDLModel(20, 30, 20, "relu", dtype=f64, generator=seeded())
    assert begun_by("sign", made, 0 * x, noise, none).shape == (0,)


@pytest.mark.parametrize("plain", [False, True])
def test_the_length_of_a_top_k_row_is_the_best_of_many(plain):
    """By brute force: the loss of the model with the row in it, at a thousand lengths."""
    made = model("topk", k=2, n_q=12, dtype=f64, plain=plain)
    with torch.no_grad():
        made.W_E[0] = 0
        made.W_E[0, 0] = -1e3  # never among the largest
    x = BENCH.batch(3, 300).x_p.double()
    x = x[(x[:, 0] >= 0)]
    dead = torch.arange(12) == 0
    both = torch.cat([x, x]).view(2, -1, 30).transpose(0, 1).reshape(-1, 30)  # two equal halves
    miss = lambda: (x - made(x)).square().sum(1).mean().item()
    before = miss()
    assert begun_by("sign", made, both, both, dead).tolist() == [0]
    row, reached = made.W_E[0].detach().clone(), miss()
    best = before
    with torch.no_grad():
        for factor in torch.linspace(0.02, 4, 500, dtype=f64):
            made.W_E[0] = factor * row
            best = min(best, miss())
    assert reached < before and reached <= best + 1e-3 * (before - best)
