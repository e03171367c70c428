"""Figure 7 end to end, on a network of three tiny blocks."""

import json

import numpy as np
import pytest
import torch
from language_for_tests import made, words_of

from sdl_theory.__main__ import main
from sdl_theory.experiments.language import runs
from sdl_theory.experiments.language.activations import Activations, Part, prepare
from sdl_theory.experiments.language.anew import ROW_SIZE, at_residuals
from sdl_theory.experiments.language.compare import against_nothing, costs, ended
from sdl_theory.experiments.language.reading import read, spare_gain
from sdl_theory.experiments.language.setting import ARMS, PRESETS, Setting
from sdl_theory.experiments.language.texts import glosses
from sdl_theory.representations.harvest import Harvest, Norms
from sdl_theory.representations.store import Representations
from sdl_theory.training.config import Config
from sdl_theory.training.model import SDLModel
from sdl_theory.training.trainer import Trainer
from sdl_theory.truth.samples import Samples


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return made(tmp_path_factory.mktemp("figure_7"))


def command(place, *more):
    return main(words_of(place, *more))


def test_all_kinds_and_arms_are_run_kept_and_gone_on_with(place, capsys, monkeypatch):
    out = place / "all.json"
    assert command(place, "--kind", "sae", "--arms", "nothing", "--out", out) == 0
    assert command(place, "--out", out) == 0
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 3 * 4 * 2 and {row["arm"] for row in rows} == set(ARMS)
    widths = {row["kind"]: (row["n_p"], row["n_q"]) for row in rows}
    assert widths == dict(sae=(8, 32), transcoder=(8, 32), crosscoder=(16, 32))
    for row in rows:
        assert row["curve"]["step"] == list(range(1, 25))
        assert np.isfinite(list(row["figures"].values())).all()
    printed = capsys.readouterr().out
    assert "1.7 -> 1.3" in printed and "crosscoder" in printed
    monkeypatch.setattr(runs, "_train", None)  # nothing is left to train
    assert command(place, "--out", out) == 0
    assert len(ended(rows)) == 12 and len(against_nothing(rows)) == 9 and len(costs(rows)) == 2
    against = against_nothing(rows, points=3)
    assert {one.kind for one in against if one.printed != "-"} == {"sae"}  # as the caption says
    assert {one.lower for one in against if one.kind != "sae"} == {"none printed"}
    last = {(row["kind"], row["arm"], row["seed"]): row["curve"]["loss"][-3:] for row in rows}
    for one in against:
        gap = [sum(last[one.kind, one.arm, s]) - sum(last[one.kind, "nothing", s]) for s in (0, 1)]
        assert one.loss.value == pytest.approx(sum(gap) / 6)
    with pytest.raises(ValueError, match="points"):
        against_nothing(rows, points=0)


def test_only_harvest(place, capsys):
    assert command(place, "--only-harvest", "--out", place / "none.json") == 0
    assert "residual_2: median norm" in capsys.readouterr().out
    assert not (place / "none.json").exists()


@pytest.mark.parametrize(
    "words, more",
    [
        ("--preset half: figure 7 has demo and paper", ["--preset", "half"]),
        ("layers must be at most the 3", ["--layer", "4"]),
        ("needs layer >= 2", ["--layer", "1"]),
        ("steps must be a whole number >= 12", ["--steps", "3"]),
        ("holds no network", ["--model", "nowhere"]),
        ("k = 99 latents cannot fire", ["--k", "99"]),
        ("another harvest: its layer", ["--layer", "3"]),
    ],
)
def test_bad_words(words, more, place, capsys):
    command(place, "--only-harvest")
    assert command(place, "--out", place / "bad.json", *more) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and words in error


def harvested(rows, texts):
    x = torch.as_tensor(rows, dtype=torch.float32).numpy()
    norms = Norms(1.0, 1.0, 0, 1.0)
    return Harvest(
        dict(residual_2=Representations(x)), dict(residual_2=norms), text=texts, token=None
    )


