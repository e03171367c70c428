"""Lesson 15's pictures against the library, enumeration and autograd."""

import doctest

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sdl_theory import (
    Constant,
    Moments,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    gram,
    group_minimum,
    pair_law,
    true_certificate,
)
from sdl_theory.theory.true_loss import penalized_loss
from widgets import explorers, rows
from widgets.explorers import sparsity_explorer, together_explorer
from widgets.kinds import Code, Fate, Sparsity, Together
from widgets.rows import sparsity, together
from widgets.rows.common import VERDICTS, pair_problem

f64 = torch.float64
cosines, sparsities = st.floats(-0.95, 0.95), st.floats(sparsity.LOW, sparsity.HIGH)
penalties = st.sampled_from([0.0, 0.3, 0.8, 1.5, 2.4])


def test_the_diagram_is_the_pair_law_everywhere():
    """Beside each border, and in the middle of each area, `pair_law` says what is drawn."""
    seen = set()
    for l1 in np.arange(0, 2.45, 0.1):
        fires, traps = sparsity.borders(sparsity.GRID, l1)
        for S, low, high in zip(sparsity.GRID, fires, traps):
            for drawn, start, end in (
                (Verdict.NONE, -1.0, low),
                (Verdict.SADDLE, low, high),
                (Verdict.TRAP, high, 1.0),
            ):
                if end - start > 1e-6:
                    for rho in (start + 1e-7, (start + end) / 2, end - 1e-7):
                        assert pair_law(rho, 1 - S, l1 / 2) is drawn, (S, rho, l1)
                        seen.add(drawn)
    assert len(seen) == 3


@given(sparsities, cosines, penalties)
@settings(max_examples=60)
def test_the_point_is_the_librarys_and_lies_on_the_curve(S, rho, l1):
    assume(abs(rho + 1 - S - l1 / 2 * ((1 + rho) / 2) ** 0.5) > 1e-6)
    data, seen = rows.sparsity_rows(S, rho, l1)
    moments = SparseFeatures(2, S, Constant(1.0)).moments()
    minimum = group_minimum(pair_problem(rho), [0, 1], moments=moments, l1=l1)
    assert seen["minimum"].verdict is minimum.verdict is pair_law(rho, 1 - S, l1 / 2)
    of = lambda kind: {name: column[data["kind"] == kind] for name, column in data.items()}
    here, there = of(Sparsity.HERE), of(Sparsity.THERE)
    assert here["x"] == pytest.approx([S]) and here["y"] == pytest.approx([rho])
    assert VERDICTS[int(here["value"][0])] is minimum.verdict
    assert len(there["x"]) == minimum.exists
    if minimum.exists:
        signal = (moments.C * gram(pair_problem(rho).W_r)).sum().item()
        assert there["y"][0] == pytest.approx(minimum.loss / signal, rel=1e-5)
        angle = np.radians(there["x"][:1].astype(float))
        on = sparsity.true_landscape(rho, 1 - S, l1, angle)[0]
        assert on == pytest.approx(there["y"][0], abs=1e-6)
        beside = sparsity.true_landscape(rho, 1 - S, l1, angle + [-1e-3, 1e-3])
        assert (beside > on).all() if minimum.verdict is Verdict.TRAP else (beside < on).all()


@given(sparsities, cosines, penalties, st.floats(-3.1, 3.1))
@settings(max_examples=40)
def test_the_landscape_is_the_enumerated_loss_with_the_best_decoder(S, rho, l1, angle):
    """No column does better than the drawn share; the best one reaches it."""
    problem, features = pair_problem(rho), SparseFeatures(2, S, Constant(1.0))
    row = torch.tensor([[np.sin(angle), np.cos(angle)]], dtype=f64)
    signal = (features.moments().C * gram(problem.W_r)).sum().item()
    share = sparsity.true_landscape(rho, 1 - S, l1, np.array([angle]))[0]
    loss = lambda column: penalized_loss(problem, Weights(row, column), ReLU(), features, l1=l1)
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=f64) @ problem.W_p.mT
    often = torch.tensor([S, S, 1 - S], dtype=f64) * (1 - S)
    z = torch.relu(x @ row[0])
    pull, fired = (often * z) @ x, often @ z.square()
    size = pull.norm()
    best = pull * 0
    if fired > 1e-12 and size > l1 / 2 * (often @ z):
        best = pull / size * (size - l1 / 2 * (often @ z)) / fired
    assert loss(best[:, None]) / signal == pytest.approx(share, abs=1e-9)
    noise = torch.Generator().manual_seed(0)
    for _ in range(5):
        off = best + 0.1 * torch.randn(2, generator=noise, dtype=f64)
        assert loss(off[:, None]) / signal >= share - 1e-12


