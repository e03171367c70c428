"""Which options of the questions on lessons 00 to 04 are true: computed, a truth value an option.

None where an option is a matter of words. test_teaching.py compares them with the questions.
"""

import functools

import torch

from sdl_theory import (
    Constant,
    JumpReLU,
    Problem,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    approximate_loss,
    best_matches,
    certify,
    exact_loss,
    feature_matrix,
    gram,
    gt_recovery,
    hessian,
    ideal_weights,
    imagenet_directions,
    interference,
    levenshtein_bound,
    mirrored_weights,
    partial_minimum,
    pattern,
    pseudo_inverse_weights,
    rankin_bound,
)
from widgets.rows import linear_rows, pair_problem, start_rows
from widgets.rows.regions import plane_problem, sectors

BOTH = pattern([[0, 1]], n=2, n_q=2)
noise = lambda seed=0: torch.Generator().manual_seed(seed)
draw = lambda *shape, seed=0: torch.randn(*shape, generator=noise(seed), dtype=torch.float64)
classes = functools.cache(lambda: imagenet_directions())


def stationary():
    low = certify(pair_problem(-0.6), partial_minimum(pair_problem(-0.6), BOTH).weights)
    better = pseudo_inverse_weights(pair_problem(0.6), n_q=2)
    return [
        not (low.stationary and low.verdict is Verdict.SADDLE),
        certify(pair_problem(0.6), partial_minimum(pair_problem(0.6), BOTH).weights).stationary,
        approximate_loss(pair_problem(0.6), better).item() >= 0.4,
    ]


def which_loss():
    figures = start_rows(0.5)[1]
    assert abs(figures["both"] / (figures["one"] + figures["both"]) - 1 / 3) < 1e-12
    assert round(figures["apart"], 2) == 0.3
    return [None, None, figures["apart"] < 0.1]


def signed():
    W_p = torch.tensor([[1.0, -0.9], [0.0, 0.19**0.5]], dtype=torch.float64)
    read = torch.relu(W_p[:, 0] @ W_p[:, 1]).item()
    both = (W_p[:, 0] @ W_p.sum(dim=1)).item()
    assert abs(both - (1 - 0.9)) < 1e-12  # in company it reads 0.9 too little
    return [abs(read - 0.9) < 1e-9, abs(read + 0.9) < 1e-9, read == 0]


def room():
    cross = torch.cat([torch.eye(4), -torch.eye(4)], dim=1).double()
    assert interference(cross) <= 0 and rankin_bound(8, 4) == 0 and rankin_bound(5, 4) == -1 / 4
    assert 0.07 < levenshtein_bound(9, 4)
    most = max(n for n in range(2, 10) if levenshtein_bound(n, 4) <= 0)
    return [most == 4, most == 5, most == 8, most > 9]


def blocks():
    W_p = classes().W_p
    random = torch.nn.functional.normalize(draw(1280, 1000), dim=0)
    largest = lambda W: gram(W).fill_diagonal_(0).max().item()
    block = gram(W_p)[classes().group("spaniel")][:, classes().group("snake")]
    assert round(largest(random), 2) == 0.12
    return [
        W_p.shape[1] > W_p.shape[0],
        largest(random) > 0.6,
        block.mean().item() < 0.05 < gram(W_p)[classes().group("spaniel")].max().item(),
    ]


def sparsity():
    wrong = lambda n, S: linear_rows(n, 20, 0.2, S)[1]["confusion"]
    assert abs(wrong(60, 0.8) - 0.15) < 0.005 and 0.09 < wrong(40, 0.8) and wrong(60, 0.99) < 0.01
    return [
        wrong(40, 0.8) < wrong(60, 0.99),
        wrong(60, 0.99) < wrong(40, 0.8),
        wrong(60, 0.99) > 0.9 * wrong(60, 0.8),
    ]


def two(S, sigma=ReLU(), size=1.0, n=4):
    """Of a random model: L, Lt, and the squared error on each pair."""
    features = SparseFeatures(n, S, Constant(size))
    problem = Problem(feature_matrix(n, 3, 0.6, generator=noise()), M_d=features.M_d)
    model = Weights(draw(5, 3), draw(3, 5, seed=1))
    return (
        exact_loss(problem, model, sigma, features).item(),
        approximate_loss(problem, model, sigma).item(),
    )


def unseen():
    """With two features the whole gap is the sample that has both."""
    features = SparseFeatures(2, 0.9, Constant(1.0))
    problem = Problem(pair_problem(0.6).W_p, M_d=features.M_d)
    model = Weights(draw(5, 2), draw(2, 5, seed=1))
    gap = exact_loss(problem, model, ReLU(), features) - approximate_loss(problem, model)
    answer = lambda x_p: model.W_D @ torch.relu(model.W_E @ x_p)
    x_p = problem.W_p.sum(dim=1)
    error = (x_p - answer(x_p)).square().sum()
    return [
        abs(gap - 0.1**2 * error).item() < 1e-12,
        answer(0 * x_p).norm().item() > 0,
        None,
    ]


