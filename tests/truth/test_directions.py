"""Real directions: ImageNet's classes, one's own, and which named groups are traps."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from strategies import randn, unit

from sdl_theory import (
    JumpReLU,
    Problem,
    Verdict,
    absorb,
    diagnose_groups,
    group_minimum,
    imagenet_directions,
    interference,
    load_directions,
    loss_ladder,
    partial_minimum,
    pattern,
    trap_share,
)
from sdl_theory.estimate import wilson
from sdl_theory.truth.data import rebuild
from sdl_theory.truth.directions import DATA


@pytest.fixture(scope="module")
def real():
    return imagenet_directions()


@pytest.fixture(scope="module")
def problem(real):
    return Problem(real.W_p)


def test_shipped_file_is_what_the_packages_give():
    """Rebuilds the data from the packages it came from.

    Needs the dev extra and WordNet 3.0; CI must have both.
    """
    if not rebuild.WORDNET.exists() and not os.environ.get("CI"):
        pytest.skip("WordNet 3.0 is not installed (Debian: apt-get install wordnet-base)")
    assert torch.equal(
        rebuild.class_directions(), load_file(DATA / "imagenet_directions.safetensors")["W_p_rows"]
    )
    assert rebuild.classes() == json.loads(
        (DATA / "imagenet_classes.json").read_text(encoding="utf-8")
    )


def test_shape_names_and_licences(real):
    assert real.W_p.shape == (1280, 1000)
    assert real.W_p.dtype is torch.float64
    assert len(real.names) == len(real.wnids) == 1000
    assert (real.W_p.norm(dim=0) - 1).abs().max() < 1e-14
    assert torch.linalg.matrix_rank(real.W_p) == 1000
    assert 0.74 < interference(real.W_p) < 0.76
    notice = (DATA / "NOTICE").read_text()
    assert all(
        word in notice for word in ("Apache License", "MIT License", "WordNet 3.0 Copyright")
    )


def test_groups_by_wordnet(real):
    assert [
        len(real.group(g))
        for g in ("dog", "Herding dog", "spaniel", "terrier", "snake", "bird", "n02084071")
    ] == [118, 12, 7, 26, 17, 59, 118]
    assert real.index("Border Collie") == 232
    assert real.index("n02106166") == 232
    assert 232 in real.group("dog")
    for call, words in (
        (lambda: real.group("unicorn"), "no WordNet noun"),
        (lambda: real.group("crane"), "several meanings"),
        (lambda: real.index("missile"), "2 features"),
        (lambda: real.index("Collie dog"), "0 features"),
        (lambda: imagenet_directions(2000), "at most 1280"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_all_dogs_are_a_trap(real, problem):
    dogs = group_minimum(problem, real.group("dog"))
    assert dogs.verdict is Verdict.TRAP
    assert dogs.eigenvalue == pytest.approx(8.24, abs=0.005)
    assert dogs.y.min().item() == pytest.approx(0.051, abs=0.001)
    G = problem.W_p[:, dogs.group].mT @ problem.W_p[:, dogs.group]
    assert G.min() < 0  # although some pairs of breeds have negative cosine


def test_real_siblings_are_traps_and_random_groups_are_not(real, problem):
    groups = {
        name: real.group(name) for name in ("herding dog", "spaniel", "terrier", "snake", "bird")
    }
    table = diagnose_groups(
        problem, groups, controls=200, generator=torch.Generator().manual_seed(0)
    )
    for row in table:
        assert row.verdict is Verdict.TRAP
        assert row.realizable
        assert row.reached
        assert row.control_high < 0.06
        assert row.cosine > 0.05
    assert "spaniel" in str(table) and "<table>" in table._repr_html_()


def test_share_of_random_traps(problem):
    """43 / 19 / 2.3 % at sizes 2 / 3 / 5, an independent draw of 1,000.

    Two such shares differ by less than 3 standard errors.
    """
    for size, reference in ((2, 0.43), (3, 0.19), (5, 0.023)):
        share, low, high = trap_share(problem, size, 1000, torch.Generator().manual_seed(size))
        assert low < share < high
        assert abs(share - reference) < 3 * (2 * reference * (1 - reference) / 1000) ** 0.5
    # dependent directions: the slow way, by group_minimum
    small = Problem(unit(randn(0, 2, 6)), randn(1, 4, 6))
    slow = trap_share(small, 3, 50, torch.Generator().manual_seed(0))[0]
    groups = [
        torch.randperm(6, generator=g)[:3].tolist()
        for g in [torch.Generator().manual_seed(0)]
        for _ in range(50)
    ]
    assert slow == sum(group_minimum(small, g).verdict is Verdict.TRAP for g in groups) / 50


def test_batched_share_is_group_minimum_by_group(problem):
    fast = trap_share(problem, 3, 200, torch.Generator().manual_seed(5))[0]
    g = torch.Generator().manual_seed(5)
    assert (
        fast
        == sum(
            group_minimum(problem, torch.randperm(1000, generator=g)[:3].tolist()).verdict
            is Verdict.TRAP
            for _ in range(200)
        )
        / 200
    )


def test_border_collie_absorbed_out_of_herding_dogs(real, problem):
    sigma, herd, collie = JumpReLU(0.05), real.group("herding dog"), real.index("Border Collie")
    rest = [[d] for d in range(1000) if d not in set(herd)]
    parent = partial_minimum(problem, pattern([herd, *rest], 1000, len(rest) + 2), sigma)
    answer = absorb(problem, parent.weights, sigma, 0, collie)
    after = partial_minimum(problem, answer.pattern, sigma)
    assert parent.verdict is Verdict.TRAP
    assert answer.realizable
    assert after.verdict is Verdict.TRAP
    assert after.loss < parent.loss
    bounds = [rung.bound for rung in loss_ladder(problem, herd)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] == pytest.approx(parent.loss, rel=1e-6)


@pytest.mark.parametrize("n_p, realizable", [(768, True), (64, False)])
def test_superposition_by_projection(n_p, realizable):
    d = imagenet_directions(n_p, generator=torch.Generator().manual_seed(0))
    again = imagenet_directions(n_p, generator=torch.Generator().manual_seed(0))
    assert torch.equal(d.W_p, again.W_p) and d.W_p.shape == (n_p, 1000)
    row = diagnose_groups(Problem(d.W_p), {"snakes": d.group("snake")}, controls=2)[0]
    assert row.verdict is Verdict.TRAP and row.realizable is realizable


def test_own_directions(tmp_path):
    W = randn(0, 5, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    np.save(tmp_path / "w.npy", W.numpy())
    save_file({"W_dec": W.mT.contiguous(), "b": torch.ones(2)}, tmp_path / "w.safetensors")
    for d in (
        load_directions(W),
        load_directions(tmp_path / "w.npy"),
        load_directions(tmp_path / "w.safetensors", key="W_dec", rows=True, names=list("abcd")),
    ):
        assert torch.allclose(d.W_p, unit(W))
    table = diagnose_groups(
        Problem(d.W_p), {"ab": ["a", "b"], "one": [2]}, controls=5, names=d.names
    )
    assert table[0].verdict in (Verdict.TRAP, Verdict.SADDLE) and table[1].verdict is Verdict.GLOBAL
    W[:, 1] = 0
    (tmp_path / "x.txt").write_text("1")
    for call, words in (
        (lambda: load_directions(W), "direction 1 is zero"),
        (lambda: load_directions(tmp_path / "no.npy"), "no file"),
        (lambda: load_directions(tmp_path / "x.txt"), "npy or .safetensors"),
        (lambda: load_directions(tmp_path / "w.safetensors"), "pass key="),
        (lambda: load_directions(tmp_path / "w.npy", names=list("abcde")), "rows=True"),
        (lambda: diagnose_groups(Problem(d.W_p), {"g": ["zebra"]}), "unknown features"),
        (lambda: diagnose_groups(Problem(d.W_p), {"g": [9]}), "outside"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_wilson():
    assert wilson(0, 1000)[0] == 0
    assert wilson(0, 1000)[1] == pytest.approx(0.00383, abs=1e-5)
    assert wilson(500, 1000)[0] == pytest.approx(0.469, abs=1e-3)