@pytest.mark.parametrize("S, rho, l1", [(0.9, 0.3, 0.0), (0.5, -0.3, 0.5), (0.8, 0.1, 1.0)])
def test_descents_take_the_gradient_of_the_enumerated_loss(S, rho, l1, monkeypatch):
    """Two steps of one start against autograd on the loss support by support."""
    monkeypatch.setattr(sparsity, "STARTS", np.radians([17.0]))
    monkeypatch.setattr(sparsity, "STEPS", 2)
    monkeypatch.setattr(sparsity, "SHOWN", 1)
    angles, _ = sparsity.descents(rho, 1 - S, l1)
    W = pair_problem(rho).W_p
    x = torch.stack([W[:, 0], W[:, 1], W.sum(1)])
    often = torch.tensor([S, S, 1 - S], dtype=f64)
    E = torch.tensor([np.sin(np.radians(17)), np.cos(np.radians(17))], dtype=f64) * 0.7
    D = (often * torch.relu(x @ E)) @ x
    D = 0.7 * D / D.norm()
    for step in range(3):
        assert angles[0, step] == pytest.approx(torch.atan2(E[0], E[1]).item(), abs=1e-12)
        E, D = E.detach().requires_grad_(), D.detach().requires_grad_()
        z = torch.relu(x @ E)
        left = (often * (x - z[:, None] * D).square().sum(1)).sum()
        (left + l1 * (often @ z) * D.norm()).backward()
        E, D = (V.detach() - sparsity.RATES[step] * V.grad for V in (E, D))


def test_descents_end_as_the_verdict_says():
    """Clear of the border all seven agree."""
    for S, rho, l1, fate in (
        (0.99, 0.6, 0.0, Fate.MERGED),
        (0.5, -0.3, 0.0, Fate.MERGED),
        (0.9, -0.3, 0.0, Fate.ALONE),
        (0.9, 0.1, 0.8, Fate.ALONE),
        (0.9, 0.6, 0.8, Fate.MERGED),
        (0.9, -0.9, 2.4, Fate.SILENT),
    ):
        ends = rows.sparsity_rows(S, rho, l1)[1]["ends"]
        assert ends[fate] == len(sparsity.STARTS), (S, rho, l1, ends)


def test_where_a_descent_ends_merged_the_true_loss_has_a_trap_by_enumeration():
    features = SparseFeatures(2, 0.5, Constant(1.0))
    minimum = sparsity.sparsity_minimum(0.5, -0.3, 0.0)
    W_E = torch.linalg.solve(pair_problem(-0.3).W_p.mT, minimum.z)[None]
    point = Weights(W_E, minimum.w_D[:, None])
    found = true_certificate(pair_problem(-0.3), point, ReLU(), features).check()
    assert found.verdict is Verdict.TRAP


