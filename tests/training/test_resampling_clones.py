"""Clones from samples, beside the theory's from single features; and what they keep."""

import pytest
import torch
from models_for_tests import BENCH, begun_by, model, seeded
from resampling_for_tests import trapped

from sdl_theory import Config, Trainer, escape
from sdl_theory.theory.clone import split as theory_split
from sdl_theory.training.methods import WITH_K
from sdl_theory.training.resampling import resample
from sdl_theory.training.resampling.split import NUDGE, Pull, clone, nudge, pulls
from tests.traps_for_tests import loss

f64 = torch.float64


@pytest.mark.parametrize("seed", range(4))
def test_pulls_of_samples_are_those_of_the_theory(seed):
    problem, weights, made, x, missing = trapped(seed)
    fires = (made.encode(x) != 0)[:, :2]
    start = torch.randn(2, 6, generator=seeded(), dtype=f64)
    pull = pulls(x, missing, fires, v=start, turns=300)
    way = escape(problem, weights)
    i = way.neuron
    assert -8 * pull.sigma[i].item() == pytest.approx(way.curvature, rel=1e-6)
    # S_i itself, and the loss along the two
    S = missing.mT @ (x * fires[:, i : i + 1]) / len(x)
    assert pull.sigma[i].item() == pytest.approx(torch.linalg.matrix_norm(S, 2).item(), rel=1e-6)
    assert (pull.u[i] @ S @ pull.v[i]).item() == pytest.approx(pull.sigma[i].item(), rel=1e-6)
    spread = ((x @ pull.v[i]).square() * fires[:, i]).mean().item()
    assert pull.spread[i].item() == pytest.approx(spread, rel=1e-9)
    two = theory_split(weights, i, 2)
    eps = 1e-3
    for one, sign in ((i, 1), (2, -1)):
        two.W_E[one] += sign * eps * pull.v[i]
        two.W_D[:, one] += sign * eps * pull.u[i]
    fall = loss(problem, two) - loss(problem, weights)
    wanted = -4 * eps**2 * pull.sigma[i] + 4 * eps**4 * pull.spread[i]
    assert fall == pytest.approx(wanted.item(), rel=1e-5)


def test_pulls_of_pairs_are_those_of_masks(monkeypatch):
    x, r = (torch.randn(300, d, generator=seeded(d), dtype=f64) for d in (7, 5))
    fires = torch.rand(300, 40, generator=seeded()) < 0.05
    fires[:, 3] = False
    v = torch.randn(40, 7, generator=seeded(1), dtype=f64)
    few = pulls(x, r, fires, v=v, turns=4)
    where = "sdl_theory.training.resampling.split.SPARSE_BELOW"
    monkeypatch.setattr(where, 0.0)
    many = pulls(x, r, fires, v=v, turns=4)
    assert few.sigma[3] == 0 and few.sigma.max() > 0.05
    for one, other in zip(few, many):
        torch.testing.assert_close(one, other)


