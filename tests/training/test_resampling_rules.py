"""Sign rows and clones from samples, beside the theory's from single features; what they keep."""

import pytest
import torch
from models_for_tests import BENCH, begun_by, model, seeded

from sdl_theory import SDLModel, escape, sign_row
from sdl_theory.theory.clone import split as theory_split
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.resampling.sign import Half, directions, sign_rows
from sdl_theory.training.resampling.split import NUDGE, Pull, clone, nudge, pulls
from tests.traps_for_tests import a_trap, loss, world

f64 = torch.float64
SIX = [[0, 1, 2], [3, 4, 5]]


def of_features(problem):
    """Samples whose mean loss is Lt: each feature alone, by the root of its weight."""
    sizes = (problem.n * problem.M_d).sqrt()
    return (problem.W_p * sizes).mT.contiguous(), (problem.W_r * sizes).mT.contiguous()


def with_weights(weights, method="relu", **more):
    n_q, n_p = weights.W_E.shape
    made = SDLModel(n_p, n_q, len(weights.W_D), method, dtype=f64, generator=seeded(), **more)
    with torch.no_grad():
        made.W_E.copy_(weights.W_E)
        made.W_D.copy_(weights.W_D)
    return made


def trapped(seed):
    """A trap of two neurons and a spare one: problem, weights, model, x, what is missing."""
    problem = world(seed, 6)
    weights = a_trap(problem, SIX, 3)
    made, (x, x_r) = with_weights(weights), of_features(problem)
    return problem, weights, made, x, (x_r - made(x)).detach()


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
    found = directions(Half(x, r), 0.0)[:5]
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


# ---- clones


@pytest.mark.parametrize("seed", range(4))
def test_pulls_of_samples_are_those_of_the_theory(seed):
    problem, weights, made, x, missing = trapped(seed)
    fires = (made.encode(x) != 0)[:, :2]
    start = torch.randn(2, 6, generator=seeded(), dtype=f64)
    pull = pulls(x, missing, fires, v=start, turns=300)
    way = escape(problem, weights)
    i = way.neuron
    assert -8 * pull.sigma[i].item() == pytest.approx(way.curvature, rel=1e-6)
    # S_i itself, and the loss along the two
    S = missing.mT @ (x * fires[:, i : i + 1]) / len(x)
    assert pull.sigma[i].item() == pytest.approx(torch.linalg.matrix_norm(S, 2).item(), rel=1e-6)
    assert (pull.u[i] @ S @ pull.v[i]).item() == pytest.approx(pull.sigma[i].item(), rel=1e-6)
    two = theory_split(weights, i, 2)
    eps = 1e-3
    for one, sign in ((i, 1), (2, -1)):
        two.W_E[one] += sign * eps * pull.v[i]
        two.W_D[:, one] += sign * eps * pull.u[i]
    fall = loss(problem, two) - loss(problem, weights)
    wanted = -4 * eps**2 * pull.sigma[i] + 4 * eps**4 * pull.spread[i]
    assert fall == pytest.approx(wanted.item(), rel=1e-5)


def test_pulls_of_pairs_are_those_of_masks(monkeypatch):
    x, r = (torch.randn(300, d, generator=seeded(d), dtype=f64) for d in (7, 5))
    fires = torch.rand(300, 40, generator=seeded()) < 0.05
    fires[:, 3] = False
    v = torch.randn(40, 7, generator=seeded(1), dtype=f64)
    few = pulls(x, r, fires, v=v, turns=4)
    where = "sdl_theory.training.resampling.split.SPARSE_BELOW"
    monkeypatch.setattr(where, 0.0)
    many = pulls(x, r, fires, v=v, turns=4)
    assert few.sigma[3] == 0 and few.sigma.max() > 0.05
    for one, other in zip(few, many):
        torch.testing.assert_close(one, other)


def scattered(method, biases):
    """A model whose every vector is random."""
    made = model(method, dtype=f64, biases=biases)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.startswith(("b_", "r_")):
                parameter.normal_(0, 0.1, generator=seeded(7))
        if method == "jumprelu":
            made.theta.uniform_(0.1, 0.5, generator=seeded(8))
        made.W_E[40:] = 0
        if biases:
            made.b_E[40:] = -1
        if method == "gated":
            made.b_gate[40:] = -1
    return made


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_a_clone_changes_nothing_on_any_input_and_its_nudge_little(method, biases):
    made, x = scattered(method, biases), BENCH.batch(0, 500).x_p.double()
    wild = 10 * torch.randn(50, 30, generator=seeded(), dtype=f64)
    before = made(x), made(wild)
    clone(made, torch.tensor([3, 8]), torch.tensor([50, 60]))
    torch.testing.assert_close(made(x), before[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(made(wild), before[1], rtol=0, atol=1e-11)
    norms = made.W_D.norm(dim=0)
    v, u = (torch.nn.functional.normalize(torch.ones(2, 30, dtype=f64), dim=1) for _ in "vu")
    big = torch.full((2,), 1e9, dtype=f64)
    nudge(made, torch.tensor([3, 8]), torch.tensor([50, 60]), Pull(big, v, u, big / 1e12))
    torch.testing.assert_close(made.W_D.norm(dim=0), norms)
    moved = (made(x) - before[0]).norm() / before[0].norm()
    assert 0 < moved < NUDGE and not torch.equal(made.W_E[3], made.W_E[50])


@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_clones_of_the_strongest_lower_the_loss_by_what_their_pulls_say(method):
    """On the samples, but for those that a nudge takes over a wall."""
    made, x = scattered(method, False), BENCH.batch(0, 500).x_p.double()
    dead = torch.arange(64) >= 40
    miss = lambda: (x - made(x)).square().sum(1).mean().item()
    codes, left = made.encode(x), x - made(x)
    sizes = torch.stack(
        [torch.linalg.matrix_norm(left.mT @ (x * (codes[:, i : i + 1] != 0)), 2) for i in range(40)]
    )
    strongest, before = sizes.topk(24).indices, miss()
    rows = made.W_E.detach().clone()
    new = begun_by("split", made, x, x, dead)
    assert new.tolist() == list(range(40, 64))
    cosines = torch.nn.functional.cosine_similarity(made.W_E[new][:, None], rows[None, :40], dim=2)
    assert len(set(cosines.argmax(1).tolist()) & set(strongest.tolist())) >= 20
    assert miss() < before


@pytest.mark.parametrize("method", WITH_K)
def test_no_clones_under_top_k(method):
    with pytest.raises(ValueError, match="a clone takes a second one"):
        begun_by("split", model(method), None, None, torch.ones(64, dtype=torch.bool), check=True)
