"""What is frozen is copied, what is wrong is named, what is NaN stays NaN.

What is too large is refused before memory is taken.
"""

import inspect
import math
import subprocess
import timeit

import numpy as np
import pytest
import torch
from strategies import randn, unit

import sdl_theory as lib
from sdl_theory.checks import (
    check_bytes,
    check_count,
    check_device,
    check_flag,
    check_number,
    shown,
)
from sdl_theory.experiments.provenance import own_commit
from sdl_theory.signature import checked


def test_frozen_means_copied():
    W, M, T = unit(randn(0, 3, 4)), torch.ones(4, dtype=torch.float64), randn(1, 2, 4)
    problem = lib.Problem(W, T, M)
    M[1], T[0, 0], W[0, 0] = -5, math.nan, 9
    assert problem.M_d.tolist() == [1] * 4
    assert problem.W_r.isfinite().all()
    assert lib.Problem(problem.W_p).W_p.isfinite().all()
    array = np.ones(4)
    from_numpy = lib.Problem(problem.W_p, M_d=array)
    array[0] = -1
    assert from_numpy.M_d.tolist() == [1] * 4

    E, D = randn(2, 2, 3), randn(3, 3, 2)
    weights = lib.Weights(E, D)
    certificate = str(lib.certify(lib.Problem(problem.W_p), weights))
    E.zero_(), D.fill_(7)
    assert str(lib.certify(lib.Problem(problem.W_p), weights)) == certificate

    theta = torch.full((2,), 0.5)
    sigma = lib.JumpReLU(theta)
    theta[0] = -1
    assert sigma.theta.tolist() == [0.5, 0.5]

    rows, columns = torch.ones(1, 3), torch.ones(3, 1)
    anchors = lib.Anchors([0], rows, columns)
    rows.zero_(), columns.zero_()
    assert anchors.features == (0,) and anchors.W_E.all() and anchors.W_D.all()

    P = lib.pattern([[0], [1], [2], [3]], 4, 4)
    answer = lib.realize(lib.Problem(torch.eye(4)), P)
    P[0, 0] = False
    answer.check()

    own = torch.eye(4, dtype=torch.float64)
    bench = lib.LinearRepresentationBench(W_p=own, S=0.5)
    own.zero_()
    assert bench.problem.W_p.any() and bench._truth[0].any()


def test_a_models_weights_are_no_window_into_it():
    model = lib.SDLModel(3, 4, k=1, dtype=torch.float64)
    weights = model.weights
    before = weights.W_E.clone()
    model.W_E.data.zero_()
    assert torch.equal(weights.W_E, before)


def test_lists_that_come_out_can_be_spoiled_without_harm():
    d = lib.imagenet_directions()
    assert len(d.group("dog")) == 118
    d.group("dog").clear()
    assert len(d.group("dog")) == 118
    names, groups = list("ab"), [[0], [1]]
    tree, named = lib.Hierarchy(torch.eye(2), groups, names), lib.Directions(torch.eye(2), names)
    groups[0].append(1), names.pop()
    assert tree.groups == [[0], [1]] and tree.names == named.names == ["a", "b"]


def test_weights_that_are_variables_stay_variables():
    W_E, W_D = randn(0, 2, 3).requires_grad_(), randn(1, 3, 2)
    weights = lib.Weights(W_E, W_D)
    lib.approximate_loss(lib.Problem(unit(randn(2, 3, 4))), weights).backward()
    assert weights.W_E is W_E and W_E.grad is not None and weights.W_D is not W_D


def test_an_sae_moved_is_an_sae():
    problem = lib.Problem(unit(randn(0, 3, 4)))
    assert "SAE" in repr(problem.to(torch.float32))
    assert problem.to(torch.float32).W_p.dtype is torch.float32
    with pytest.raises(ValueError, match="dtype"):
        problem.to("nowhere")


@pytest.mark.parametrize(
    "sigma",
    [
        lib.ReLU(),
        lib.JumpReLU(0.1),
        lib.JumpReLU(torch.full((3,), 0.1)),
        lib.TopK(2),
        lib.TopK(1, -math.inf),
        lib.BatchTopK(1),
    ],
    ids=repr,
)
def test_nan_is_not_swallowed(sigma):
    z = torch.tensor([[math.nan, 1.0], [2.0, -math.inf], [-1.0, 3.0]])
    out = sigma(z)
    assert out[0, 0].isnan() and int(out.isnan().sum()) == 1 and not sigma.active(z)[0, 0]


