"""README's picture: what it says, and that the committed file is what its command writes."""

import re

import numpy as np
import pytest
import torch

from sdl_theory import Verdict, Weights, approximate_loss, certify
from widgets.cover import COVER, cover
from widgets.kinds import Layer
from widgets.rows.common import pair_problem
from widgets.rows.cover import RHO, cover_rows


def test_a_trap_a_hill_and_the_solution():
    data, trap = cover_rows()
    assert trap.verdict is Verdict.TRAP and trap.loss == pytest.approx(1 - RHO)
    curve = data["kind"] == Layer.CURVE
    t, loss = data["x"][curve], data["y"][curve]
    ends = data["y"][data["kind"] == Layer.POINT]
    assert ends == pytest.approx([1 - RHO, 0], abs=1e-7)
    for end in (0, 1):  # both are the lowest far around
        assert loss[abs(t - end) < 0.3].min() >= ends[end] - 1e-7
    assert loss[(t > 0) & (t < 1)].max() > trap.loss + 0.1  # the hill
    slopes = np.sign(np.diff(loss[t > 0.005]))
    assert list(slopes[np.r_[True, np.diff(slopes) != 0]]) == [1, -1, 1]  # one hill, no other


def test_the_way_begins_at_the_librarys_trap():
    """Rows of the drawn ends, by hand: the bisector and its opposite, then the dual basis."""
    data, _ = cover_rows()
    rows = data["kind"] == Layer.ARROW
    drawn = np.stack([data[name][rows] for name in ("x", "y")], 1)
    problem, half = pair_problem(RHO), np.arccos(RHO) / 2
    dual = torch.linalg.inv(problem.W_p).numpy()
    dual = dual / np.linalg.norm(dual, axis=1, keepdims=True)
    assert drawn == pytest.approx(np.array([[0, 1], [0, -1], *dual]), abs=1e-6)
    # one neuron along the bisector: loss 1 - rho with the best column, by hand
    stuck = Weights(torch.tensor([[0.0, 1], [0, -1]]).double(), torch.zeros(2, 2).double())
    stuck.W_D[1, 0] = 1.0
    assert approximate_loss(problem, stuck).item() == pytest.approx(2 * np.sin(half) ** 2)
    assert certify(problem, stuck).verdict is Verdict.TRAP


def test_the_committed_picture_is_what_the_command_writes():
    """Its words to the letter; drawn places within a pixel, as processors round otherwise."""
    ours, kept = cover(), COVER.read_text(encoding="utf-8")
    number = re.compile(r"-?\d+\.?\d*")
    assert number.sub("#", ours) == number.sub("#", kept)
    values = lambda text: np.array([float(one) for one in number.findall(text)])
    assert np.abs(values(ours) - values(kept)).max() < 1
    assert "prefers-color-scheme: dark" in kept and len(kept) < 60_000
