"""Absorption on real directions: the world, who is with the parent's latent, and the verdicts."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from sdl_theory import Config, Problem, TopK, approximate_loss
from sdl_theory.estimate import Estimate
from sdl_theory.experiments.real import families
from sdl_theory.experiments.real.families import (
    ALONE,
    family_of,
    with_parent,
)
from sdl_theory.experiments.real.family_tables import follows, shuffled, summary
from sdl_theory.weights import Weights


def children(count=5, n_p=12):
    W = torch.randn(n_p, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    W[0] += 2
    return W / W.norm(dim=0)


def test_a_concept_is_the_parent_and_a_child_of_its_own():
    own, W = family_of(children()), children()
    middle = W.mean(1) / W.mean(1).norm()
    torch.testing.assert_close(own.concepts[:, 0], middle)
    torch.testing.assert_close(own.concepts[:, 1:] - middle[:, None], W)
    assert own.chances.sum().item() == pytest.approx(1) and own.chances[0] == ALONE
    by_hand = [torch.cosine_similarity(middle + w, middle, dim=0).item() for w in W.mT]
    assert own.cosines.tolist() == pytest.approx(by_hand)


def test_on_one_concept_at_a_time_the_approximate_loss_is_the_true_one():
    own, draw = family_of(children()), torch.Generator().manual_seed(1)
    W_E, W_D = (
        torch.randn(shape, generator=draw, dtype=torch.float64) for shape in ((7, 12), (12, 7))
    )
    x = own.samples(0).x_p.double()
    z = x @ W_E.mT
    codes = torch.where(z >= z.topk(2).values[:, -1:], z, 0).clamp(min=0)
    true = (codes @ W_D.mT - x).square().sum(1).mean()
    # each sample's concept is the unit direction that it lies along
    which = (x @ own.units).argmax(1)
    M_d = torch.zeros(6, dtype=torch.float64).index_add_(0, which, x.square().sum(1)) / len(x)
    problem = Problem(own.units, M_d=M_d)
    ours = approximate_loss(problem, Weights(W_E, W_D), TopK(2))
    assert float(ours) == pytest.approx(true.item(), rel=1e-5)


def test_ranks_are_the_order_in_which_the_weighted_gram_lets_the_concepts_go():
    """Greedy by hand: all cosines are positive, so lambda+ is the top eigenvalue."""
    own = family_of(children(5))
    gram = (own.concepts.mT @ own.concepts).numpy()  # of b_d; E[x_d^2] is the same for all
    assert gram.min() > 0
    K = gram * np.sqrt(np.outer(own.chances, own.chances))
    rest, order = list(range(6)), []
    while len(rest) > 1:
        left = [[d for d in rest if d != c] for c in rest]
        bounds = [K[np.ix_(g, g)].trace() - np.linalg.eigvalsh(K[np.ix_(g, g)])[-1] for g in left]
        order.append(rest.pop(int(np.argmin(bounds))))
    order += rest
    first = [d + 1 for d in np.argsort(own.ranks)][:3]  # with two left, both bounds are 0
    assert first == [d for d in order if d][:3]


def test_a_child_is_with_the_parent_if_the_parents_latent_fires_for_it():
    codes = torch.tensor([[0.5, 2.0, 0.0], [3.0, 0.1, 0.0], [4.0, 0.0, 0.0], [0.0, 0.2, 9.0]])
    assert with_parent(codes).tolist() == [True, False, True]
    silent = codes.clone()
    silent[0] = 0
    assert with_parent(silent).tolist() == [False] * 3


def rows(stays, start="0101", own=(1, 2, 3, 4)):
    ladder = dict(what="ladder", parent="dog", rank=[2, 4, 1, 3], cosine=[0.3, 0.4, 0.1, 0.2])
    runs = [
        dict(what="run", parent="dog", k=1, seed=seed, start=start, stays=one, own=list(own), end=1)
        for seed, one in enumerate(stays)
    ]
    return [ladder, *runs]


def test_correlations_are_taken_seed_by_seed_and_seeds_without_an_order_left_out():
    stays = [[10, 40, 0, 20], [40, 10, 20, 0], [7, 7, 7, 7]]
    (line,) = summary(rows(stays))
    one, other = (spearmanr([2, 4, 1, 3], those).statistic for those in stays[:2])
    assert line.runs == 2 and line.children == 4
    assert line.ladder.value == pytest.approx((one + other) / 2)
    by_cosine = [spearmanr([0.3, 0.4, 0.1, 0.2], those).statistic for those in stays[:2]]
    assert line.over_cosine.value == pytest.approx((one + other - sum(by_cosine)) / 2)
    before = spearmanr([2, 4, 1, 3], [0, 1, 0, 1]).statistic
    assert line.start.value == pytest.approx(before)
    assert line.over_start.value == pytest.approx((one + other) / 2 - before)
    assert line.together.value == pytest.approx(
        spearmanr([2, 4, 1, 3], np.mean(stays, axis=0)).statistic
    )
    assert line.together_start.value == pytest.approx(before)
    (none,) = summary(rows([[7, 7, 7, 7]]))
    assert none.together is None
    assert none.ladder is none.cosine is None and none.follows == "undecided"


def test_the_verdict_asks_for_more_than_shuffled_ladders_give():
    null = Estimate(0.0, -0.2, 0.2)
    assert follows(Estimate(0.4, 0.3, 0.5), null) == "yes"
    assert follows(Estimate(0.4, 0.1, 0.7), null) == "undecided"
    assert follows(Estimate(0.1, 0.05, 0.15), null) == "no"
    assert follows(Estimate(-0.4, -0.5, -0.3), Estimate(-0.5, -0.6, -0.45)) == "no"
    assert follows(Estimate(0.4, None, None), null) == follows(None, null) == "undecided"


def test_shuffled_ladders_correlate_with_nothing_as_far_as_chance_allows():
    stays = np.random.default_rng(0).permuted(np.tile(np.arange(60.0), (1, 1)), axis=1)
    null = shuffled(list(range(60)), stays)
    expected = 1.96 / math.sqrt(59)  # Spearman's standard error under independence
    assert null.high == pytest.approx(expected, abs=0.03)
    assert null.low == pytest.approx(-expected, abs=0.03) and abs(null.value) < 0.02
    alike = shuffled(list(range(60)), np.tile(stays, (4, 1)))  # the same order four times
    assert alike.high == pytest.approx(null.high)
    assert shuffled([0, 1, 2], np.ones((2, 3))) is None


def test_a_training_is_looked_at_before_and_while_it_learns(monkeypatch):
    tiny = Config(steps=6, batch=16, warmup=1, log_every=2)
    monkeypatch.setattr(families, "N_P", 12)
    monkeypatch.setattr(families, "N_Q", 9)
    monkeypatch.setattr(families, "RECIPE", tiny)
    row = families.trained(family_of(children()), k=2, seed=0)
    assert len(row["start"]) == len(row["stays"]) == len(row["own"]) == 5
    assert set(row["start"]) <= {"0", "1"} and all(0 <= one <= 3 for one in row["stays"])
    assert row["alive"] <= 9 and all(0 <= one <= 100 for one in row["own"])


def test_the_stored_runs_are_whole_and_of_these_ladders():
    rows = families.load_families()
    for job in families.jobs():
        assert sum(job.items() <= row.items() for row in rows) == 1, job
    own, stored = families.family("snake"), [row for row in rows if row["what"] == "ladder"][-1]
    assert stored["parent"] == "snake" and stored["rank"] == own.ranks
    assert stored["cosine"] == pytest.approx(own.cosines.tolist(), abs=1e-4)
    assert all(max(row["stays"]) <= families.LOOKS for row in rows if row["what"] == "run")
