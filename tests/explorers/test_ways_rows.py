"""Ways out as rows: the library's paths, monotone, and the clone's function drawn twice."""

import numpy as np
import pytest
import torch

from sdl_theory import Verdict, Weights, approximate_loss, certify
from widgets.kinds import Out
from widgets.rows import exits, ways


@pytest.mark.parametrize("name", ways.WAYS)
def test_the_loss_along_a_way_and_the_descent_after_it_never_rises(name):
    data, seen = ways.way_rows(name, 0.5)
    line = data["kind"] == Out.LOSS
    for part in (0, 1):
        y = data["y"][line & (data["value"] == part)]
        x = data["x"][line & (data["value"] == part)]
        assert (np.diff(y[np.argsort(x, kind="stable")]) <= 1e-6).all() and len(y) > 40
    assert data["x"][line].min() == 0 and data["x"][line].max() == 2
    assert seen["descended"] <= seen["end"] + 1e-12 < seen["start"] == pytest.approx(0.8)
    way = ways.way_out(name)
    assert len(ways.WAYS[name]) == len(way.path.check().points) - 1
    assert certify(way.path.problem, way.path.points[0]).verdict is Verdict.TRAP


@pytest.mark.parametrize("name", ways.WAYS)
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 1.5, 2.0])
def test_the_mark_and_the_codes_are_those_of_the_place(name, t):
    data, seen = ways.way_rows(name, t)
    path, after, _ = ways.story_of(name)
    here = path.at(t) if t <= 1 else after[round(40 * (t - 1))]
    mark = data["kind"] == Out.HERE
    assert data["x"][mark] == pytest.approx(t)
    assert data["y"][mark] == pytest.approx(approximate_loss(path.problem, here).item(), abs=1e-6)
    code = data["kind"] == Out.CODE
    found = data["value"][code].reshape(len(here.W_E), -1)
    assert np.abs(found - (here.W_E @ path.problem.W_p).numpy()).max() < 1e-6
    assert seen["segment"] == ("plain descent" if t >= 1 else seen["segment"])


def test_the_clones_error_is_the_traps_on_every_input():
    data = ways.clone_rows()
    line = data["kind"] == Out.LOSS
    trap, clone, apart = (data["y"][line & (data["value"] == v)] for v in range(3))
    assert np.abs(trap - clone).max() < 1e-6
    at = np.abs(data["x"][line & (data["value"] == 0)] - 26.565).argmin()  # a feature's angle
    assert apart[at] < trap[at]
    assert trap.max() == pytest.approx(1)  # where nothing fires all is lost


def test_foretold_margins_are_those_of_a_row_that_shrinks():
    example = dict(lr=0.1, decay=0.5, t=[0, 10], seen=[0.5], z=[[-1.0, 0.2]], loss=[[1.0, 0.7]])
    data = exits.margin_rows(example)
    told = data["kind"] == Out.STOP
    x, y = data["x"][told], data["y"][told]
    assert y[0] == -1 and abs(y[-1]) < 1e-6 and (np.diff(y) > 0).all()
    assert y == pytest.approx(0.5 - 1.5 * 0.95 ** x.astype(float), abs=1e-5)
    assert data["y"][data["kind"] == Out.LOSS].tolist() == pytest.approx([1.0, 0.7])


def test_two_pairs_have_the_cosines_they_are_said_to_have():
    G = ways.two_pairs().W_p
    wanted = torch.tensor([1, 0.6, 0.5, 0.5], dtype=torch.float64)
    assert torch.allclose((G.mT @ G)[0], wanted)
    problem, weights = ways.trap_of_pairs()
    assert isinstance(weights, Weights) and weights.n_q == 3 and problem.n == 4
