"""How common traps are: the batched count against `group_minimum`, and known shares."""

import pytest
import torch
from strategies import randn, unit

from sdl_theory import (
    Constant,
    Problem,
    ShiftedExponential,
    SparseFeatures,
    Verdict,
    group_minimum,
    imagenet_directions,
    prevalence,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("l1", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("transcoder", [False, True])
@pytest.mark.parametrize("n_p", [3, 12])  # three dimensions: directions are dependent
def test_the_literal_twin(n_p, transcoder, l1):
    """The same groups, judged one by one."""
    W_r = randn(1, 4, 12) if transcoder else None
    problem, law = Problem(unit(randn(0, n_p, 12)), W_r), ShiftedExponential(0.5)
    for size, S in ((2, 0.9), (4, 0.5), (5, 0.97)):
        drawn, traps = generator(size), 0
        for _ in range(25):
            group = torch.randperm(12, generator=drawn)[:size].tolist()
            moments = SparseFeatures(12, S, law).moments()
            minimum = group_minimum(problem, group, moments=moments, l1=l1)
            traps += minimum.verdict is Verdict.TRAP
        (row,) = prevalence(
            problem, [size], [S], draws=25, magnitudes=law, l1=l1, generator=generator(size)
        )
        assert row.share == traps / 25 and (row.size, row.S) == (size, S)
        assert row.low <= row.share <= row.high


def test_towards_lone_features_it_is_lt():
    """2^(1 - size) of sign-symmetric groups, as S tends to 1."""
    for row in prevalence(400, [2, 3, 5], [1 - 1e-7], draws=1000, generator=generator()):
        assert row.low <= 2.0 ** (1 - row.size) <= row.high


def test_denser_data_have_more_traps_and_stronger_interference_fewer():
    """The known shares for groups of 11: .064 at S = .99, .769 at .97, 1 at .9; .337 for 64."""
    wide = prevalence(768, [11], [0.99, 0.97, 0.9], draws=250, generator=generator())
    narrow = prevalence(64, [11], [0.97, 0.9], draws=250, generator=generator())
    for row, known in zip([*wide, *narrow], [0.064, 0.769, 1.0, 0.025, 0.337]):
        spread = 3 * (known * (1 - known) / 400) ** 0.5 + 0.006
        assert abs(row.share - known) < spread, row
    kappas = [row.kappa for row in wide]
    assert kappas == pytest.approx([0.01, 0.03, 0.1])


def test_what_is_always_active_together_is_no_trap():
    always = prevalence(8, [3], [0.0], draws=20, magnitudes=Constant(1.0))
    assert always[0].share == 0 and always[0].kappa == 1  # one feature in all but name: global


def test_real_siblings_are_traps_at_every_sparsity():
    directions = imagenet_directions()
    dogs = directions.group("dog")
    siblings = Problem(directions.W_p[:, dogs])
    sparsities = [0.9999, 0.9]
    kin = prevalence(siblings, [5], sparsities, draws=200, generator=generator())
    random = prevalence(Problem(directions.W_p), [5], sparsities, draws=200, generator=generator())
    assert min(row.share for row in kin) > 0.75
    assert random[0].high < kin[0].low


def test_bad_input_is_named():
    problem = Problem(torch.eye(3, dtype=torch.float64))
    for call, words in (
        (lambda: prevalence(problem, [4], [0.9]), "sizes has 4.*n = 3 features"),
        (lambda: prevalence(problem, [1], [0.9]), r"sizes\[0\]"),
        (lambda: prevalence(problem, [2], [1.0]), r"S\[0\]"),
        (lambda: prevalence(0, [2], [0.5]), "where"),
        (lambda: prevalence("x", [2], [0.5]), "where must be"),
        (lambda: prevalence(problem, [2], [0.5], draws=0), "draws"),
        (lambda: prevalence(10**6, [30], [0.5]), "GiB.*fewer draws"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
