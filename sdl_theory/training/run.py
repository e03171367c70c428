"""A training run: a trainer with its bookkeeping, to the last step or somebody's wish to stop.

It begins at the first step, or at a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from .anchors import Anchors
from .health import check_divergence, check_loss, check_weights
from .held_out import held_out
from .history import History
from .progress import progress_bar, words
from .run_folder import RunFolder
from .same_run import settings_of
from .stopping import HEARD
from .trainer import Trainer


class Run:
    """A trainer with its history, and with the folder `out` where there is one."""

    def __init__(self, trainer: Trainer, out: Path | None):
        self.trainer, self.history = trainer, History()
        benches, anchors = trainer.data, trainer.anchors
        one_for = lambda i, given: given[i if len(given) > 1 else 0] if given else None
        self.held_out = [
            held_out(one_for(i, benches), one_for(i, anchors))
            for i in range(trainer.model.instances or 1)
        ]
        self.anchored: list[list[int] | None] = [_features(one) for one in anchors]
        self.folder = (
            RunFolder(out, trainer, settings_of(trainer, benches, anchors)) if out else None
        )
        self.clock, self.clock_step = 0.0, 0

    def begin(self, resume: bool) -> None:
        """Load the checkpoint, if there is one; find out now, not after hours, what could fail.

        That is, whether `out` can be written and the processes agree.
        """
        if self.folder is not None:
            self.history = self.folder.begin(resume)
        elif resume:
            raise ValueError(
                "resume=True (--resume) needs out= (--out), the folder of the run to go on with"
            )
        self.history.anchored = self.anchored
        self._check_processes_are_alike()
        if self.folder is not None:
            self.folder.write(self.history, checkpoint=False)

    def go(self, callback: Callable | None, progress: bool, asked: list) -> None:
        """The steps that are left, or those until `asked` holds a signal or the callback stops."""
        trainer, c = self.trainer, self.trainer.config
        always = trainer.model.W_E.device.type == "cpu"
        shown: dict[str, str] = {}
        self.clock, self.clock_step = time.perf_counter(), trainer.steps_done
        with progress_bar(trainer, progress) as bar:
            while trainer.steps_done < c.steps:
                trainer.step()
                bar.update()
                done = trainer.steps_done
                rows: list[dict] = []
                end = done == c.steps
                logs = end or done % c.log_every == 0
                saves = end or bool(c.checkpoint_every and done % c.checkpoint_every == 0)
                if always or logs or saves:
                    check_loss(trainer, self.folder)
                if logs or saves:
                    check_divergence(trainer, self.folder, trainer.sums[0] / trainer.sums[2])
                if logs:
                    rows = self._log(measure=end or bool(c.eval_every and done % c.eval_every == 0))
                    shown |= words(rows)
                    bar.set_postfix(shown)
                if saves:
                    self.save()
                if self._stops(rows, callback, asked) and not end:
                    self.history.interrupted, self.history.signal = True, self._heard(asked)
                    self.save()
                    return

    def save(self) -> None:
        """Write history and checkpoint, if the weights of now are good."""
        check_weights(self.trainer, self.folder)
        check_divergence(self.trainer, self.folder, self.trainer.loss_now())
        if self.folder is not None:
            self.folder.write(self.history)

    def _log(self, measure: bool) -> list[dict]:
        """One row an instance, added to the history."""
        trainer, c = self.trainer, self.trainer.config
        mse, l0 = (trainer.sums[:2] / trainer.sums[2]).tolist()
        trainer.sums.zero_()
        now = time.perf_counter()
        speed = (trainer.steps_done - self.clock_step) * c.batch / max(now - self.clock, 1e-9)
        self.clock, self.clock_step = now, trainer.steps_done
        dead = trainer.world.over_latents((trainer.asleep >= c.dead_after).sum(-1))
        coef = trainer.coef.reshape(-1).tolist()
        rows = [
            dict(
                step=trainer.steps_done,
                samples=trainer.steps_done * c.batch,
                instance=i,
                loss=mse[i],
                l0=l0[i],
                dead=int(dead.reshape(-1)[i]),
                coef=coef[i],
                lr=c.rate(trainer.steps_done - 1),
                samples_per_s=round(speed, 1),
            )
            for i in range(len(mse))
        ]
        if measure:
            check_weights(trainer, self.folder)
            for row, figures in zip(rows, self._recovery()):
                row.update(figures)
        self.history.rows += rows
        return rows

    def _recovery(self) -> list[dict]:
        """Recovery of the held-out features, each instance; no figures where none are held out."""
        model, world = self.trainer.model, self.trainer.world
        one = (lambda W, i: W) if model.instances is None else (lambda W, i: W[i])
        return [
            {} if held is None else held.recovery(one(model.W_E, i), one(model.W_D, i), world)
            for i, held in enumerate(self.held_out)
        ]

    def _stops(self, rows: list[dict], callback: Callable | None, asked: list) -> bool:
        """Whether to stop here, where these rows were logged.

        All processes stop at the same log, or the others wait for ever.
        """
        stop = bool(asked) or bool(rows and callback is not None and self._ask(callback, rows))
        if self.trainer.world.several:
            stop = bool(rows) and self._any(stop)
        return stop

    def _ask(self, callback: Callable, rows: list[dict]) -> bool:
        """Whether the callback wants to stop: it returns False, or throws a KeyboardInterrupt."""
        try:
            return callback(rows[0] if self.trainer.model.instances is None else rows) is False
        except KeyboardInterrupt:
            return True

    def _heard(self, asked: list) -> int | None:
        """The signal that stops this run: the same answer in all processes."""
        heard = [number for number in HEARD if self._any(number in asked)]
        return int(heard[-1]) if heard else None

    def _any(self, flag: bool) -> bool:
        return self.trainer.world.any(flag, self.trainer.sums.device)

    def _check_processes_are_alike(self) -> None:
        trainer = self.trainer
        if not trainer.world.several:
            return
        weights = sum(
            float(value.sum(dtype=torch.float64)) for value in trainer.model.state_dict().values()
        )
        if not trainer.world.alike(trainer.steps_done, weights, trainer.model.W_E.device):
            raise ValueError(
                "the processes begin from different weights: "
                "give SDLModel the same generator seed in each, and a folder `out` that all see"
            )


def _features(anchors: Anchors | None) -> list[int] | None:
    """The features that a model was shown; None where nobody knows."""
    if anchors is None:
        return []
    return None if anchors.features is None else list(anchors.features)
