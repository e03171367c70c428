"""What latents do on samples, and what their rows are by themselves, against loops."""

import numpy as np
import pytest
import torch
from strategies import randn, unit

from sdl_theory.measure.firing import FiringCounts, activation_f1, dead, explained_variance, l0
from sdl_theory.measure.latents import duplicate, mirrored_share, strictly_dead
from sdl_theory.measure.report import firing_level
from sdl_theory.training.methods import METHODS
from sdl_theory.training.model import SDLModel


def f1_by_loop(fired, active):
    """F1 of latent i as a detector of feature d, table[d][i], from precision and recall."""

    def f1(i, d):
        hits = sum(1 for f, a in zip(fired, active) if f[i] and a[d])
        precision, recall = (
            hits / max(1, sum(bool(row[k]) for row in mask))
            for mask, k in ((fired, i), (active, d))
        )
        return 2 * precision * recall / (precision + recall) if hits else 0.0

    return [[f1(i, d) for i in range(len(fired[0]))] for d in range(len(active[0]))]


@pytest.mark.parametrize("rate", [0, 0.1, 0.7, 1])
def test_f1_is_the_loop_s_in_one_batch_or_many(rate):
    g = torch.Generator().manual_seed(0)
    fired, active = torch.rand(50, 6, generator=g) < 0.3, torch.rand(50, 4, generator=g) < rate
    active[:, 2] = fired[:, 4] = False
    matched = torch.tensor([5, 0, 3, 3])
    table = f1_by_loop(fired.tolist(), active.tolist())
    counts = FiringCounts(6, 4)
    for part in range(0, 50, 13):
        counts.update(fired[part : part + 13], active[part : part + 13])
    for scores in (activation_f1(fired, active, matched), counts.f1(matched)):
        assert scores.best.tolist() == pytest.approx([max(line) for line in table], abs=1e-15)
        assert scores.matched.tolist() == pytest.approx(
            [line[i] for line, i in zip(table, matched.tolist())], abs=1e-15
        )
        assert [table[d][i] for d, i in enumerate(scores.latent.tolist())] == pytest.approx(
            scores.best.tolist()
        )
        assert scores.seen.tolist() == [rate > 0, rate > 0, False, rate > 0]
        if rate:
            # a feature never seen is not counted against anyone
            assert scores.mean() == pytest.approx(np.mean([max(table[d]) for d in (0, 1, 3)]))
    assert counts.samples == 50
    assert counts.fired.tolist() == fired.sum(0).tolist()
    assert counts.active.tolist() == active.sum(0).tolist()


def test_l0_dead_and_explained_variance():
    codes = torch.tensor([[0, 1.0, 0], [0, 2, 0.5]])
    assert l0(codes) == 1.5
    assert dead(codes).tolist() == dead(codes > 0).tolist() == [True, False, False]
    x_r, x_hat = 3 + randn(0, 40, 5), 3 + randn(1, 40, 5)
    assert explained_variance(x_r, x_hat) == pytest.approx(
        1 - ((x_r - x_hat).numpy() ** 2).sum() / (40 * x_r.numpy().var(axis=0)).sum(), rel=1e-12
    )
    assert explained_variance(x_r, x_r) == 1
    assert explained_variance(x_r, x_r.mean(0).expand(40, 5)) == pytest.approx(0, abs=1e-12)


def test_strictly_dead_rows_never_fire_and_at_theta_above_zero_may():
    W_p, W_E = unit(randn(0, 3, 5) + 1), randn(1, 200, 3)
    mask = strictly_dead(W_E, W_p)
    assert mask.tolist() == [
        all(sum(a * b for a, b in zip(w, column)) < 0 for column in W_p.mT.tolist())
        for w in W_E.tolist()
    ]
    mixtures = W_p @ randn(2, 5, 2000).abs()
    assert 0 < mask.sum() < 200
    assert (W_E[mask] @ mixtures).max() < 0
    assert ((W_E[~mask] @ W_p).amax(1) >= 0).all()
    theta = torch.full((200,), 0.3, dtype=torch.float64)
    quiet = strictly_dead(W_E, W_p, theta)
    assert torch.equal(quiet, strictly_dead(W_E, W_p, 0.3))
    assert quiet.sum() > mask.sum()
    assert (W_E[quiet] @ W_p).max() < 0.3 < (W_E[quiet] @ mixtures).max()
    assert not strictly_dead(torch.zeros(1, 3), W_p).any(), (
        "a zero row sits on the wall: descent may leave it"
    )


def test_duplicates_and_mirrors_are_the_loop_s():
    base = randn(0, 6, 8)
    W = torch.cat(
        [
            base,
            base[:2] * 3 + 0.01 * randn(1, 2, 8),
            -0.5 * base[3:4],
            torch.zeros(2, 8, dtype=torch.float64),
        ]
    )
    # across a chunk's border
    W = W[torch.randperm(len(W), generator=torch.Generator().manual_seed(1))].repeat(300, 1)[:1500]
    unit_W = torch.nn.functional.normalize(W, dim=1).numpy()
    cosine = unit_W @ unit_W.T
    copies = [any(cosine[j, :j] > 0.95) for j in range(len(W))]
    assert duplicate(W.mT) == pytest.approx(np.mean(copies)) and 0.5 < duplicate(W.mT) < 1
    live = torch.arange(len(W)) % 7 == 0
    assert duplicate(W.mT, live) == pytest.approx(
        np.mean([any(cosine[j, :j][live[:j].numpy()] > 0.95) for j in range(len(W)) if live[j]])
    )
    assert duplicate(W.mT, torch.zeros(len(W), dtype=torch.bool)) == 0
    # the outer two are not close to each other
    left, middle, right = torch.tensor([[1, 0.3], [1, 0], [1, -0.3]])
    assert duplicate(torch.stack([middle, left, right], 1)) == pytest.approx(2 / 3)
    assert duplicate(torch.stack([left, right, middle], 1)) == pytest.approx(1 / 3)
    mirrored = (cosine < -0.95).any(1)
    assert mirrored_share(W) == pytest.approx(mirrored.sum() / (unit_W != 0).any(1).sum())
    assert 0 < mirrored_share(W) < 1
    assert mirrored_share(torch.zeros(3, 2)) == 0 and mirrored_share(base) == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("instances", [None, 2])
def test_strict_death_is_what_the_model_does_on_single_features(method, biases, instances):
    kwargs = dict(k=40) if method in ("topk", "batchtopk", "matryoshka") else {}
    model = SDLModel(
        3,
        40,
        method=method,
        biases=biases,
        instances=instances,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
        **kwargs,
    )
    for name, value in model.state_dict().items():
        if name not in ("W_E", "W_D"):
            value.copy_(randn(len(name), 80)[: value.numel()].view(value.shape) * 0.3)
            value.copy_(value.abs() if name == "theta" else value)
    W_p, level = unit(randn(1, 3, 5)), firing_level(model)
    silent = ~(model.encode(W_p.mT) > 0).any(-2)
    masks = (
        strictly_dead(model.W_E, W_p, level)
        if instances is None
        else torch.stack([strictly_dead(*one) for one in zip(model.W_E, [W_p] * 2, level)])
    )
    assert torch.equal(masks, silent) and 0 < masks.double().mean() < 1
