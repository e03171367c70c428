"""Pairs on one neuron: the enumerated loss, where descents of it end, and the law's line."""

import pytest
import torch

from sdl_theory import (
    Constant,
    Moments,
    Problem,
    ReLU,
    SparseFeatures,
    TopK,
    Verdict,
    Weights,
    group_minimum,
    pair_law,
    true_certificate,
)
from sdl_theory.experiments.traps import pair_tables, pairs
from sdl_theory.experiments.traps.worlds import (
    World,
    adam,
    descend,
    generator_of,
    independent,
    pair_of,
    supports,
    tied,
)
from sdl_theory.theory.true_loss import penalized_loss


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("k", [None, 1, 2])
def test_the_loss_is_that_of_the_library_support_by_support(k):
    W = torch.nn.functional.normalize(drawn(2, 3, 4), dim=1)
    W_E, W_D, S = drawn(2, 3, 3, seed=1), drawn(2, 3, 3, seed=2), torch.tensor([0.6, 0.9]).double()
    world, x = World(W, torch.tensor([0.3, 0.7]).double(), k=k), supports(4)
    got = world.loss(W_E, W_D, (x @ W.mT, independent(x, S)))
    for i in range(2):
        features = SparseFeatures(4, S[i].item(), Constant(1.0))
        sigma, l1 = ReLU() if k is None else TopK(k), world.l1[i].item()
        weights = Weights(W_E[i], W_D[i])
        expected = penalized_loss(Problem(W[i]), weights, sigma, features, l1=l1)
        assert got[i].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("k, l1", [(None, 0.0), (None, 0.4), (2, 0.3)])
def test_slopes_in_closed_form_are_those_of_autograd(k, l1):
    W, x = torch.nn.functional.normalize(drawn(2, 3, 4), dim=1), supports(4)
    W_E, W_D = drawn(2, 5, 3, seed=1).requires_grad_(), drawn(2, 3, 5, seed=2).requires_grad_()
    world = World(W, torch.full((2,), l1).double(), k=k)
    samples = x @ W.mT, independent(x, torch.tensor([0.6, 0.9]).double())
    expected = torch.autograd.grad(world.loss(W_E, W_D, samples).sum(), [W_E, W_D])
    for got, one in zip(world.slopes(W_E.detach(), W_D.detach(), samples), expected):
        assert torch.allclose(got, one, rtol=1e-12, atol=1e-14)


def test_top_1_of_one_neuron_is_a_relu_and_plain_none():
    z = drawn(5, 7, 1)
    world = lambda **how: World(torch.ones(5, 1, 1), torch.zeros(5), **how)
    assert torch.equal(world(k=1).codes(z), z.relu()) and torch.equal(world().codes(z), z.relu())
    assert torch.equal(world(k=1, plain=True).codes(z), z)


@pytest.mark.parametrize("kappa", [0.01, 0.3, 0.8])
@pytest.mark.parametrize("shrink", [0.0, 0.1, 0.6])
def test_the_line_is_where_the_pair_law_turns(kappa, shrink):
    at = pairs.line(kappa, shrink)
    assert pair_law(at + 1e-6, kappa, shrink) is Verdict.TRAP
    assert pair_law(at - 1e-6, kappa, shrink) is Verdict.SADDLE


