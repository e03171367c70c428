"""Small models train on one thread, and whoever called has the old number back."""

import pytest
import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.experiments.language.made_up import made_up
from sdl_theory.experiments.language.runs import train_arm
from sdl_theory.experiments.language.setting import Setting
from sdl_theory.experiments.paper import plane
from sdl_theory.training import threads
from sdl_theory.training.threads import is_small, one_thread
from widgets.rows.training import Race


@pytest.fixture(autouse=True)
def two_threads():
    """As on a laptop: the tests' one thread would hide what this is about."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def seen_by_fit(stop: Exception | None = None) -> list[int]:
    """The threads at each of three logs."""
    bench = LinearRepresentationBench(n=8, n_p=6, S=0.8)
    model = SDLModel(6, 12, k=2, generator=torch.Generator().manual_seed(0))
    seen = []

    def look(row):
        seen.append(torch.get_num_threads())
        if stop:
            raise stop

    fit(model, bench, Config(steps=3, batch=8, log_every=1), callback=look, progress=False)
    return seen


def test_a_small_model_trains_on_one_thread_and_gives_the_others_back(monkeypatch):
    assert seen_by_fit() == [1, 1, 1] and torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError):
        seen_by_fit(ZeroDivisionError())
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(threads, "SMALL", 6 * 12 * 8)
    assert seen_by_fit() == [2, 2, 2]  # not smaller than that


def test_small_is_counted_over_instances_and_batch():
    model = lambda n_q, instances=None: SDLModel(64, n_q, k=2, instances=instances)
    assert is_small(model(1024), 1023) and not is_small(model(1024), 1024)  # 2^26
    assert not is_small(model(64, 16), 1024)
    assert is_small(model(64), 1) and not is_small(model(64).to("meta"), 1)  # as on a GPU


def test_one_thread_only_where_it_is_asked_for():
    with one_thread(False):
        assert torch.get_num_threads() == 2
    with one_thread(), one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_a_race_leaves_the_threads_alone_between_its_steps(monkeypatch):
    race = Race(anchors=4, n=12, n_p=9, n_q=20, S=0.8, mu=0.5, steps=4, batch=16, seeds=(0, 1))
    inside, step = [], Trainer.step
    look = lambda self: (inside.append(torch.get_num_threads()), step(self))
    monkeypatch.setattr(Trainer, "step", look)
    between = [torch.get_num_threads() for _ in race.run()]
    assert inside == [1] * 4 and between == [2] * 4 and torch.get_num_threads() == 2


def test_what_lessons_train_step_by_step_takes_one_thread(monkeypatch):
    """Without: minutes in place of seconds where somebody else uses the other core."""
    seen = []
    step = Trainer.step
    monkeypatch.setattr(
        Trainer, "step", lambda self: (seen.append(torch.get_num_threads()), step(self))[1]
    )
    setting = Setting(layer=2, k=4, steps=12, batch=64, lr=3e-3, precision="float32")
    train_arm(setting, "sae", "nothing", 0, found=made_up(0.5))
    plane.train(plane.Plane(), runs=3, steps=2)
    assert seen and set(seen) == {1} and torch.get_num_threads() == 2
