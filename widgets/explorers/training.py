"""Anchored training on sliders, with a button.

Sliders do not train, they say what the button would.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import ipywidgets as W
import torch

from ..charts import race_chart
from ..rows import race_rows
from ..rows.training import Curves, Race, first_curves
from .base import Explorer, choice, count, slider
from .loops import interruptible, main_loop
from .race import CLIPPED, NOT_CLIPPED, SHAM, TRUE, race_of, spoken, verdict

# seconds of training between looks at the world, and for the world to speak
SLICE, PAUSE = 0.06, 0.005


class TrainingExplorer(Explorer):
    """An Explorer whose picture is made by training.

    `.train()` trains at once; the Train button does so in slices on the kernel's loop, so that
    sliders, Stop and other cells live on. `.curves` is what the picture shows, `.task` the training
    under way or the last one.
    """

    def __init__(self, controls: dict, code, presets: dict[str, dict]):
        self.curves, self.task = first_curves(), None
        self._failed: dict[Race, str] = {}
        self._at_work = self._stop = False
        self._main = main_loop()
        # a process's first optimizer loads much of torch: a second in which Stop would not be heard
        torch.optim.Adam([torch.zeros(1)])
        super().__init__(controls, self._tell, race_chart, code=code, presets=presets)
        self.train_button = W.Button(description="Train", icon="play", button_style="primary")
        self.stop_button = W.Button(description="Stop", icon="stop", disabled=True)
        self.bar = W.IntProgress(
            max=self.curves.race.steps, value=self.curves.steps_done, layout=W.Layout(width="16em")
        )
        self.bar_says = W.Label()
        self.train_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.stop())
        sliders, presets_row, chart, fold = self.view.children
        work = W.Box(
            [self.train_button, self.stop_button, self.bar, self.bar_says],
            layout=W.Layout(flex_flow="row wrap"),
        )
        self.view.children = [sliders, presets_row, work, chart, fold]
        self._update(None)

    @property
    def race(self) -> Race:
        """What the sliders ask for."""
        return race_of(**self.state)

    def recorded(self) -> Explorer:
        """Recorded runs of all presets: on a web page nothing trains."""
        from .recorded import recorded_races  # which also runs as a program

        return recorded_races(self.preset_values, short)

    def train(self) -> None:
        """Train what the sliders say, to the end or to Ctrl-C, and return when it is done."""
        for _ in self._slices():
            pass

    def start(self) -> None:
        """The same in slices on the running event loop; without one, at once."""
        if self._at_work:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.train()
        self._main = main_loop() or self._main
        slices = self._slices()
        if next(slices, None) is not None:
            self.task = loop.create_task(self._go(slices))

    def stop(self) -> None:
        """Stop after the present step; what was measured stays."""
        self._stop = True

    async def _go(self, slices: Iterator[Curves]) -> None:
        with interruptible(self.stop, self._main):
            for _ in slices:
                await asyncio.sleep(PAUSE)

    def _slices(self) -> Iterator[Curves]:
        """Train; hand over the kernel every SLICE seconds. Nothing that goes wrong is silent."""
        if self._at_work:
            raise RuntimeError("this explorer is training already; stop() it first")
        self._failed, self._stop, self._at_work, race = {}, False, True, self.race
        self.train_button.disabled, self.stop_button.disabled = True, False
        try:
            due, shown = time.monotonic() + SLICE, 0
            for self.curves in race.run():
                if len(self.curves.steps) > shown:
                    shown = len(self.curves.steps)
                    self._update(None)
                if self._stop:
                    break
                if time.monotonic() >= due:
                    self._count()
                    yield self.curves
                    due = time.monotonic() + SLICE
        except KeyboardInterrupt:
            self._stop = True
        except Exception as error:
            self._failed = {race: str(error) or type(error).__name__}
        finally:
            self._at_work = False
            self.train_button.disabled, self.stop_button.disabled = False, True
            self._update(None)

    def _count(self) -> None:
        self.bar.max, self.bar.value = self.curves.race.steps, self.curves.steps_done
        self.bar_says.value = f"{self.curves.steps_done} of {self.curves.race.steps} steps"

    @property
    def _stale(self) -> bool:
        return self.curves.race != self.race

    def _tell(self, **_) -> tuple[dict, str, str]:
        """Story for the present curves, whatever the sliders say.

        Where the two differ the words say so.
        """
        curves, shown = self.curves, spoken(self.curves.race)
        headline, words = verdict(curves)
        if self._at_work:
            headline, words = "training", f"{shown}. {words}"
        elif self.race in self._failed:
            headline = "training failed"
            words = f"{self._failed[self.race].rstrip('.')}. The picture shows {shown}."
        elif self._stale:
            headline = "press Train"
            words = f"the sliders say {spoken(self.race)}; the picture still shows {shown}."
        elif not curves.done:
            headline = "stopped early"
            words = f"the rate never came down, so this is not the end of a run. {words}"
        return race_rows(curves), headline, words

    def _update(self, change) -> None:
        if hasattr(self, "bar"):
            self._count()  # before the words, which speak of it
        super()._update(change)
        self.chart.stale = not self._at_work and (self._stale or self.race in self._failed)


def short(race: Race) -> str:
    """A race as code writes it."""
    return (
        f"Race(anchors={race.anchors}, lam_anchor={race.lam_anchor:g}, sham={race.sham}, "
        f"clip={race.clip:g}, S={race.S}, mu={race.mu}, k={race.k})"
    )


def training_explorer(
    anchors: int = 16,
    log_lam: float = -1.0,
    at: str = TRUE,
    gradients: str = CLIPPED,
    S: float = 0.95,
    mu: float = 0.3,
    k: int = 3,
) -> TrainingExplorer:
    """Feature anchoring (the walkthrough's "A Principled Fix"): choose anchors and data, and train.

    Press Train, and watch held-out features being found with and without. `at` and `gradients` are
    the controls of the experiment.
    """
    controls = {
        "anchors": count("anchors (of 40 features)", anchors, 0, 36),
        "log_lam": slider("log10(lam_anchor)", log_lam, -3.0, 1.0, step=0.25),
        "at": choice("anchored at", at, [TRUE, SHAM]),
        "gradients": choice("gradients", gradients, [CLIPPED, NOT_CLIPPED]),
        "S": slider("sparsity S", S, 0.8, 0.99, step=0.01),
        "mu": slider("interference mu", mu, 0.1, 0.6, step=0.05),
        "k": count("k of Top-k", k, 1, 12),
    }
    code = lambda **state: (
        "from widgets.rows import Race\n"
        f"curves = {short(race_of(**state))}.train()\n"
        "print(curves.difference())                  # anchored minus not, averaged over the run\n"
        "print(curves.difference(curves.race.steps)) # and at its end"
    )
    usual = dict(anchors=16, log_lam=0.0, at=TRUE, gradients=CLIPPED, S=0.95, mu=0.3, k=3)
    return TrainingExplorer(
        controls,
        code,
        presets={
            "strong anchors": usual,
            "sham anchors": usual | dict(at=SHAM),
            "not clipped": usual | dict(gradients=NOT_CLIPPED),
            "k too large": usual | dict(k=8),
        },
    )
