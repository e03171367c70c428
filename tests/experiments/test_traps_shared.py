"""Neurons that a model shares: what is read from it, beside the theory."""

import pytest
import torch

from sdl_theory import Moments, Problem, SDLModel, SparseFeatures, Verdict, group_minimum
from sdl_theory.experiments.paper.plane import Stream
from sdl_theory.experiments.traps import shared_neurons, shared_tables


@pytest.fixture
def small(monkeypatch):
    for name, value in dict(N=6, N_Q=3, STEPS=4, BATCH=8, DRAWS=20, FRESH=50).items():
        monkeypatch.setattr(shared_neurons, name, value)
    return shared_neurons


def directions(seed=0):
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64)
    return W / W.norm(dim=1, keepdim=True)


def test_groups_are_those_a_neuron_fires_for_and_those_it_answers_most():
    W = torch.eye(2, dtype=torch.float64)[None]
    model = SDLModel(2, 2, method="relu", instances=1, dtype=torch.float64)
    with torch.no_grad():
        # neuron 0 fires for both; neuron 1 for the second, with a smaller code but a longer column
        model.W_E.copy_(torch.tensor([[[1.0, 0.5], [-1.0, 0.4]]]))
        model.W_D.copy_(torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]))
    read = shared_neurons.patterns(model, W)
    assert read["fires"].tolist() == [[[True, True], [False, True]]]
    assert read["owns"].tolist() == [[[True, False], [False, True]]]


@pytest.mark.parametrize("l1", [0.0, 0.4])
def test_counts_of_traps_are_those_of_group_minimum(small, l1):
    W, moments = directions(), SparseFeatures(6, 0.9).moments()
    generator = torch.Generator().manual_seed(1)
    P = torch.rand(2, 8, 6, generator=generator) < 0.4
    counted = small.groups(W, P, moments, l1)
    for i in range(2):
        groups = [F.nonzero()[:, 0].tolist() for F in P[i] if F.sum() > 1]
        verdicts = [group_minimum(Problem(W[i]), F, moments=moments, l1=l1).verdict for F in groups]
        assert counted["shared"][i] == len(groups)
        assert counted["traps"][i] == sum(one is Verdict.TRAP for one in verdicts)
    assert 0 < sum(counted["traps"]) < sum(counted["shared"])


def test_a_neuron_at_the_point_of_its_group_has_cosine_one_and_random_groups_are_of_its_size(small):
    W, moments = directions(), SparseFeatures(6, 0.9).moments()
    pairs = [
        next(
            [a, b]
            for a in range(6)
            for b in range(a)
            if (found := group_minimum(Problem(one), [a, b], moments=moments)).exists
        )
        for one in W
    ]
    P, columns = torch.zeros(2, 3, 6, dtype=torch.bool), torch.ones(2, 4, 3).double()
    for i, pair in enumerate(pairs):
        P[i, 0, pair] = True
        P[i, 1, 0] = True  # a single feature is no group
        columns[i, :, 0] = 3 * group_minimum(Problem(W[i]), pair, moments=moments).w_D
    found = small.beside(W, P, columns, moments, l1=0.0, S=0.9)
    assert found["size"] == [2.0, 2.0]
    assert found["cosine"] == pytest.approx([1.0, 1.0], abs=1e-4)
    assert all(0 < share < 1 for share in found["random"])


def test_the_slope_is_zero_where_nothing_is_left_to_gain(small):
    W = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    stream, model = Stream(W, 0.8, 0), SDLModel(3, 3, method="relu", instances=2).double()
    with torch.no_grad():
        model.W_E.copy_(W)
        model.W_D.copy_(W)
    rest = small.at_rest(model, stream, l1=0.0)
    assert rest == dict(loss=[0.0, 0.0], slope=[0.0, 0.0])
    assert min(small.at_rest(model, stream, l1=0.1)["slope"]) > 0


@pytest.mark.parametrize("method", shared_neurons.METHODS)
def test_a_row_has_a_figure_for_every_seed_and_follows_from_its_job(small, method):
    job = dict(method=method, n_p=4, S=0.8)
    row = small.run(job)
    assert small.run(job) == row and job.items() <= row.items()
    for reading in shared_tables.READINGS:
        own = row[reading]
        assert {len(own[name]) for name in own if name != "untrained"} == {10}
        assert all(hits <= all_of <= 3 for hits, all_of in zip(own["traps"], own["shared"]))
        assert all(hits <= all_of for hits, all_of in zip(*own["untrained"]))
    small.show([row])


def row(traps, random):
    one = dict(shared=[2, 2, 0], traps=traps, random=random, size=[2.0, 3.0, None])
    one |= dict(cosine=[0.9, None, None], untrained=[[0, 1, 2], [2, 2, 2]])
    made = dict(method="topk", n_p=4, S=0.9, loss=[0.1] * 3, slope=[0.1] * 3)
    return made | dict(fires=one, owns=one)


@pytest.mark.parametrize(
    "traps, random, verdict",
    [
        ([2, 2, 0], [0.3, 0.31, None], "more"),
        ([0, 0, 0], [0.3, 0.31, None], "fewer"),
        ([0, 2, 0], [0.5, 0.5, None], "undecided"),
    ],
)
def test_more_or_fewer_than_random_is_said_by_the_interval(traps, random, verdict):
    line, _ = shared_tables.shared([row(traps, random)])
    assert line.verdict == verdict and line.neurons == pytest.approx(4 / 3) and line.size == 2.5
    assert line.traps.value == sum(traps) / 4 and line.untrained.value == 0.5
    assert line.traps.low < line.traps.high  # though all seeds agree
    start = [0 / 2, 1 / 2]  # of the third nothing is shared in the end
    expected = sum(traps[i] / 2 - start[i] for i in range(2)) / 2
    assert line.over_start.value == pytest.approx(expected)


def test_models_without_shared_neurons_have_no_shares():
    nothing = row([0, 0, 0], [None, None, None])
    for reading in ("fires", "owns"):
        nothing[reading] |= dict(shared=[0, 0, 0], cosine=[None] * 3, size=[None] * 3)
    line, _ = shared_tables.shared([nothing])
    assert line.traps is None and line.more is None and line.verdict == "undecided"
    assert isinstance(SparseFeatures(2, 0.5).moments(), Moments)
