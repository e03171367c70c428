"""A model read by the theory: hand-made models whose verdicts are known, and a trained one."""

import pytest
import torch

from sdl_theory import (
    Config,
    LinearRepresentationBench,
    SDLModel,
    Verdict,
    diagnose,
    evaluate,
    fit,
    ideal_weights,
    pattern,
    second_order,
)
from sdl_theory.truth.sampling import Constant


def three(cosines, **bench):
    """A bench with three given cosines, magnitude 1."""
    a, b, c = cosines
    W = torch.linalg.cholesky(
        torch.tensor([[1, a, b], [a, 1, c], [b, c, 1]], dtype=torch.float64)
    ).mT
    return LinearRepresentationBench(
        W_p=W / W.norm(dim=0), S=0.9, magnitudes=Constant(1.0), **bench
    )


def model(bench, W_E, W_D, method="relu", **kwargs):
    made = SDLModel(bench.n_p, len(W_E), method=method, dtype=torch.float64, **kwargs)
    with torch.no_grad():
        made.W_E.copy_(W_E)
        made.W_D.copy_(W_D)
    return made


def rows_for(bench, groups, n_q):
    """An encoder that fires for each group alone: dual basis sums."""
    P = pattern(groups, bench.n, n_q).double()
    return (P - 0.3 * (1 - P) * (P.sum(1, keepdim=True) > 0)) @ torch.linalg.pinv(bench.problem.W_p)


def test_a_positively_correlated_pair_alone_is_a_trap_and_a_negative_one_a_saddle():
    for rho, verdict in ((0.6, Verdict.TRAP), (-0.2, Verdict.SADDLE)):
        bench = three((rho, 0, 0))
        read = diagnose(
            model(
                bench,
                rows_for(bench, [[0, 1], [2]], 4),
                torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double(),
            ),
            bench,
        )
        assert read.P[:2].tolist() == [[True, True, False], [False, False, True]]
        assert not read.P[2:].any()
        assert read.neurons[:2] == [verdict, Verdict.MONOSEMANTIC] and read.lost == []
        assert [(g.neuron, g.features, g.verdict) for g in read.groups] == [(0, (0, 1), verdict)]
        assert read.groups[0].group_loss == pytest.approx(
            (1 - abs(rho) if rho > 0 else 1 + abs(rho)) * bench.problem.M_d[0].item()
        )
        # nothing with this group does better at a top eigenvector, walls aside
        assert read.groups[0].own_loss >= read.groups[0].group_loss - 1e-12
        assert "trap" in str(read) or rho < 0


def test_features_that_fire_two_neurons_leave_both_undecided():
    bench = three((0, 0, 0))
    read = diagnose(model(bench, rows_for(bench, [[0, 1], [1], [2]], 3), torch.eye(3)), bench)
    assert read.neurons == [Verdict.UNDECIDED, Verdict.UNDECIDED, Verdict.MONOSEMANTIC]
    assert len(read.groups) == 0
    assert read.certificate.verdict is Verdict.NOT_STATIONARY and read.polished is None


