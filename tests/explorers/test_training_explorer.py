"""Lesson 11's explorer: sliders ask, the button trains, and words say no more than is shown."""

import asyncio
import json
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from sdl_theory import Trainer
from widgets import explorers
from widgets.explorers import training_explorer
from widgets.explorers.training import verdict
from widgets.rows.training import Curves, Race, first_curves

TINY = Race(anchors=4, n=12, n_p=9, n_q=20, S=0.8, mu=0.5, steps=60, batch=64, seeds=(0, 1, 2))


@pytest.fixture
def tiny(monkeypatch):
    """The explorer with a race that takes a tenth of a second."""
    monkeypatch.setattr(
        explorers.training,
        "race_of",
        lambda **state: replace(TINY, anchors=min(state["anchors"], 8), k=state["k"]),
    )
    return training_explorer()


def test_the_first_picture_is_what_training_gives():
    stored, again = first_curves(), training_explorer().race.train(upto=100)
    assert stored.race == Race() == training_explorer().race and stored.done
    for one, other in zip(stored.figures, again.figures):
        # another processor rounds otherwise, and training magnifies it
        assert one == pytest.approx(other, abs=0.05)
    assert (
        Curves.from_json(json.loads(json.dumps(stored.to_json()))).difference()
        == stored.difference()
    )


def test_sliders_do_not_train_and_say_so(tiny):
    before = tiny.curves
    # the stored picture is of another bench
    assert tiny.headline == "press Train" and tiny.chart.stale
    tiny.train()
    assert tiny.headline != "press Train" and not tiny.chart.stale and tiny.curves is not before
    after, revision = tiny.curves, tiny.chart.revision
    tiny.set(k=5)
    assert tiny.curves is after
    assert tiny.headline == "press Train"
    assert "k 5" in tiny.words
    assert "k 3" in tiny.words
    assert tiny.chart.revision > revision and tiny.chart.stale
    tiny.set(k=3)
    assert tiny.headline != "press Train" and not tiny.chart.stale


def test_the_button_trains_beside_everything_else(tiny, monkeypatch):
    """On an event loop: the picture grows, other tasks run, and a second press changes nothing."""

    async def class_room():
        grown, beats = set(), 0
        tiny.chart.observe(lambda change: grown.add(len(tiny.chart.data["x"])), "revision")
        tiny.train_button.click()
        task = tiny.task
        while not task.done():
            assert tiny.train_button.disabled
            assert not tiny.stop_button.disabled
            assert tiny.headline == "training"
            tiny.train_button.click()
            assert tiny.task is task
            beats += 1
            await asyncio.sleep(0)
        return grown, beats, task

    monkeypatch.setattr(explorers.training, "SLICE", 0.001)
    grown, beats, task = asyncio.run(class_room())
    assert task.exception() is None and tiny.task is task and beats > 10 and len(grown) >= 3
    assert tiny.curves.done
    assert tiny.bar.value == tiny.bar.max == 60
    assert tiny.bar_says.value == "60 of 60 steps"
    assert not tiny.train_button.disabled
    assert tiny.stop_button.disabled
    assert tiny.curves.race.seeds == (0, 1, 2)