@pytest.mark.parametrize("shrink", [0.0, 0.1])
def test_descents_end_at_the_trap_above_the_line_and_nowhere_merged_below(shrink):
    """What they end at is certified, by its enumerated loss."""
    S, seeds = 0.7, 3
    at = pairs.line(1 - S, shrink)
    rho = torch.tensor([at - 0.1, at + 0.1]).double().repeat_interleave(seeds)
    W, x = pair_of(rho), supports(2)
    world = World(W, torch.full_like(rho, 2 * shrink))
    share = torch.tensor([[0.3, 0.7], [0.6, 0.4], [0.8, 0.2]]).double().repeat(2, 1)
    rows = share[:, None] @ torch.linalg.inv(W)
    rows = rows / rows.norm(dim=-1, keepdim=True)
    W_E, W_D = descend(
        world, (rows, tied(rows)), (x, independent(x, torch.full_like(rho, S))), steps=2000
    )
    merged = pairs.ended(world, W_E)["merged"]
    assert merged.tolist() == [False] * seeds + [True] * seeds
    features = SparseFeatures(2, S, Constant(1.0))
    for i in range(6):
        problem, weights = Problem(W[i]), Weights(W_E[i], W_D[i])
        found = true_certificate(problem, weights, ReLU(), features, l1=2 * shrink)
        loss = group_minimum(problem, [0, 1], moments=features.moments(), l1=2 * shrink).loss
        assert found.loss <= loss + 1e-9
        if i >= seeds:
            assert found.loss == pytest.approx(loss, rel=1e-9)


def test_runs_are_named_by_who_fires_for_the_two():
    W = torch.eye(3, dtype=torch.float64).expand(5, 3, 3)
    rows = torch.tensor(
        [
            [[1, 1, 0], [-1, -1, 1]],  # one neuron for both
            [[1, 1, 0], [1, -1, 0]],  # and another for one of them: shared
            [[1, -1, 0], [-1, 1, 0]],  # one each
            [[1, -1, 0], [0, 0, 1]],  # the second is lost
            [[-1, -1, 0], [0, 0, 1]],  # both are
        ]
    ).double()
    found = pairs.ended(World(W, torch.zeros(5)), rows)
    assert found["merged"].tolist() == [True, False, False, False, False]
    assert found["shared"].tolist() == [True, True, False, False, False]
    assert found["lost"].tolist() == [False, False, False, True, True]
    assert not found["wall"].any()


def test_a_neuron_at_a_wall_does_not_count_as_merged():
    """A descent that an L1 holds at a wall flickers to both of its sides."""
    W = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    rows = torch.tensor([[[1, 1e-5]], [[-1e-5, 1]], [[1, 0.1]]]).double()
    found = pairs.ended(World(W, torch.zeros(3)), rows)
    assert found["merged"].tolist() == [False, False, True]
    assert found["wall"].tolist() == [True, True, False]


def test_a_plain_neuron_is_read_up_to_its_sign():
    W = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    rows = torch.tensor([[[-1, -2]], [[1, 2]], [[1, -2]]]).double()
    found = pairs.ended(World(W, torch.zeros(3), k=1, plain=True), rows)
    assert found["merged"].tolist() == [True, True, False]


@pytest.mark.parametrize("change", [{}, dict(descent="exponential"), dict(world="orthogonal")])
def test_a_row_follows_from_its_job_alone_and_knows_the_law(change, monkeypatch):
    monkeypatch.setattr(pairs, "STEPS", 3)
    monkeypatch.setattr(pairs, "LONG", 3)
    monkeypatch.setattr(pairs, "BATCH", 8)
    job = next(job for job in pairs.jobs() if change.items() <= job.items())
    row = pairs.run(job)
    assert pairs.run(job) == row and job.items() <= row.items()
    ratio = 0.5 if job["descent"] == "exponential" else 1.0  # m^2 / v
    assert row["kappa"] == pytest.approx(ratio * (1 - job["S"]))
    assert row["line"] == pytest.approx(-row["kappa"])
    traps = [rho > row["line"] for rho in row["rho"]]
    assert [law == "trap" for law in row["law"]] == traps
    assert len(row["merged"]) == len(row["rho"])
    pairs.show([row])


@pytest.mark.parametrize("change", [dict(shrink=0.6, S=0.5), dict(sigma="top1", S=0.9)])
def test_a_job_on_a_pair_ends_merged_above_the_line_and_not_below(change):
    wanted = dict(world="alone", start="merged") | change
    row = pairs.run(next(job for job in pairs.jobs() if wanted.items() <= job.items()))
    for rho, merged in zip(row["rho"], row["merged"]):
        if abs(rho - row["line"]) >= 0.05:
            assert merged == (pairs.SEEDS if rho > row["line"] else 0)