def test_a_name_of_two_features_is_refused_everywhere():
    d = lib.imagenet_directions()
    problem = lib.Problem(d.W_p)
    with pytest.raises(ValueError, match="'missile' names 2 features"):
        lib.diagnose_groups(problem, {"g": ["missile", "Border Collie"]}, controls=1, names=d.names)
    with pytest.raises(ValueError, match="no features|unknown features"):
        lib.diagnose_groups(problem, {"g": ["unicorn"]}, controls=1, names=d.names)
    with pytest.raises(ValueError, match="one entry for each of the problem's n = 1000"):
        lib.diagnose_groups(problem, {"g": [0]}, controls=1, names=["a"])
    table = lib.diagnose_groups(problem, {"g": ["Border Collie", 3]}, controls=1, names=d.names)
    assert table[0].size == 2


def test_numbers_come_as_they_should():
    assert check_count("n", np.int64(3)) == 3
    assert type(check_count("n", torch.tensor(3))) is int
    assert type(check_number("x", np.float32(0.5))) is float
    assert check_number("x", 2) == 2
    assert check_flag("f", np.bool_(True)) is True
    assert check_device("d", "cpu") == torch.device("cpu")
    for call, words in [
        (lambda: check_count("n", 1.5), r"n must be a whole number >= 1; got 1.5"),
        (lambda: check_count("n", 10**30), "below 2\\^63"),
        (lambda: check_count("n", 10**400), "below 2\\^63"),
        (lambda: check_count("n", "3"), "got '3'"),
        (lambda: check_number("x", math.nan), "finite number; got nan"),
        (lambda: check_number("x", 10**400), "finite"),
        (lambda: check_number("x", 3, below=3), "x must be a finite number < 3; got 3"),
        (lambda: check_number("x", True), "got True"),
        (lambda: check_flag("f", 1), "f must be True or False; got 1"),
        (lambda: check_device("d", "meta"), "d must be a device"),
        (lambda: check_device("d", "abacus"), "d must be a device"),
        (
            lambda: check_bytes("it", 1 << 40, "Ask for less"),
            "1,024.0 GiB; the limit is 2 GiB. Ask for less",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    assert shown("x" * 200).endswith("...")
    assert len(shown("x" * 200)) == 80
    assert "shape (2, 3)" in shown(torch.ones(2, 3))


def test_checked_keeps_what_a_function_is():
    @checked
    def area(width: float, height: float = 1.0, *more: int, unit: str = "m", **rest: int) -> float:
        """An area."""
        return width * height

    assert (
        area.__doc__ == "An area."
        and str(inspect.signature(area)).startswith("(width: 'float'")
        or str(inspect.signature(area)).startswith("(width: float")
    )
    assert area(2, height=np.float64(3)) == 6 and area(2.0, 3.0, "anything") == 6
    with pytest.raises(TypeError, match="width"):
        area()
    with pytest.raises(ValueError, match="height must be a number; got 'x'"):
        area(1.0, "x")
    with pytest.raises(ValueError, match="unit must be a text; got 3"):
        area(1.0, unit=3)
    plain = area.__wrapped__
    cost = min(timeit.repeat(lambda: area(1.0, 2.0), number=2000, repeat=5)) - min(
        timeit.repeat(lambda: plain(1.0, 2.0), number=2000, repeat=5)
    )
    assert cost / 2000 < 100e-6  # a few microseconds; the bound is for busy machines


def test_checked_leaves_autograd_alone():
    W = unit(randn(0, 3, 4))
    E = randn(1, 2, 3)
    loss = lambda rows: lib.approximate_loss(lib.Problem(W), lib.Weights(rows, randn(2, 3, 2)))
    assert torch.autograd.gradcheck(loss, (E.requires_grad_(),))
    model = lib.SDLModel(3, 4, k=1)
    model(torch.ones(2, 3)).sum().backward()
    assert model.W_E.grad is not None


def test_a_search_that_does_not_fit_is_refused_before_it_allocates():
    problem, n_q = lib.Problem(torch.eye(2)), 4000
    with pytest.raises(ValueError, match="n_q = 4000, n_p = 2.*GiB; the limit is.*fewer neurons"):
        lib.alternating_convex_search(problem, lib.pattern([[0], [1]], 2, n_q))


def test_directions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="n = 1000000000 directions in n_p = 100 .*GiB"):
        lib.feature_matrix(10**9, 100, 0.5)


def test_a_copy_inside_a_foreign_repository_has_no_commit(tmp_path):
    git = lambda *words: subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    git("init", "-q")
    (tmp_path / "theirs.py").write_text("")
    git("add", "theirs.py"), git("commit", "-q", "-m", "theirs")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "__init__.py").write_text("")
    assert own_commit(tmp_path / "theirs.py")
    assert own_commit(tmp_path / "site" / "__init__.py") is None
    assert own_commit(tmp_path / "nowhere" / "x.py") is None
