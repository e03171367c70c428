"""Rows of the theorems' pictures, against the library and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import JumpReLU, Verdict, Weights, approximate_loss
from sdl_theory.theory.counterexamples import three_features
from widgets import rows
from widgets.kinds import Absorbed, Gap, Layer
from widgets.rows import absorption


@given(st.floats(-0.94, 0.94), st.floats(0.2, 3), st.floats(-3.1, 3.1))
def test_landscape_is_the_loss_with_the_best_decoder(rho, m_2, angle):
    problem = rows.pair_problem(rho, m_2)
    w = torch.tensor([[np.sin(angle), np.cos(angle)]], dtype=torch.float64)
    z = torch.relu(w @ problem.W_p)
    w_D = (problem.W_r * problem.M_d) @ z.mT / (z.square() @ problem.M_d).clamp(min=1e-15)
    assert rows.pair_landscape(problem, np.array([angle]))[0] == pytest.approx(
        approximate_loss(problem, Weights(w, w_D)).item(), abs=1e-9
    )


@given(st.floats(-0.94, 0.94), st.floats(0.2, 3))
def test_the_marker_sits_on_the_curve_and_says_the_verdict(rho, m_2):
    data, minimum = rows.pair_rows(rho, m_2)
    point = data["kind"] == Layer.POINT
    assert point.sum() == minimum.exists and (~np.isnan(np.stack(list(data.values())))).all()
    if minimum.exists:
        on_curve = rows.pair_landscape(
            rows.pair_problem(rho, m_2), np.radians(data["x"][point].astype(float))
        )
        assert on_curve[0] == pytest.approx(data["y"][point][0], abs=1e-4)
        assert rows.VERDICTS[int(data["value"][point][0])] is minimum.verdict


@given(st.integers(2, 7), st.floats(-5, -0.1), st.sampled_from([0.0, 0.3, 0.7]))
@settings(max_examples=20)
def test_gap_rows_are_the_two_losses(n, log_rate, theta):
    data, seen = rows.gap_rows(n, log_rate, theta)
    here = data["kind"] == Gap.HERE
    assert data["y"][here][0] == pytest.approx(max(abs(seen["L"] - seen["Lt"]), 1e-14), rel=1e-5)
    assert theta > 0 or -1e-12 <= seen["L"] - seen["Lt"] <= seen["tight"] * (1 + 1e-9)
    assert data["y"][data["kind"] == Gap.SHARE].sum() == pytest.approx(1, abs=1e-5)


@given(st.floats(0, 2))
def test_triangle_is_the_loss_over_positive_y(t):
    problem = three_features(rows.three_worlds(t))
    data, minimum = rows.three_rows(problem)
    curve = data["kind"] == Layer.CURVE
    weights = data["kind"] == Layer.DATA
    drawn = [data[name][weights][0] for name in ("x", "y", "x2")]
    assert drawn == pytest.approx(problem.M_d.tolist(), rel=1e-6)
    assert curve.sum() == 231 and (data["kind"] == Layer.POINT).sum() == minimum.exists
    # only feature 1... corner (0, 0)
    corner = np.argmin(np.hypot(data["x"][curve], data["y"][curve]))
    M = problem.M_d.numpy()
    assert data["value"][curve][corner] == pytest.approx(1 - M[0] / M.sum(), rel=1e-5)
    if minimum.verdict is Verdict.TRAP:
        assert minimum.loss / M.sum() <= data["value"][curve].min() + 1e-5


def test_solutions_are_what_the_theorems_say():
    for mu, theta, zero in (
        (0.5, 0, [False, True, True]),
        (0.5, 0.5, [True, True, False]),
        (-0.3, 0, [True, True, True]),
    ):
        _, figures = rows.solution_rows(mu, theta, 20.0)
        assert [loss < 1e-20 for loss, *_ in figures] == zero
        assert figures[0][1] == pytest.approx(1)
        assert figures[1][1] == pytest.approx((1 - mu * mu) ** 0.5)
        assert figures[1][2] == pytest.approx(1)


def bars(data, kind):
    """What the four children give on one row, drawn at length 1."""
    return data["y"][data["kind"] == kind]


def fires_for(data, kind) -> set[int]:
    """The children, from 0, whose bars are drawn as firing."""
    return set(np.flatnonzero(data["value"][data["kind"] == kind]).tolist())


@given(st.floats(0.1, 0.95), st.integers(0, 3), st.sampled_from(np.arange(0, 1.01, 0.05).tolist()))
@settings(max_examples=25)
def test_a_threshold_silences_children_of_a_row_of_length_1(strength, child, theta):
    problem = absorption.family(strength)
    data, seen = rows.absorption_rows(strength, child, theta)
    row = seen["parent"].weights.W_E[:1]
    row = row / row.norm()
    z = torch.relu(row @ problem.W_p) * (row @ problem.W_p > theta)
    assert fires_for(data, Absorbed.BEFORE) == set(z[0, :4].nonzero()[:, 0].tolist())
    # by least squares: the best decoder, and what it leaves of the first family
    root = problem.M_d.sqrt()
    column = torch.linalg.lstsq((z * root).mT, (problem.W_r * root).mT, driver="gelsd").solution.mT
    missed = (problem.W_r - column @ z)[:, :4].square().sum(0) @ problem.M_d[:4]
    assert seen["loss"] == pytest.approx(missed.item(), abs=1e-9)
    left = data["kind"] == Absorbed.LEFT
    assert data["x"][left][0] == len(seen["silent"]) == 4 - len(fires_for(data, Absorbed.BEFORE))


def test_the_threshold_matters_in_every_setting():
    """In every family it silences more and more, and its line moves with every step."""
    for strength in (0.1, 0.5, 0.95):
        pictures = [
            rows.absorption_rows(strength, 0, theta)[0] for theta in np.arange(0, 1.01, 0.25)
        ]
        lines = [data["y"][data["kind"] == Absorbed.THETA][0] for data in pictures]
        assert lines == pytest.approx(np.arange(0, 1.01, 0.25))
        silent = [4 - len(fires_for(data, Absorbed.BEFORE)) for data in pictures]
        assert silent == sorted(silent) and silent[0] == 0 and silent[-1] == 4


@given(st.floats(0.1, 0.95), st.integers(0, 3), st.sampled_from([0.0, 1e-6, 0.05, 0.3, 1.0]))
@settings(max_examples=25)
def test_absorption_rows_tell_one_story(strength, child, theta):
    data, seen = rows.absorption_rows(strength, child, theta)
    bounds = data["y"][data["kind"] == Absorbed.BOUND]
    assert len(bounds) == 4 and (np.diff(bounds) <= 1e-6).all() and seen["answer"].realizable
    z, fires = bars(data, Absorbed.AFTER), fires_for(data, Absorbed.AFTER)
    assert len(z) == 4 and fires == {d for d in range(4) if d != child}
    assert fires_for(data, Absorbed.OWN) == {child}
    for kind, row in ((Absorbed.AFTER, 0), (Absorbed.OWN, 2)):
        w = seen["answer"].weights.W_E[row]
        truth = (w @ absorption.family(strength).W_p)[:4] / w.norm()
        assert bars(data, kind) == pytest.approx(truth.numpy(), abs=1e-6)
    chosen = data["kind"] == Absorbed.CHOSEN
    assert chosen.sum() == seen["after"].exists and (data["y"][chosen] >= bounds[1] - 1e-6).all()


def test_descent_follows_autograd():
    problem = rows.pair_problem(0.6, 1.5)
    start = Weights(
        torch.tensor([[0.3, 0.9], [0.8, -0.1]], dtype=torch.float64),
        torch.tensor([[0.2, 0.5], [0.9, 0.1]], dtype=torch.float64),
    )
    losses = rows.descend(problem, start, theta=0.1, nudge=0.0, seeds=2, steps=30, rate=0.05)
    E, D = start.W_E.clone().requires_grad_(), start.W_D.clone().requires_grad_()
    steps = torch.optim.SGD([E, D], lr=0.05)
    for step in range(31):
        steps.zero_grad()
        loss = approximate_loss(problem, Weights(E, D), JumpReLU(0.1))
        assert losses[:, step] == pytest.approx(loss.item(), rel=1e-9)
        loss.backward()
        steps.step()


def test_dead_rows_wake_only_on_the_wall():
    for depth, theta, name, wakes in (
        (0, 0, "escapable_dead", True),
        (0.3, 0, "strictly_dead", False),
        (0, 0.2, "strictly_dead", False),
    ):
        _, seen = rows.dead_rows(depth, -2.0, theta)
        assert str(seen["certificate"].neurons[1]) == name and (seen["fell"] > 0) is wakes
