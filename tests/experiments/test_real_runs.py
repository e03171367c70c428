"""Runs on embeddings: arms that share all but the anchors, a record, verdicts, the command."""

import json

import numpy as np
import pytest
import torch

from sdl_theory.__main__ import main
from sdl_theory.experiments.commands import real_embeddings
from sdl_theory.experiments.real.cases import both
from sdl_theory.experiments.real.compare import compare, controls, others
from sdl_theory.experiments.real.nonsense import gains
from sdl_theory.experiments.real.ranks import rank_correlation
from sdl_theory.experiments.real.record import Record, read
from sdl_theory.experiments.real.runs import (
    ARMS,
    UNTRAINED,
    Recipe,
    anchors_for,
    anchors_of,
    others_of,
    run,
    shown,
    train,
    untrained,
)
from sdl_theory.measure.matching import best_matches
from sdl_theory.representations.store import Representations

K, N_P = 6, 8
RECIPE = Recipe(n_q=12, k=2, anchors=2, steps=3, batch=16, warmup=1)
WORDS = "--methods topk --seeds 2 --n-q 12 --k 2 --anchors 2 --steps 3 --batch 16 --warmup 1"


def embeddings():
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(K), 8)
    x = 2 * draw.normal(size=(K, N_P))[labels] + draw.normal(size=(len(labels), N_P)) + 1
    return x.astype(np.float32), labels


@pytest.fixture(scope="module")
def cases():
    return both("x", Representations(*embeddings()))


def test_arms_of_a_seed_share_start_and_batches_and_differ_by_their_anchors(cases):
    quiet = Recipe(n_q=12, k=2, anchors=2, steps=3, batch=16, lam=0.0)
    models = [train(cases[0], "topk", arm, 0, recipe=quiet).W_E for arm in ARMS]
    clipped = [one for one, arm in zip(models, ARMS) if not arm.endswith("unclipped")]
    assert all(torch.allclose(models[0], one, atol=1e-6) for one in clipped)  # lambda is 0
    loud = [train(cases[0], "topk", arm, 0, recipe=RECIPE).W_E for arm in ARMS]
    assert not any(torch.allclose(loud[0], one) for one in loud[1:])
    anchored, others = loud[1], [*loud[2:3], *loud[4:]]
    assert not any(torch.allclose(anchored, one) for one in others)
    assert not torch.equal(models[0], train(cases[0], "topk", "plain", 1, recipe=quiet).W_E)


def test_anchors_are_class_means_of_the_case_and_left_out_of_others(cases):
    for case in cases:
        which, anchors = shown(case, 2, 0), anchors_of(case, 2, 0)
        assert torch.equal(anchors.W_E, case.truth.mT[which]) and anchors.k == 2
        mask = others_of(case, 2, 0)
        assert mask.sum() == K - 2 and not mask[which].any()
    assert torch.equal(shown(cases[0], 2, 0), shown(cases[1], 2, 0))
    with pytest.raises(ValueError, match="fewer than the 6 classes"):
        shown(cases[0], 6, 0)


def test_relabelled_anchors_are_means_of_nonsense_with_the_numbers_of_the_shown_classes(cases):
    for case in cases:
        which, anchors = shown(case, 2, 0), anchors_for(case, "anchored, relabelled", 2, 0)
        assert torch.equal(anchors.W_E, case.relabelled(0).mT[which]) and anchors.k == 2
        assert torch.equal(anchors.W_D, anchors.W_E.mT)
        # judged on nonsense without the shown numbers, these rows are not their own answer
        left = case.relabelled(0)[:, others_of(case, 2, 0)]
        assert best_matches(anchors.W_E, left).max() < 0.999
    assert anchors_for(cases[0], "plain", 2, 0) is None


def test_untrained_rows_score_what_they_are(cases):
    raw, centred = ({one["arm"]: one["figures"] for one in untrained(c, 0, RECIPE)} for c in cases)
    assert list(raw) == list(UNTRAINED)
    assert raw["anchors alone"]["encoder_raw_found_95"] >= round(2 / K, 5)
    mean = cases[0].mean / cases[0].mean.norm()
    brute = (mean @ cases[0].truth).abs().mean().item()
    assert raw["the mean alone"]["encoder_raw_mip"] == pytest.approx(brute, abs=1e-5)
    assert centred["the mean alone"]["encoder_raw_mip"] < brute


@pytest.fixture
def record(cases):
    made = Record(dict(recipe=RECIPE.settings))
    for seed in (0, 1):
        made.keep(*untrained(cases[0], seed, RECIPE))
        for arm in ("plain", "anchored"):
            made.keep(run(cases[0], "topk", arm, seed, recipe=RECIPE))
    return made


def test_differences_are_taken_seed_by_seed(record):
    figure = "encoder_raw_mip_others"
    plain, anchored = (record.values("x, raw", "topk", arm, figure) for arm in ARMS[:2])
    (row,) = compare(record, figure)
    assert row.gain.value == pytest.approx(sum(anchored[s] - plain[s] for s in (0, 1)) / 2)
    assert row.printed == "0.517 -> 0.851"
    (control,) = controls(record, figure)
    scores = {
        name: sum(record.values("x, raw", "untrained", name, figure).values()) / 2
        for name in UNTRAINED
    }
    assert scores[control.control] == max(scores.values())
    assert control.over_control.value == pytest.approx(row.anchored.value - max(scores.values()))
    assert control.specific.value == pytest.approx(row.gain.value - control.nonsense.value)
    assert control.over_sham is None and len(others(record)) == 2
    assert not gains(record, figure)  # nothing was anchored at nonsense


