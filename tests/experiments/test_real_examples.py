"""What latents respond to: on codes made by hand, and what is stored."""

import torch

from sdl_theory.experiments.real.examples import LATENTS, TOP, examples, load_examples


def test_the_strongest_texts_come_first_and_rare_latents_are_left_out():
    codes = torch.zeros(6, 3)
    codes[:, 1] = torch.tensor([0.1, 0.6, 0.0, 0.4, 0.3, 0.5])
    codes[0, 2] = 1.0  # fires once, too seldom to show
    texts, classes = list("abcdef"), ["x", "y", "x", "y", "x", "y"]
    (one,) = examples(codes, texts, classes)
    assert (one.latent, one.fires, one.texts) == (1, 5, ["b", "f", "d", "e"])
    assert one.classes == "y (3), x (1)"


def test_the_choice_is_by_chance_not_by_hand():
    codes = torch.rand(50, 40, generator=torch.Generator().manual_seed(0))
    names = [str(i) for i in range(50)]
    latents = lambda seed: [one.latent for one in examples(codes, names, names, seed=seed)]
    assert latents(0) == latents(0) == sorted(latents(0)) != latents(1)
    assert len(latents(0)) == LATENTS


def test_stored_examples_are_whole():
    stored = load_examples()
    assert len(stored) == LATENTS and all(len(one.texts) == TOP <= one.fires for one in stored)