def test_polished_every_neuron_is_decided_at_the_next_stationary_point():
    """Rows 0 and 1 share feature 1: descent makes them a trap or loses nothing, and says where."""
    bench = three((0.6, 0.5, 0.4))
    rows = rows_for(bench, [[0, 1, 2], [1, 2], [2]], 3)
    columns = torch.randn(3, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    one = model(bench, rows[:2], columns)
    read, end = diagnose(one, bench), diagnose(one, bench, polish=True)
    assert read.neurons == [Verdict.UNDECIDED] * 2
    assert end.polished.losses == sorted(end.polished.losses, reverse=True)
    assert end.polished.moved_D > 0 and "polished: Lt" in str(end)
    assert Verdict.UNDECIDED not in end.neurons and end.polished.stationary
    told = second_order(bench.problem, end.polished.weights)
    assert end.certificate.verdict is told.verdict
    shares = [i for i in (0, 1) if end.certificate.pattern[i].any()]
    assert all(end.neurons[i] in (told.verdict, Verdict.MONOSEMANTIC) for i in shares)
    short = diagnose(one, bench, polish=True, polish_steps=1)  # too few: undecided, and why
    assert short.neurons == [Verdict.UNDECIDED] * 2
    assert "not stationary after 1 step" in str(short)
    biased = model(bench, rows, torch.eye(3), biases=True)
    with pytest.raises(ValueError, match="without biases or gates"):
        diagnose(biased, bench, polish=True)


def test_the_ideal_point_is_read_as_ideal():
    bench = LinearRepresentationBench(12, 8, 0.9, 0.4, seed=0, magnitudes=Constant(1.0))
    weights = ideal_weights(bench.problem, 16)
    read = diagnose(model(bench, weights.W_E, weights.W_D, method="jumprelu", theta=0.45), bench)
    assert read.counts == {"monosemantic": 12, "strictly_dead": 4} and read.lost == []
    assert read.certificate.verdict is Verdict.GLOBAL and read.approximate_loss < 1e-20
    # Lt = 0 is not L = 0: two features at once interfere
    assert read.loss > 1e-6 and read.two_active > 0.3


def test_L_and_Lt_are_the_two_losses():
    """Orthonormal features, a decoder that shrinks by half: both lose a quarter of the signal."""
    bench = LinearRepresentationBench(
        W_p=torch.eye(5, dtype=torch.float64), S=0.8, dtype=torch.float64
    )
    read = diagnose(model(bench, torch.eye(5), 0.5 * torch.eye(5)), bench, samples=500)
    assert read.loss == pytest.approx(0.25) and read.approximate_loss == pytest.approx(0.25)
    assert read.one_active == pytest.approx(5 * 0.2 * 0.8**4)
    assert read.two_active == pytest.approx(1 - 0.8**5 - 5 * 0.2 * 0.8**4)


class Foreign:
    """A model of a class that the library does not know."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)


def test_a_model_is_known_by_what_it_has():
    bench = LinearRepresentationBench(12, 8, 0.9, 0.4, seed=0, magnitudes=Constant(1.0))
    weights = ideal_weights(bench.problem, 16)
    made = model(bench, weights.W_E, weights.W_D, method="jumprelu", theta=0.45)
    assert str(diagnose(Foreign(made), bench)) == str(diagnose(made, bench))
    assert str(evaluate(Foreign(made), bench)) == str(evaluate(made, bench))
    for wrong in (None, 3, SDLModel, torch.nn.Linear(8, 16)):
        with pytest.raises(ValueError, match="model must be a model; build SDLModel"):
            diagnose(wrong, bench)


@pytest.mark.parametrize(
    "method, extra",
    [
        ("topk", dict(k=2)),
        ("batchtopk", dict(k=2)),
        ("jumprelu", {}),
        ("gated", {}),
        ("relu", dict(biases=True)),
    ],
)
def test_trained_models_of_every_kind_are_read(method, extra):
    bench = LinearRepresentationBench(20, 24, 0.95, 0.5, seed=2)
    made = SDLModel(24, 40, method=method, generator=torch.Generator().manual_seed(0), **extra)
    fit(
        made,
        bench,
        Config(steps=150, batch=128, lr=5e-3, target_l0=None if "k" in extra else 2.0),
        progress=False,
    )
    read = diagnose(made, bench, samples=1000)
    assert len(read.neurons) == 40 and sum(read.counts.values()) == 40 and read.P.shape == (40, 20)
    assert (read.certificate is None) == (method == "gated" or "biases" in extra)
    if read.certificate is not None:
        assert torch.equal(read.P, read.certificate.pattern)
        assert read.certificate.verdict is Verdict.NOT_STATIONARY
    with pytest.raises(ValueError, match=r"model.instance\(0\)"):
        diagnose(SDLModel(24, 40, instances=2), bench)


def test_where_no_feature_is_ever_alone_there_is_no_certificate():
    """S = 0: Lt sees nothing."""
    bench = LinearRepresentationBench(n=4, n_p=3, S=0.0, mu=0.5, dtype=torch.float64)
    made = model(bench, torch.ones(2, 3), torch.ones(3, 2))
    found = diagnose(made, bench, samples=100)
    assert found.certificate is None and found.one_active == 0
    assert "certificate       none: no feature is alone" in str(found)