def scattered(method, biases):
    """A model whose every vector is random."""
    made = model(method, dtype=f64, biases=biases)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.startswith(("b_", "r_")):
                parameter.normal_(0, 0.1, generator=seeded(7))
        if method == "jumprelu":
            made.theta.uniform_(0.1, 0.5, generator=seeded(8))
        made.W_E[40:] = 0
        if biases:
            made.b_E[40:] = -1
        if method == "gated":
            made.b_gate[40:] = -1
    return made


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_a_clone_changes_nothing_on_any_input_and_its_nudge_little(method, biases):
    made, x = scattered(method, biases), BENCH.batch(0, 500).x_p.double()
    wild = 10 * torch.randn(50, 30, generator=seeded(), dtype=f64)
    before = made(x), made(wild)
    clone(made, torch.tensor([3, 8]), torch.tensor([50, 60]))
    torch.testing.assert_close(made(x), before[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(made(wild), before[1], rtol=0, atol=1e-11)
    norms = made.W_D.norm(dim=0)
    v, u = (torch.nn.functional.normalize(torch.ones(2, 30, dtype=f64), dim=1) for _ in "vu")
    big = torch.full((2,), 1e9, dtype=f64)
    nudge(made, torch.tensor([3, 8]), torch.tensor([50, 60]), Pull(big, v, u, big / 1e12))
    torch.testing.assert_close(made.W_D.norm(dim=0), norms)
    moved = (made(x) - before[0]).norm() / before[0].norm()
    assert 0 < moved < NUDGE and not torch.equal(made.W_E[3], made.W_E[50])


@pytest.mark.parametrize("method", ["relu", "jumprelu", "gated"])
def test_clones_of_the_strongest_lower_the_loss_by_what_their_pulls_say(method):
    """On the samples, but for those that a nudge takes over a wall."""
    made, x = scattered(method, False), BENCH.batch(0, 500).x_p.double()
    dead = torch.arange(64) >= 40
    miss = lambda: (x - made(x)).square().sum(1).mean().item()
    codes, left = made.encode(x), x - made(x)
    sizes = torch.stack(
        [torch.linalg.matrix_norm(left.mT @ (x * (codes[:, i : i + 1] != 0)), 2) for i in range(40)]
    )
    strongest, before = sizes.topk(24).indices, miss()
    rows = made.W_E.detach().clone()
    new = begun_by("split", made, x, x, dead)
    assert new.tolist() == list(range(40, 64))
    cosines = torch.nn.functional.cosine_similarity(made.W_E[new][:, None], rows[None, :40], dim=2)
    assert len(set(cosines.argmax(1).tolist()) & set(strongest.tolist())) >= 20
    assert miss() < before


def test_a_nudge_moves_the_output_by_the_product_of_its_two_parts():
    """x_hat + 2 a b u <v, x>, exactly, where both clones fire: columns are brought back to norm."""
    made, x = scattered("relu", False), BENCH.batch(0, 500).x_p.double()
    of, spare = torch.tensor([3]), torch.tensor([50])
    clone(made, of, spare)
    before, row = made(x).detach(), made.W_E[3].norm().item()
    v, u = (torch.nn.functional.normalize(torch.randn(1, 30, dtype=f64), dim=1) for _ in "vu")
    nudge(made, of, spare, Pull(torch.ones(1, dtype=f64) * 1e9, v, u, torch.ones(1, dtype=f64)))
    both = (made.encode(x)[:, [3, 50]] != 0).all(1)
    assert both.sum() > 50
    wanted = 2 * NUDGE**2 * row * (x @ v[0])[:, None] * u
    torch.testing.assert_close((made(x) - before)[both], wanted[both], rtol=1e-9, atol=1e-12)


def test_adam_forgets_both_clones():
    made = scattered("relu", False)
    trainer = Trainer(made, BENCH, Config(resample="split", resample_every=10**6, batch=200))
    trainer.step()
    x, dead = BENCH.batch(0, 400).x_p.double(), torch.arange(64) == 50
    rows = made.W_E.detach().clone()
    assert resample(trainer.descent, (x, x), dead, seeded()).tolist() == [50]
    (moved,) = (made.W_E != rows).any(1).logical_and(~dead).nonzero()[:, 0].tolist()
    moments = trainer.tensors()["adam/exp_avg_sq/W_E"]
    assert not moments[[moved, 50]].any() and moments[:40].any(1).sum() >= 38


def test_a_dead_latent_is_never_cloned_though_it_fires_on_these_samples():
    made, x = model("relu", dtype=f64), BENCH.batch(0, 500).x_p.double()
    dead, rows = torch.arange(64) < 20, made.W_E.detach().clone()
    assert (made.encode(x) != 0).any(0)[dead].all()
    assert begun_by("split", made, x, x, dead).tolist() == list(range(20))
    assert (made.W_E != rows).any(1)[20:].sum() == 20, "each new latent halves a live one"


def test_a_live_latent_that_nothing_pulls_is_never_cloned():
    made, x = model("relu", dtype=f64), BENCH.batch(0, 500).x_p.double()
    with torch.no_grad():
        made.W_E[20:60] = 0  # these fire on no sample
    assert begun_by("split", made, x, x, torch.arange(64) < 20).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("method", WITH_K)
def test_no_clones_under_top_k(method):
    with pytest.raises(ValueError, match="a clone takes a second one"):
        begun_by("split", model(method), None, None, torch.ones(64, dtype=torch.bool), check=True)
