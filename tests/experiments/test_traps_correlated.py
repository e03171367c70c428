"""Features that come together: their chances, the law's lines, and what is read as absorbed."""

import pytest
import torch

from sdl_theory import (
    Constant,
    Moments,
    Problem,
    ShiftedExponential,
    Verdict,
    group_minimum,
    interval,
)
from sdl_theory.experiments.traps import correlated, correlated_tables
from sdl_theory.experiments.traps.worlds import World, descend, pair_of, supports, tied


@pytest.mark.parametrize("children", [1, 3])
def test_a_family_has_the_moments_of_a_parent_and_children_that_imply_it(children):
    given = torch.tensor([0.1, 0.7]).double()
    x, chances = correlated.family_supports(children, given)
    for i, c in enumerate(given.tolist()):
        exact = Moments.hierarchical(correlated.PARENT, [c] * children)
        assert torch.allclose(x.mT @ (chances[i][:, None] * x), exact.C)
    W = correlated.family(children, 0.6)
    G = W.mT @ W
    assert torch.allclose(G[0], torch.tensor([1.0] + [0.6] * children).double())
    assert torch.allclose(G.diagonal(), torch.ones(children + 1).double())


@pytest.mark.parametrize("r", [-0.2, 0.0, 0.5])
def test_two_that_come_together_have_the_moments_of_their_correlation(r):
    chances, x = correlated.correlated_chances(0.2, torch.tensor([r]).double()), supports(2)
    exact = Moments.correlated(2, S=0.8, r=r)
    assert torch.allclose(x.mT @ (chances[0][:, None] * x), exact.C)


@pytest.mark.parametrize("what", ["together", "implied"])
def test_the_law_of_a_row_is_that_of_group_minimum(what, monkeypatch):
    monkeypatch.setattr(correlated, "STEPS", 2)
    monkeypatch.setattr(correlated, "LONG", 2)
    monkeypatch.setattr(correlated, "BATCH", 4)
    jobs = [job for job in correlated.jobs() if job["what"] == what]
    for job in jobs[::4]:
        row = correlated.run(job)
        assert len(row["merged"]) == len(row["at"]) == len(row["trap"])
        for at, trap in zip(row["at"], row["trap"]):
            if what == "together":
                law = ShiftedExponential() if job["descent"] == "exponential" else Constant(1.0)
                moments, rho = Moments.correlated(2, job["S"], at, law), job["rho"]
            else:
                moments, rho = Moments.hierarchical(correlated.PARENT, [job["given"]]), at
            problem = Problem(pair_of(torch.tensor([rho]).double())[0])
            verdict = group_minimum(problem, [0, 1], moments=moments).verdict
            assert (verdict is Verdict.TRAP) is trap
        at, below, above = row["line"], row["trap"].index(True) - 1, row["trap"].index(True)
        assert row["at"][below] < at < row["at"][above]


def test_exponential_magnitudes_halve_what_correlation_does(monkeypatch):
    monkeypatch.setattr(correlated, "STEPS", 2)
    monkeypatch.setattr(correlated, "LONG", 2)
    job = dict(what="together", S=0.8, rho=-0.2, start="merged")
    exact, halved = (correlated.run(job | dict(descent=law)) for law in ("exact", "exponential"))
    # P(both) / p is to be .2, or .4
    assert exact["line"] == pytest.approx(0.0) and halved["line"] == pytest.approx(0.25)


def test_an_absorbed_dictionary_is_the_cheaper_one_and_the_way_there_falls():
    """Both rebuild all samples; under an L1 a column that leans by e saves e (1 - rho) a sample
    with the child, and the absorbed one as much as the norms say."""
    rho, given, l1 = 0.3, 0.4, 0.2
    W, rare = correlated.family(1, rho), correlated.PARENT * given
    samples, chances = correlated.family_supports(1, torch.tensor([given]).double())
    world = World(W[None], torch.tensor([l1]).double())

    def cost(lean):
        columns = W @ torch.tensor([[1.0, lean], [0.0, 1.0]]).double()
        rows = torch.linalg.inv(columns)
        if lean == 1:  # the parent's neuron is to be silent beside the child's
            rows = torch.tensor([[1.0, -1.0], [0.0, 1.0]]).double() @ torch.linalg.inv(W)
        return world.loss(rows[None], columns[None], (samples @ W.mT, chances)).item()

    whole = (2 + 2 * rho) ** 0.5
    assert cost(0.0) == pytest.approx(l1 * (correlated.PARENT + rare))
    assert cost(1.0) == pytest.approx(l1 * (correlated.PARENT - rare + rare * whole))
    assert cost(1.0) < cost(0.5) < cost(0.0)
    slope = (cost(1e-6) - cost(0.0)) / 1e-6
    assert slope == pytest.approx(-l1 * rare * (1 - rho), rel=1e-4)