def test_what_a_job_draws_follows_from_its_settings_in_any_order():
    seeds = [generator_of(job).initial_seed() for job in pairs.jobs()]
    assert len(set(seeds)) == len(seeds)
    for job, seed in zip(pairs.jobs(), seeds):
        assert generator_of(dict(reversed(job.items()))).initial_seed() == seed


def test_the_planted_start_has_a_neuron_for_the_two_and_silent_others():
    n = pairs.N
    job = dict(world="orthogonal", n_q=n, start="merged")
    generator = torch.Generator().manual_seed(0)
    rho = torch.tensor([-0.5] * 10 + [0.5] * 10).double()
    W = pairs._with_others(rho, "orthogonal", generator)
    assert torch.allclose(W.norm(dim=1), torch.ones(20, n).double())
    assert torch.allclose((W.mT @ W)[:, 0, 1], rho)
    W_E, _ = pairs._start(W, job, generator)
    fires = World(W, torch.zeros(20)).fires(W_E)[:, : n - 1]
    wanted = torch.eye(n - 1, n).roll(1, dims=1).bool()
    wanted[0, 0] = True
    assert torch.equal(fires, wanted.expand_as(fires))


def test_jobs_are_different_and_their_settings_are_those_that_kept_compares():
    jobs = pairs.jobs()
    assert len({str(sorted(job.items())) for job in jobs}) == len(jobs)
    assert {job["n_q"] for job in jobs} == {1, pairs.N - 1, pairs.N}


def test_shares_and_brackets_of_rows_made_by_hand():
    row = dict(
        line=-0.1,
        rho=[-0.3, -0.2, 0.0, 0.1],
        law=["saddle", "saddle", "trap", "trap"],
        merged=[0, 1, 9, 10],
    )
    assert pair_tables.share([row], "merged", True).value == 0.95
    assert pair_tables.share([row], "merged", False).value == 0.05
    assert pair_tables.bracket(row) == "-0.10 to +0.10"
    how = dict(world="alone", start="merged", sigma="relu", descent="exact", shrink=0.0)
    more = how | row | dict(wall=[10, 8, 0, 0])
    less = how | row | dict(wall=[0] * 4, merged=[0, 0, 8, 9])
    (line,) = pair_tables.overall([more, less, dict(world="orthogonal")])
    assert line.runs == 80 and line.where_trap.value == 0.9 and line.at_wall.value == 0.45
    assert pair_tables.bracket(row | dict(merged=[10, 10, 10, 10])) == " to -0.20"
    assert pair_tables.bracket(row | dict(merged=[0, 0, 0, 0])) == "+0.20 to "
    assert pair_tables.bracket(row | dict(merged=[9, 0, 10, 10])) == "-0.10 to +0.10"


def test_a_training_that_diverges_is_said():
    W = pair_of(torch.tensor([0.5]).double())
    world, rows, x = (
        World(W, torch.zeros(1), k=1, plain=True),
        torch.ones(1, 1, 2).double(),
        supports(2),
    )
    exact = (x, independent(x, torch.tensor([0.5]).double()))
    with pytest.raises(ValueError, match="diverged.*smaller lr"):
        descend(world, (rows, tied(rows)), exact, steps=40, lr=1e6)
    nothing = torch.full((1, 4, 2), torch.nan).double(), torch.ones(1, 4).double()
    with pytest.raises(ValueError, match="diverged"):
        adam(world, (rows, tied(rows)), lambda: nothing, steps=2)


def test_moments_of_the_supports_are_those_of_the_features():
    x, S = supports(3), torch.tensor([0.8]).double()
    chances = independent(x, S)
    exact = SparseFeatures(3, 0.8, Constant(1.0)).moments()
    assert torch.allclose(x.mT @ (chances[0][:, None] * x), exact.C)
    assert isinstance(exact, Moments) and torch.allclose(chances[0] @ x, exact.m)