@given(st.sampled_from(together.WORLDS), st.floats(0.5, 0.95), st.floats(-1, 1), cosines)
@settings(max_examples=60)
def test_who_is_active_together(kind, S, link, rho):
    """C against samples' supports by their probabilities; G and the verdict against the library."""
    rho = max(rho, -0.45)
    data, seen = rows.together_rows(kind, S, link, rho)
    low, high = together.ends(kind, S)
    assert seen["link"] == pytest.approx(min(max(link, low), high))
    n, p, link = together.size(kind), 1 - S, seen["link"]
    if kind in (together.PAIR, together.THREE):
        both = p * p + link * p * (1 - p)
        C = np.full((n, n), both) + np.diag([p - both] * n)
    else:
        C = np.full((n, n), p * link**2)
        C[0, :] = C[:, 0] = p * link
        C[range(n), range(n)] = [p] + [p * link] * (n - 1)
    entries = lambda which: data["value"][data["kind"] == which].reshape(n, n)
    assert entries(Together.MOMENT) == pytest.approx(C, abs=1e-6)
    G = np.full((n, n), rho) + np.diag([1 - rho] * n)
    assert entries(Together.COSINE) == pytest.approx(G, abs=1e-6)
    problem = together.equal_cosines(n, rho)
    minimum = group_minimum(problem, range(n), moments=Moments(torch.tensor(C).clamp(min=0)))
    assert abs(link) > 1 - 1e-9 or minimum.verdict is seen["minimum"].verdict
    z = data["y"][data["kind"] == Together.CODE]
    assert len(z) == n
    if C.diagonal().all() and abs(link) < 1 - 1e-3 and link > 1e-3:  # C G C z = lambda C z
        assert (z > 0).all() == minimum.exists
        left, right = C @ G @ C @ z, C @ z
        assert left * (right @ right) == pytest.approx(right * (left @ right), rel=1e-2, abs=1e-9)
        if not minimum.exists:  # the top one
            most = np.linalg.eigvals(G @ C).real.max()
            assert z @ left / (z @ right) == pytest.approx(most, rel=1e-3)
    if kind == together.PAIR and S >= 0.5:  # at the least correlation they exclude each other
        assert together.moments_of(kind, S, -1.0).C[0, 1].item() == pytest.approx(0, abs=1e-12)
    strip = data["kind"] == Together.LINK
    assert data["x"][strip].min() == pytest.approx(low, abs=1e-6)
    assert data["x2"][strip].max() == pytest.approx(high, abs=1e-6)


@given(st.floats(0.5, 0.95), st.floats(0.01, 0.99), st.floats(-0.45, 0.9))
@settings(max_examples=60)
def test_pairs_follow_their_laws(S, link, rho):
    """Equal moments: a trap iff rho + kappa > 0. A child: iff rho > -P(child | parent)."""
    both = (1 - S) + link * S
    assume(min(abs(rho + both), abs(rho + link)) > 1e-6)
    pair = together.together_minimum(together.PAIR, S, link, rho)
    assert pair.verdict is (Verdict.TRAP if rho + both > 0 else Verdict.SADDLE)
    child = together.together_minimum(together.CHILD, S, link, rho)
    assert child.verdict is (Verdict.TRAP if rho + link > 0 else Verdict.NONE)


def test_what_is_always_together_is_one_feature():
    for kind in together.WORLDS:
        minimum = together.together_minimum(kind, 0.8, 1.0, -0.4)
        assert minimum.verdict is Verdict.GLOBAL and minimum.loss == 0


def test_every_preset_is_what_its_name_says():
    shown = sparsity_explorer()
    verdicts = {}
    for name, button in shown.presets.items():
        button.click()
        verdicts[name] = shown.headline
        assert str(Code[shown.headline.upper()].name.lower()) == shown.headline
    assert verdicts == {
        "siblings, very sparse": "trap",
        "opposites, sparse": "saddle",
        "opposites, dense: still a trap": "trap",
        "strangers: a shallow trap": "trap",
        "L1 frees weak relatives": "saddle",
        "siblings withstand it": "trap",
        "L1 silences": "none",
        "reset": "saddle",
    }
    shown, verdicts = together_explorer(), {}
    for name, button in shown.presets.items():
        button.click()
        verdicts[name] = shown.headline
    assert verdicts == {
        "independent": "trap",
        "exclusive features": "saddle",
        "correlated opposites": "trap",
        "always together: loss 0, not spurious": "global",
        "a child implies its parent": "trap",
        "a rare child": "none",
        "two children": "trap",
        "reset": "trap",
    }


def test_the_example_of_the_docstring_runs():
    done = doctest.testmod(explorers.sparsity)
    assert done.attempted == 5 and done.failed == 0


def test_words_give_the_law_that_decides():
    shown = sparsity_explorer(S=0.9, rho=-0.1)
    assert shown.headline == "degenerate" and "= 0" in shown.words
    shown.set(rho=0.1, l1=0.8)
    assert "0.30 > rho + kappa = 0.20" in shown.words
    shown.set(l1=1.8)
    assert "0.90 is not below" in shown.words
