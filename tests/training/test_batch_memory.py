"""Batches beyond the machine's memory are refused before they are drawn."""

import os

import pytest
import torch
from models_for_tests import SMALL, small

from sdl_theory import Config, LinearRepresentationBench, Samples, fit, training_bytes

HUGE = 10**11


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda: SMALL.batch(0, HUGE), "batch = 100,000,000,000 would take at least .*GiB"),
        (
            lambda: LinearRepresentationBench(10, 8, 0.9, 0.5, samples=None).batch(0, HUGE),
            "batch = 100,000,000,000",
        ),
        (lambda: SMALL.sample(HUGE), "count = 100,000,000,000"),
        (
            lambda: LinearRepresentationBench(10, 8, 0.9, 0.5, samples=HUGE).batch(0, 5),
            "samples = 100,000,000,000",
        ),
        (lambda: Samples(torch.ones(9, 8)).batch(0, HUGE), "batch = 100,000,000,000"),
        (
            lambda: fit(small(), SMALL, Config(steps=1, batch=HUGE), progress=False),
            "batch = 100,000,000,000 .*n_q = 24 latents; "
            "this machine has .*GiB in all. Take a smaller number",
        ),
        (lambda: SMALL.batch(0, 10**18), "batch = "),
        (lambda: SMALL.batch(0, 10**40), "size must be .* below"),
    ],
)
def test_a_batch_beyond_the_machine_is_refused_before_it_is_drawn(ask, words, monkeypatch):
    monkeypatch.setattr(
        "sdl_theory.truth.bench.draw_codes", lambda *args: pytest.fail("something was drawn")
    )
    with pytest.raises(ValueError, match=words):
        ask()


def test_what_fits_is_drawn_and_a_system_that_does_not_say_is_trusted(monkeypatch):
    from sdl_theory import machine

    bench = LinearRepresentationBench(10, 8, 0.9, 0.5, samples=None)
    monkeypatch.setattr(machine, "machine_bytes", lambda device: 100_000)
    assert len(bench.batch(0, 500).x_p) == 500  # 500 (1 x 28 + 8 x 4 + 8) = 34,000 bytes
    with pytest.raises(ValueError, match="batch = 5,000 would take at least 0.324 MiB"):
        bench.batch(0, 5_000)
    monkeypatch.setattr(machine, "machine_bytes", lambda device: None)
    assert len(bench.batch(0, 5_000).x_p) == 5_000
    monkeypatch.undo()
    assert machine.machine_bytes() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(os, "sysconf", lambda name: (_ for _ in ()).throw(ValueError(name)))
    assert machine.machine_bytes() is None


def test_float64_takes_twice_the_memory():
    half, whole = training_bytes(small()), training_bytes(small(dtype=torch.float64))
    assert whole.total == 2 * half.total and whole.weights == 8 * 24 * 16
