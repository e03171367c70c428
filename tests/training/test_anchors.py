"""Anchors: the pull is its formula, and holds its latents whatever the method."""

import pytest
import torch
from models_for_tests import BENCH, model

from sdl_theory import Anchors, Config, LinearRepresentationBench, Samples, fit, gt_recovery
from sdl_theory.measure.matching import best_matches
from sdl_theory.training.anchor_loss import AnchorLoss
from sdl_theory.training.anchors import listed_anchors
from sdl_theory.training.methods import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_anchors_hold_their_latents_whatever_the_method(method):
    anchors = Anchors.of_truth(BENCH, 6, seed=3)
    made = model(method)
    fit(
        made,
        BENCH,
        Config(steps=300, batch=64, lr=1e-2, warmup=10, sparsity=0.1, lam_anchor=5.0),
        anchors=anchors,
        progress=False,
    )
    columns = best_matches(made.W_D.mT[:6].detach(), BENCH.W_r[:, list(anchors.features)])
    paired = (made.W_D[:, :6] * BENCH.W_r[:, list(anchors.features)]).sum(0)
    assert columns.min() > 0.95
    assert torch.allclose(columns, paired, atol=1e-5)
    assert gt_recovery(columns) == 1


def test_the_anchor_loss_is_its_formula_and_leaves_other_latents_alone():
    made, anchors = model(dtype=torch.float64), Anchors.of_truth(BENCH, 3)
    loss = AnchorLoss(anchors, 0.7, made)(made)
    loss.backward()
    rows, columns = made.W_E[:3] - anchors.W_E, made.W_D[:, :3] - anchors.W_D
    assert loss.item() == pytest.approx(0.7 * (rows.square().sum() + columns.square().sum()).item())
    torch.testing.assert_close(made.W_E.grad[:3], 1.4 * rows.detach().double())
    assert not made.W_E.grad[3:].any() and not made.W_D.grad[:, 3:].any()
    cross = LinearRepresentationBench(40, 30, 0.9, 0.4, kind="crosscoder")
    ideal = Anchors.of_truth(cross, 40)
    # <w_E, w_D> = 1: reconstructs its feature once, not m times
    assert ((ideal.W_E @ ideal.W_D).diagonal() - 1).abs().max() < 1e-6
    with pytest.raises(ValueError, match="exceeds the model's n_q"):
        fit(model(n_q=8), BENCH, anchors=9, progress=False)
    with pytest.raises(ValueError, match="exceeds the bench's n = 40"):
        Anchors.of_truth(BENCH, 41)


def test_anchors_of_class_means_are_normalized_means():
    g = torch.Generator().manual_seed(0)
    x, labels = torch.randn(60, 5, generator=g) + 3, torch.arange(60) % 3
    raw = Anchors.of_class_means(x, labels)
    centred = Anchors.of_class_means(x, labels, classes=[2, 0], centre=True)
    mean = x[labels == 1].mean(0)
    torch.testing.assert_close(raw.W_E[1], mean / mean.norm())
    mean = (x - x.mean(0))[labels == 2].mean(0)
    torch.testing.assert_close(centred.W_D[:, 0], mean / mean.norm())
    assert raw.W_E.shape == (3, 5)
    # with the common part, and without it
    assert (raw.W_E @ raw.W_E.mT).min() > 0.8 > (centred.W_E @ centred.W_E.mT).min()
    with pytest.raises(ValueError, match="label 7"):
        Anchors.of_class_means(x, labels, classes=[7])


def test_anchors_of_the_decoder_alone_leave_the_encoder_alone():
    made, anchors = model(dtype=torch.float64), Anchors.of_truth(BENCH, 3)
    loss = AnchorLoss(anchors, 0.7, made, encoder=False)(made)
    loss.backward()
    columns = made.W_D[:, :3] - anchors.W_D
    assert loss.item() == pytest.approx(0.7 * columns.square().sum().item())
    assert made.W_E.grad is None and made.W_D.grad[:, :3].any()


def test_anchors_are_listed_one_a_model_or_one_for_all():
    one, other = Anchors.of_truth(BENCH, 2), Anchors.of_truth(BENCH, 3)
    listed = lambda given, data=(BENCH,), many=2: listed_anchors(given, data, many, 0)
    assert listed(None) == listed(0) == [] and listed(one) == [one]
    assert listed([one, None]) == [one, None] and listed([other], many=None) == [other]
    assert [a.features for a in listed(2)] == [one.features] * 2
    benches = [LinearRepresentationBench(40, 30, 0.9, 0.4, seed=seed) for seed in (1, 2)]
    drawn = listed(2, benches)
    assert drawn[0].features == one.features != drawn[1].features
    for wrong in ([], [one]):
        with pytest.raises(ValueError, match=f"{len(wrong)} anchors for 2 models"):
            listed(wrong)
    with pytest.raises(ValueError, match="anchors = 2 are drawn from a bench's true features"):
        listed(2, [Samples(torch.ones(9, 30))])
