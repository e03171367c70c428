"""What leads out of traps: what moves a silent code, what does not, and that leaving is leaving."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sdl_theory import Verdict, certify, gradients
from sdl_theory.experiments.paper.kept import Kept
from sdl_theory.experiments.traps import exits, many
from sdl_theory.experiments.traps.many import Step, descend, draw, supports

STORED = Path(__file__).resolve().parents[2] / "notebooks/results/traps_exits.json"
SMALL = dict(traps=8, steps=800, cool=800, fell=0.01, seed=0)
noise = lambda seed=0: torch.Generator().manual_seed(seed)
rest = lambda traps: traps.W_E - traps.seen  # of every row what its own features do not see


@pytest.fixture(scope="module")
def traps():
    return draw(2, spare=1, count=8)


@pytest.mark.parametrize("world", [dict(), dict(lean=True), dict(spare=1), dict(fewer=1)])
def test_what_is_drawn_are_traps_with_rows_and_columns_of_equal_norm(world):
    drawn = draw(3, count=5, **world)
    for factor in (1,) if world.get("fewer") else (1, 0.1, 10):
        traps = drawn.with_margins(factor)
        silent = torch.where(drawn.P, drawn.z, factor * drawn.z)
        assert torch.allclose(traps.z, silent, atol=1e-10)
        for i in range(5):
            answer = certify(*traps.one(i))
            assert answer.verdict is Verdict.TRAP and torch.equal(answer.pattern, traps.P)
            assert abs(answer.loss - traps.loss[i]) < 1e-12
    used = drawn.P.any(1)
    assert torch.allclose(drawn.seen.norm(dim=2)[:, used], drawn.W_D.norm(dim=1)[:, used])


def test_gradients_are_the_librarys(traps):
    moved, x = traps.nudged(0.2, noise()), supports(4, 1.0)
    of_E, of_D = many.gradients(moved.W_E, moved.W_D, moved.W_p @ x[0], x[1])
    for i in range(8):
        library = gradients(*moved.one(i))
        assert torch.allclose(of_E[i], library.W_E, atol=1e-12)
        assert torch.allclose(of_D[i], library.W_D, atol=1e-12)


@pytest.mark.parametrize("S, l1", [(1.0, 0.3), (0.7, 0.0), (0.7, 0.3)])
def test_gradients_are_autograds(traps, S, l1):
    moved, (x, weights) = traps.nudged(0.2, noise()), supports(4, S)
    assert x.shape[1] == (4 if S == 1 else 15) and weights.sum() == pytest.approx(4)
    W_E, W_D = (W.clone().requires_grad_() for W in (moved.W_E, moved.W_D))
    x_p = moved.W_p @ x
    code = (W_E @ x_p).relu()
    loss = (weights * (x_p - W_D @ code).square()).sum()
    loss = loss + l1 * (W_D.norm(dim=1)[..., None] * code * weights).sum()
    wanted = torch.autograd.grad(loss, (W_E, W_D))
    found = many.gradients(moved.W_E, moved.W_D, x_p, weights=weights, l1=l1)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found, wanted))


def test_weights_of_samples_are_the_probabilities():
    x, weights = supports(3, 0.9)
    alone, all_three = x.sum(0) == 1, x.sum(0) == 3
    assert torch.allclose(weights[all_three] / weights[alone][0], torch.tensor(1 / 81).double())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_without_decay_and_nudge_nothing_moves(traps, optimizer):
    end = descend(traps, Step(optimizer, 0.05, 0.0), steps=200, generator=noise())
    # Adam makes steps of the size of lr of gradients that are rounding
    room = 1e-10 if optimizer == "sgd" else 0.3
    assert torch.allclose(end.W_E, traps.W_E, atol=room)
    assert torch.allclose(end.W_D, traps.W_D, atol=room)
    dead = ~traps.P.any(1)
    assert torch.equal(end.W_E[:, dead], traps.W_E[:, dead])


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("batch", [0, 2])
def test_what_no_feature_sees_shrinks_by_decay_and_by_nothing_else(traps, decay, batch):
    """Exactly by (1 - lr decay)^t; so do all codes of a dead row. Noise of single features too."""
    start, steps = traps.with_margins(5).nudged(0.01, noise()), 60
    end = descend(start, Step("sgd", 0.05, decay), steps=steps, batch=batch, generator=noise(1))
    assert torch.equal(end.z > 0, start.P.expand_as(end.z)), "no code crossed its wall"
    shrunk = (1 - 0.05 * decay) ** steps
    assert torch.allclose(rest(end), shrunk * rest(start), rtol=1e-9, atol=1e-12)
    dead = ~traps.P.any(1)
    assert torch.allclose(end.z[:, dead], shrunk * start.z[:, dead], rtol=1e-12)
    assert not torch.allclose(end.seen, start.seen, atol=1e-3), "yet rows did move"


def test_a_mixture_moves_what_no_single_feature_sees(traps):
    """At a silent code nearer to zero than the active one, where the neuron fires for both."""
    end = descend(
        traps.with_margins(0.5), Step("sgd", 0.05, 0.0), steps=20, S=0.9, generator=noise()
    )
    assert (rest(end) - rest(traps.with_margins(0.5))).norm() > 1e-3


def test_below_a_traps_loss_the_pattern_is_another(traps):
    """A trap is the least loss of its region; so whoever falls below has crossed a wall."""
    for seed in range(40):
        z = traps.z.abs() * torch.rand(traps.z.shape, generator=noise(seed)).double() + 1e-3
        z = torch.where(traps.P, z, -z)
        inside = replace(traps, W_E=z @ torch.linalg.inv(traps.W_p))
        Z = z.clamp(min=0)
        best = replace(inside, W_D=(traps.W_p @ Z.mT) @ torch.linalg.pinv(Z @ Z.mT))
        assert (best.loss >= traps.loss - 1e-9).all()


def test_the_steps_to_the_wall_are_foreseen(traps):
    lr, decay, first = 0.05, 0.02, torch.full((8,), -1)
    wanted = traps.steps_to_wall(lr * decay)
    assert torch.isinf(traps.steps_to_wall(0.0)).all() and torch.isfinite(wanted).any()

    def look(t, now):
        over = ((now.z > 0) & traps.open).any(2).any(1)
        first[over & (first < 0)] = t

    steps = int(wanted[wanted < 1e5].max() * 1.2)
    descend(traps, Step("sgd", lr, decay), steps=steps, generator=noise(), look=look, every=1)
    sure = torch.isfinite(wanted)
    assert torch.equal(first >= 0, sure)
    assert (first[sure] / wanted[sure] - 1).abs().median() < 0.05


def test_a_cell_counts_each_trap_once_and_decay_leads_out_whom_it_should():
    plain, decayed, dead = (
        exits.run(exits.BASE | change, SMALL)
        for change in (dict(), dict(decay=0.05), dict(decay=0.1, spare=2))
    )
    for row in (plain, decayed, dead):
        assert exits.BASE.keys() <= row.keys() and row["traps"] == 8
        assert sum(row["left_to"].values()) == row["left"]
        assert sum(row["stayed_to"].values()) == 8 - row["left"]
    assert plain["left"] == 0 and plain["foreseen"] == 0 and plain["as_foreseen"] == 8
    assert 0 < decayed["foreseen"] <= decayed["open"] and decayed["as_foreseen"] >= 7
    assert dead["woke"] == 0


def test_an_example_keeps_the_way_of_a_few():
    row = exits.run(exits.BASE | dict(decay=0.1, example=True), SMALL)
    assert len(row["z"]) == len(row["loss"]) == len(row["seen"]) == exits.SHOWN
    assert len(row["z"][0]) == len(row["t"]) > 20 and all(z[0] < 0 < max(z) for z in row["z"])


def test_a_file_is_gone_on_with(tmp_path):
    path, jobs = tmp_path / "exits.json", [exits.BASE | dict(decay=d) for d in (0.0, 0.05)]
    small = dict(SMALL, traps=2, steps=20, cool=20)
    kept = Kept(path, small)
    kept.add(exits.run(jobs[0], small))
    again = Kept(path, small)
    assert list(again.missing(jobs)) == [jobs[1]]
    again.add(exits.run(jobs[1], small))
    assert list(Kept(path, small).missing(jobs)) == []
    with pytest.raises(ValueError, match="other runs"):
        Kept(path, exits.head())


def test_jobs_are_plain_and_each_is_asked_for_once():
    jobs = exits.jobs()
    assert json.loads(json.dumps(jobs)) == jobs
    assert all(jobs.count(job) == 1 for job in jobs)


def test_the_stored_file_is_of_these_jobs_and_prints(capsys):
    stored = json.loads(STORED.read_text("utf-8"))
    assert {name: stored[name] for name in exits.head()} == exits.head()
    assert STORED.stat().st_size <= 60_000
    for row in stored["rows"]:
        assert any(job.items() <= row.items() for job in exits.jobs()), row
    exits.show(stored["rows"])
    assert "as_foreseen" in capsys.readouterr().out
    for line in exits.summary(stored["rows"]):
        assert line.left.low <= line.left.value <= line.left.high