def test_gains_of_true_and_of_relabelled_anchors_are_compared_seed_by_seed(record):
    figure = "encoder_raw_mip_others"
    plain, anchored = (record.values("x, raw", "topk", arm, figure) for arm in ARMS[:2])
    for seed in (0, 1):
        other = json.loads(json.dumps(record.runs["x, raw", "topk", "anchored", seed]))
        other["figures"][figure] -= 0.25 + 0.001 * seed
        record.keep(other | dict(arm="anchored, relabelled"))
    (row,) = gains(record, figure)
    assert row.over_nonsense.value == pytest.approx(0.2505) and row.higher == "higher"
    true = sum(anchored[seed] - plain[seed] for seed in (0, 1)) / 2
    assert row.classes.value == pytest.approx(true) and row.seeds == 2
    assert row.nonsense.value == pytest.approx(true - 0.2505) and row.sham is None
    for seed in (0, 1):
        record.runs["x, raw", "topk", "anchored, relabelled", seed]["figures"][figure] += 0.5
    assert gains(record, figure)[0].higher == "not higher"
    record.keep(record.runs["x, raw", "topk", "plain", 0] | dict(arm="sham", seed=0))
    assert gains(record, figure)[0].sham is None  # one seed has none
    del record.runs["x, raw", "topk", "anchored, relabelled", 1]
    assert gains(record, figure)[0].seeds == 1 and gains(record, figure)[0].sham.value == 0


def test_verdicts_follow_from_the_intervals(record):
    figure = "encoder_raw_found_95"
    for seed in (0, 1):
        for arm, value in (("plain", 0.1), ("anchored", 0.5 + 0.001 * seed)):
            theirs = record.runs["x, raw", "topk", arm, seed]["figures"]
            theirs |= {figure: value, "relabelled_raw_found_95": value}
        for name in UNTRAINED:
            record.runs["x, raw", "untrained", name, seed]["figures"][figure] = 0.9
    assert compare(record, figure)[0].direction == "reproduced"
    (row,) = controls(record, figure)
    assert (row.higher, row.of_classes) == ("not higher", "not higher")


@pytest.fixture
def files(tmp_path):
    x, labels = embeddings()
    np.save(tmp_path / "mine.npy", x)
    np.save(tmp_path / "labels.npy", labels)
    words = ["embeddings", "--embeddings", str(tmp_path / "mine.npy"), *WORDS.split()]
    return [*words, "--labels", str(tmp_path / "labels.npy"), "--device", "cpu"], tmp_path


def test_the_command_prints_all_and_goes_on_after_a_kill(files, capsys, monkeypatch):
    words, folder = files
    whole, broken = folder / "whole.json", folder / "broken.json"
    assert main([*words, "--out", str(whole)]) == 0
    printed = capsys.readouterr().out
    assert "M_GT at .95" in printed and "0 -> 0.2413" in printed and "mine, centred" in printed
    stops = iter([3])
    real = real_embeddings.run

    def stopped(*given, **how):
        monkeypatch.setattr(real_embeddings, "run", real)
        if next(stops, None):
            raise KeyboardInterrupt("stopped")
        return real(*given, **how)

    monkeypatch.setattr(real_embeddings, "run", stopped)
    assert main([*words, "--out", str(broken)]) == 130
    assert len(read(broken).runs) == 2 * 2 * len(UNTRAINED)
    assert main([*words, "--out", str(broken)]) == 0
    figures = lambda path: {key: one["figures"] for key, one in read(path).runs.items()}
    assert figures(broken) == figures(whole) and len(figures(whole)) == 2 * 2 * (
        len(UNTRAINED) + len(ARMS)
    )


def test_a_file_of_something_else_is_refused_and_kept(files, capsys):
    words, folder = files
    out = folder / "t.json"
    out.write_text("{}")
    assert main([*words, "--out", str(out)]) == 1
    assert "is no record of runs on embeddings" in capsys.readouterr().err
    assert out.read_text() == "{}"
    out.write_text(json.dumps(dict(head=dict(data={}, recipe={}), runs=[])))
    assert main([*words, "--out", str(out)]) == 1
    assert "holds runs of another data" in capsys.readouterr().err
    assert main(["table", "2"]) == 1
    assert "python -m sdl_theory embeddings" in capsys.readouterr().err


def test_rank_correlation_against_another_hand():
    from scipy.stats import spearmanr

    draw = np.random.default_rng(0)
    x = draw.integers(5, size=40)  # with ties
    y = x + draw.normal(size=40)
    found = rank_correlation(x, y)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.low < found.value < found.high
    assert rank_correlation([1, 2, 3], [3, 2, 1]).value == pytest.approx(-1)
    with pytest.raises(ValueError, match="one side is constant"):
        rank_correlation([1, 1, 1], [1, 2, 3])
    with pytest.raises(ValueError, match="3 at least"):
        rank_correlation([1, 2], [1, 2])