def test_what_is_read_as_absorbed_apart_held_and_lost(monkeypatch):
    monkeypatch.setattr(correlated, "MANY", 1)
    W = correlated.family(1, 0.0).expand(4, 2, 2)
    rows = torch.tensor(
        [[[1, -1], [0, 1]], [[1, 0], [0, 1]], [[1, 1], [0, -1]], [[-1, 0], [0, 1]]]
    ).double()
    columns = torch.tensor(
        [[[1, 1], [0, 1]], [[1, 0], [0, 1]], [[1, 0], [1, 1]], [[1, 0], [0, 1]]]
    ).double()
    found = correlated.read(World(W, torch.zeros(4)), rows, columns)
    assert found["absorbed"] == [1, 0, 0, 0]
    assert found["apart"] == [0, 1, 0, 0]
    assert found["held"] == [0, 0, 1, 0]
    assert found["cosine"] == [[0.707107, 0.5, 1], [0.0, 0.0, 1], [0.0, 0.0, 0], [0.0, 0.0, 0]]


def test_a_descent_from_the_truth_with_an_l1_absorbs_an_only_child():
    given = torch.tensor([0.1, 0.8]).double()
    W = correlated.family(1, 0.3).repeat(2, 1, 1)
    world = World(W, torch.full((2,), 0.2).double())
    rows = W.mT.clone() + 0.05
    W_E, W_D = descend(world, (rows, tied(rows)), correlated.family_supports(1, given), steps=1500)
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).double()
    assert torch.equal(world.fires(W_E, x), torch.eye(2).bool().expand(2, 2, 2))
    along = (W_D[:, :, 1] * W[:, :, 0]).sum(1) / W_D[:, :, 1].norm(dim=1)
    assert torch.allclose(along, torch.tensor(0.65).double().sqrt(), atol=1e-3)


def test_pooled_means_have_the_interval_of_all_their_runs():
    values = torch.rand(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = [
        dict(given=(0.05, 0.2), cosine=[correlated._spread(values[:4]), [0.9, 0.81, 20]]),
        dict(given=(0.1, 0.3), cosine=[correlated._spread(values[4:]), [0.9, 0.81, 20]]),
    ]
    got, expected = correlated_tables._pooled(rows, 0.0, 0.1), interval(values)
    assert got.value == pytest.approx(expected.value, abs=1e-5)
    assert got.high == pytest.approx(expected.high, abs=1e-4)
    assert correlated_tables._pooled(rows, 0.5, 1.0) is None
    one = [dict(given=(0.05,), cosine=[[0.3, 0.09, 1]])]
    assert correlated_tables._pooled(one, 0.0, 0.1).low is None


def test_absorption_is_counted_among_children_that_have_a_neuron():
    job = dict(what="absorption", start="truth", sigma="relu", shrink=0.1, children=1, rho=0.0)
    row = job | dict(
        given=[0.05, 0.2, 0.8],
        absorbed=[15, 0, 5],
        apart=[5, 0, 5],
        held=[0, 20, 10],
        cosine=[[0.7, 0.49, 20], [0.0, 0.0, 0], [0.6, 0.37, 10]],
    )
    (line,) = correlated_tables.absorption([row, dict(what="implied")])
    assert line.rare.value == 0.75 and line.middling is None and line.often.value == 0.5
    assert line.held.value == 0.5 and line.runs == 60
    (column,) = correlated_tables.columns([row])
    assert column.absorbed == pytest.approx(0.5**0.5) and column.middling is None


def test_rows_follow_from_their_jobs_alone_and_jobs_differ(monkeypatch, capsys):
    monkeypatch.setattr(correlated, "STEPS", 2)
    monkeypatch.setattr(correlated, "LONG", 2)
    monkeypatch.setattr(correlated, "BATCH", 4)
    jobs = correlated.jobs()
    assert len({str(sorted(job.items())) for job in jobs}) == len(jobs)
    some = [next(job for job in jobs if job["what"] == what) for what in ("together", "absorption")]
    some.append(next(job for job in jobs if job.get("descent") == "exponential"))
    rows = [correlated.run(job) for job in some]
    assert [correlated.run(job) for job in reversed(some)] == rows[::-1]
    correlated.show(rows)
    assert "absorption" not in capsys.readouterr().out.split("A parent")[0]