@pytest.mark.parametrize("centred", [False, True])
def test_rows_are_scaled_to_one_and_massive_ones_left_out(centred):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(600, 5, generator=rng) + 2
    x[7] *= 1000
    found = harvested(x, np.arange(600) // 6)
    pair = prepare(Setting(layer=2, centred=centred), "sae", found)
    assert pair.facts["massive"] == 1
    assert len(pair.train) + len(pair.held_out) == 599
    texts = lambda data: set((data.places // 6).tolist())
    assert texts(pair.train).isdisjoint(texts(pair.held_out)) and len(texts(pair.held_out)) == 10
    everything = pair.train.pair(torch.arange(len(pair.train)))[0]
    assert everything.square().sum(1).mean() == pytest.approx(1, abs=1e-5)
    mean = everything.double().mean(0).norm()
    assert mean < 1e-6 if centred else mean > 0.8
    first = pair.train.batch(3, 16).x_p
    halves = [pair.train.batch(3, 16, rank=rank, world=2).x_p for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), first)


def test_a_crosscoder_joins_its_layers():
    a, b = torch.randn(6, 2), torch.randn(6, 3)
    parts = [Part(Representations(x), torch.zeros(x.shape[1]), 2.0) for x in (a, b)]
    data = Activations(parts, None, [5, 1], seed=0)
    x_p, x_r = data.pair(torch.tensor([0, 1]))
    assert x_p is x_r and torch.allclose(x_p, 2 * torch.cat([a, b], 1)[[5, 1]])


def test_what_is_read_is_what_brute_force_finds():
    torch.manual_seed(0)
    x = torch.randn(2000, 6) + 1
    pair = prepare(Setting(layer=2), "sae", harvested(x, np.arange(2000) // 5))
    model = SDLModel(6, 40, k=3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.W_E[0] = -1.0  # against the mean
        model.W_E[1] *= 1e-3  # short: wins no place
        model.W_E[2] = -model.W_E[1]
    found = read(model, pair)
    rows = pair.held_out.pair(torch.arange(len(pair.held_out)))[0]
    z, codes = rows @ model.W_E.detach().T, model.encode(rows).detach()
    fires, above = (codes > 0).any(0), (z > 0).any(0)
    assert found["silent"] == pytest.approx(1 - fires.double().mean())
    assert found["strictly_dead"] == pytest.approx(1 - above.double().mean())
    loss = (rows - codes @ model.W_D.detach().T).square().sum(1).mean()
    assert found["held_out_loss"] == pytest.approx(float(loss), rel=1e-5)
    asleep = (~fires & above).nonzero()[:, 0].tolist()
    assert asleep
    factors = []
    for i in asleep:
        low, high = 1.0, 1e6
        for _ in range(60):  # bisect: the factor at which this row wins a place somewhere
            middle = (low * high) ** 0.5
            longer = z.clone()
            longer[:, i] *= middle
            wins = (longer.topk(3, 1).indices == i).any()
            low, high = (low, middle) if wins else (middle, high)
        factors.append(high)
    assert found["lengthen"] == pytest.approx(float(torch.tensor(factors).median()), rel=1e-3)


def test_a_spare_neurons_gain_is_what_adding_it_takes_off():
    torch.manual_seed(1)
    x, R = torch.randn(40, 4).double(), torch.randn(40, 3).double()
    share = spare_gain(x, R)
    basis = torch.linalg.qr(x).Q
    top = torch.linalg.matrix_norm(R.T @ basis, 2) ** 2
    assert share * R.square().sum() >= top / 2 - 1e-9  # what the better sign always gains
    best = 0.0
    for sign in (1, -1):
        v = torch.linalg.svd(R.T @ basis).Vh[0]
        row = torch.linalg.lstsq(x, basis @ v).solution
        u = (sign * x @ row).clamp(min=0)
        column = torch.linalg.lstsq(u[:, None], R).solution  # the best decoder column
        best = max(best, float(R.square().sum() - (R - u[:, None] * column).square().sum()))
    assert share == pytest.approx(best / float(R.square().sum()))


@pytest.mark.parametrize("arm", ["resampling", "residuals"])
def test_latents_begin_anew_once(arm, place):
    out = place / f"{arm}.json"
    more = ["--kind", "sae", "--arms", "nothing", arm, "--seeds", "1", "--lr", "0.01"]
    assert command(place, *more, "--out", out) == 0
    plain, resampled = json.loads(out.read_text())["rows"]
    assert plain["resampled"] is None and plain["woken"] is None
    assert 0 < resampled["resampled"] <= resampled["n_q"]
    assert 0 <= resampled["woken"] <= resampled["resampled"]
    at = 24 // 6
    assert plain["curve"]["loss"][: at - 1] == resampled["curve"]["loss"][: at - 1]
    assert (
        plain["curve"]["dead"][at - 1] - resampled["curve"]["dead"][at - 1]
        == (resampled["resampled"])
    )


@pytest.mark.parametrize("shifted", [0.0, 3.0])
def test_at_residuals_rows_and_columns_point_to_what_is_missing(shifted):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 5, generator=generator)
    model = SDLModel(5, 12, k=2, generator=generator)
    trainer = Trainer(model, Samples(x), Config(steps=2, batch=8))
    trainer.step()
    dead = torch.arange(12) > 8
    missing = (x + shifted - model(x)).detach()
    usual = model.W_E[:9].norm(dim=1).mean()
    kept = model.W_E[:9].clone()
    which = at_residuals(trainer.descent, (x, x + shifted), dead, generator)
    assert which.tolist() == [9, 10, 11] and torch.equal(model.W_E[:9], kept)
    unit = torch.nn.functional.normalize
    among = unit(missing) @ model.W_D[:, 9:]
    assert torch.allclose(among.amax(0), torch.ones(3), atol=1e-5)
    chosen = among.argmax(0)
    own = (missing if not shifted else x - x.mean(0))[chosen]
    assert torch.allclose(model.W_E[9:], ROW_SIZE * usual * unit(own), atol=1e-5)
    for leaf in trainer.descent.leaves.values():
        moments = trainer.descent.optimizer.state[leaf]["exp_avg"]
        assert not moments[9:].any() and moments[:9].any()


def test_a_long_run_goes_on_from_its_checkpoint(place, monkeypatch):
    monkeypatch.setattr(runs, "LONG", 10)
    more = ["--kind", "sae", "--arms", "resampling", "--seeds", "1"]
    whole, out = place / "whole.json", place / "killed.json"
    assert command(place, *more, "--out", whole) == 0
    log, calls = runs._log, []

    def stop(*given):
        calls.append(log(*given))
        if len(calls) == 15:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_log", stop)
    assert command(place, *more, "--out", out) == 130
    calls[:] = [None] * 100
    assert command(place, *more, "--out", out) == 0
    assert len(calls) - 100 == 24 - 14  # from step 14 on
    expected, got = (json.loads(path.read_text())["rows"][0] for path in (whole, out))
    for name in ("curve", "figures", "resampled", "woken"):
        assert got[name] == expected[name], name


def test_the_papers_preset_has_figure_7s_size():
    paper = PRESETS["paper"]
    assert (paper.wide * 4096, paper.steps, paper.batch) == (131_072, 30_000, 4096)
    assert paper.steps // 6 == 5000


def test_glosses_are_named_where_wordnet_is_absent(tmp_path):
    with pytest.raises(ValueError, match="apt-get install wordnet-base"):
        glosses(10, folder=tmp_path)
    line = '00001740 29 v 04 breathe_in 0 x 0 005 * 1 | draw air; "I breathe"  \n'
    for part in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"data.{part}").write_text("  1 licence\n" + line)
    assert glosses(4, folder=tmp_path) == ['breathe in: draw air; "I breathe"'] * 4
    with pytest.raises(ValueError, match="there are 4 texts"):
        glosses(5, folder=tmp_path)