def tenth():
    ratio = (lambda a, b: (a[0] - a[1]) / (b[0] - b[1]))(two(0.999), two(0.9999))
    return [8 < ratio < 12, 90 < ratio < 110, ratio < 2]


def bend():
    """A single feature makes a gap of order one; there is nothing to sample."""
    features = SparseFeatures(1, 0.999, Constant(0.8))
    weak = Problem(torch.ones(1, 1).double(), M_d=features.M_d)
    row = Weights(0.55 * torch.ones(1, 1).double(), torch.ones(1, 1).double() / 0.55)
    loss = exact_loss(weak, row, JumpReLU(0.5), features) - approximate_loss(
        weak, row, JumpReLU(0.5)
    )
    return [None, None, abs(loss.item() / 0.001 - 0.64) < 1e-9]


def vacuous():
    factor = (1000 * (1 - 0.99)) ** 2
    share = SparseFeatures(1000, 0.99).count_probabilities()
    return [share[1].item() > 0.5, abs(factor - 100) < 1e-9, None]


def six():
    patterns = {tuple(fired) for *_, fired in sectors(plane_problem())}
    return [len(patterns) == 8, len(patterns) == 6, len(patterns) == 3]


def both():
    here = Weights(draw(4, 2), draw(2, 4, seed=1))
    least = lambda block: torch.linalg.eigvalsh(hessian(plane_problem(), here, block=block))[0]
    saddle = partial_minimum(pair_problem(-0.6), BOTH)
    convex = least("E") > -1e-12 and least("D") > -1e-12
    return [
        bool(convex and least("joint") < -0.1),
        bool(least("joint") >= 0),
        saddle.verdict is not Verdict.SADDLE,
    ]


def wall():
    problem, w = plane_problem(), plane_problem().W_p[:, 0]
    row, zero = torch.stack([-w[1], w[0]])[None], torch.zeros(2, 1, dtype=torch.float64)
    here = approximate_loss(problem, Weights(row, zero)).item()
    steps = (
        Weights(row + 1e-2 * draw(1, 2, seed=seed), 1e-2 * draw(2, 1, seed=1000 + seed))
        for seed in range(100)
    )
    falls = min(approximate_loss(problem, step).item() for step in steps) < here - 1e-5
    verdict = certify(problem, Weights(row, zero)).verdict
    return [not falls, verdict is Verdict.TRAP, falls and verdict is Verdict.ESCAPABLE]


def ideal():
    pair = pair_problem(0.5)
    said, dual = certify(pair, ideal_weights(pair, 4)), pseudo_inverse_weights(pair, 4)
    assert abs(said.loss - 0.5) < 1e-12
    assert approximate_loss(pair, ideal_weights(pair, 4), JumpReLU(0.5)).item() < 1e-25
    return [
        said.loss <= approximate_loss(pair, dual).item() + 1e-9,
        said.stationary,
        said.verdict is Verdict.NOT_STATIONARY,
    ]


def dual():
    pair = pair_problem(0.5)
    weights = pseudo_inverse_weights(pair, 2)
    rows = torch.nn.functional.normalize(weights.W_E, dim=1)
    assert torch.allclose((rows @ pair.W_p).diagonal(), torch.tensor(0.75**0.5).double())
    columns = best_matches(weights.W_D.mT, pair.W_p)
    loss = approximate_loss(pair, weights).item()
    assert abs(rows[0] @ rows[1] + 0.5) < 1e-12  # 120 degrees apart
    return [bool(columns.min() > 1 - 1e-9) and loss < 1e-20, loss > 1e-9, None]


def unit():
    pair = pair_problem(0.5)
    star = pseudo_inverse_weights(pair, 2)
    scaled = Weights(0.9 * star.W_E, star.W_D / 0.9)
    x = SparseFeatures(2, S=0.1).sample(200, noise()) @ pair.W_p.mT
    answer = lambda model: torch.relu(x @ model.W_E.mT) @ model.W_D.mT
    found = lambda model: gt_recovery(best_matches(model.W_E, pair.W_p, cosine=False), tau=0.95)
    equal = torch.allclose(answer(star), answer(scaled), atol=1e-12)
    return [
        equal and found(star) == found(scaled),
        None,
        equal and (found(star), found(scaled)) == (1, 0),
    ]


def mirrored():
    pair, A = pair_problem(0.5), draw(2, 2)
    loss = lambda A: approximate_loss(pair, mirrored_weights(pair, 4, A)).item()
    turned = torch.linalg.qr(A).Q
    assert loss(turned) < 1e-20 and loss(pair.W_p.mT) < 1e-20
    return [loss(A) > 1e-12, loss(A) < 1e-12, loss(A) > 1e-12]