@pytest.mark.parametrize("where", ["here", "in a subshell"])
@pytest.mark.parametrize("how", ["button", "interrupt"])
def test_it_can_be_stopped(tiny, monkeypatch, how, where):
    """Clicks come on the main thread's loop, or as JupyterLab brings them, on that of another
    thread.
    """
    monkeypatch.setattr(explorers.training, "SLICE", 0.001)

    async def click():
        tiny.train_button.click()
        while not tiny.task.done():
            if how == "button" and tiny.bar.value >= 30:
                tiny.stop_button.click()
            await asyncio.sleep(0)

    async def class_room():
        tiny._main = explorers.training.main_loop()  # the cell that made it ran here
        pressed = asyncio.ensure_future(
            click() if where == "here" else asyncio.to_thread(asyncio.run, click())
        )
        while not pressed.done():
            if how == "interrupt" and tiny.bar.value in range(30, 50):
                os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0)
        await pressed
        await asyncio.sleep(0.01)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN

    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self: (time.sleep(0.002), step(self)))
    with asyncio.Runner() as runner:
        was = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in an idle kernel
        try:
            runner.run(class_room())
        finally:
            signal.signal(signal.SIGINT, was)
    assert 30 <= tiny.curves.steps_done < 60
    assert tiny.headline == "stopped early" and not tiny.train_button.disabled
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            step(self),
            os.kill(os.getpid(), signal.SIGINT) if self.steps_done == 30 else None,
        ),
    )
    tiny.train()  # without a loop, Ctrl-C
    assert tiny.headline == "stopped early" and tiny.curves.steps_done in (29, 30)
    monkeypatch.setattr(Trainer, "step", step)
    tiny.train()
    assert tiny.curves.done and tiny.headline != "stopped early"


def test_what_goes_wrong_is_said(tiny, monkeypatch):
    def broken(self):
        raise RuntimeError("the cat sat on the keyboard")

    monkeypatch.setattr(Trainer, "step", broken)
    tiny.train()
    assert tiny.headline == "training failed"
    assert "the cat sat on the keyboard" in tiny.words
    assert not tiny.train_button.disabled
    assert tiny.chart.alt == tiny.words and tiny.chart.stale

    monkeypatch.undo()
    train_step = Trainer.step
    for last in (0, 40):  # at once, and in a later slice
        monkeypatch.setattr(explorers.training, "SLICE", 0.001)
        monkeypatch.setattr(
            Trainer,
            "step",
            lambda self: train_step(self) if self.steps_done < last else broken(self),
        )

        async def class_room():
            tiny.train_button.click()
            if last:
                await tiny.task

        asyncio.run(class_room())
        assert tiny.headline == "training failed"
        assert "cat" in tiny.words
        assert not tiny.train_button.disabled
        monkeypatch.setattr(Trainer, "step", train_step)
    impossible = replace(TINY, n_q=4, k=5)
    with pytest.raises(ValueError, match="k = 5"):
        impossible.train()


def test_a_verdict_says_no_more_than_its_intervals():
    def curves(gain, race=Race(anchors=4, seeds=(0, 1, 2), steps=25)):
        figures = np.zeros((2, 2, 2, 3))
        figures[0, 0, 1] = gain
        return Curves(race, (0.0, 0.5), [0, 25], [np.zeros_like(figures), figures], 25)

    assert verdict(curves([0.2, 0.22, 0.18]))[0] == "anchored ahead"
    assert verdict(curves([0.2, 0.9, -0.3]))[0] == "no difference shown"
    assert verdict(curves([0, 0, 0]))[0] == "no difference shown"
    assert verdict(curves([-0.2, -0.22, -0.18]))[0] == "anchored behind"
    words = verdict(curves([0.2, 0.22, 0.18]))[1]
    assert "20% with" in words
    assert "+20 points [+15, +25]" in words
    assert "+10 points" in words
    assert "36 held-out" in words
    assert (
        verdict(curves([0, 0, 0], Race(anchors=0, seeds=(0, 1, 2), steps=25)))[0]
        == "nothing to compare"
    )


def test_stop_is_heard_within_a_second():
    """No slice, the first with its start included, holds the kernel for long.

    In processor time, which the load of the machine does not change: some .03 s each.
    """
    shown = training_explorer()
    shown.set(mu=0.1)
    slices, spent, last = shown._slices(), [], time.process_time()
    for curves in slices:
        spent.append(time.process_time() - last)
        if curves.steps_done > 60 and curves.race == shown.race:
            shown.stop()
        last = time.process_time()
    assert len(spent) > 3 and max(spent) < 0.5
    assert shown.headline == "stopped early" and not shown.train_button.disabled
