"""`fit`: all the steps of a training run, with a progress bar, a history, checkpoints, and errors
that say what to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from numbers import Integral
from pathlib import Path

import torch

from ..files import CheckpointError, read_tensors, sweep, write_tensors
from ..lock import locked
from ..measure.matching import best_matches
from ..plain import check_json, leaves
from ..readers import having
from ..signature import checked
from ..truth.bench import LinearRepresentationBench
from .anchors import Anchors
from .config import Config
from .history import History
from .memory import readable, training_bytes
from .model import SDLModel
from .stopping import HEARD, between_steps
from .trainer import Trainer, TrainingError
from .world import World

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "ALLOC_FAILED",
)
SHOWN = {
    "loss": "loss",
    "L0": "l0",
    "W_E found, raw": "encoder_raw_recovery_95",
    "W_D found, cos": "decoder_recovery_95",
    "samples/s": "samples_per_s",
}  # beside the progress bar
MAY_DIFFER = tuple(
    f"config.{name}" for name in ("log_every", "eval_every", "checkpoint_every", "compile")
)


@checked(
    data=having(
        "batch", several=True, what="a LinearRepresentationBench, Samples, or what has their batch"
    )
)
def fit(
    model: SDLModel,
    data,
    config: Config = Config(),
    *,
    anchors: int | Anchors | Sequence[Anchors | None] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    callback: Callable[[dict], bool | None] | None = None,
    progress: bool = True,
    world: World = World(),
) -> History:
    """Train `model` in place on `data`: a bench, a list of benches (one per instance), `Samples`,
    or anything with their `.batch(t, size, *, rank, world)`.

    anchors : k random true features of the bench(es), or `Anchors`; weight config.lam_anchor. Which
        features: `History.anchored`.
    out : a folder for `checkpoint.safetensors` (every config.checkpoint_every steps, and at the
        end) and `history.jsonl`.
    resume : go on from that checkpoint if there is one. On a CPU the run is then bit for bit the
        uninterrupted one.
    callback : called with each logged row; returning False stops the run.
    Ctrl-C and SIGTERM stop it too, after the step it is in (with several processes, at the next
    log): the checkpoint is written, and the history so far returned with `.interrupted` and
    `.signal` set. A second one stops at once and saves nothing.

    Raises TrainingError if the loss is not finite or far beyond that of a model that answers 0
    (`DIVERGED`), or if memory runs out; CheckpointError for a checkpoint that does not fit; the
    last good one stays. InUse, an OSError, if another run writes to `out`; ValueError, before the
    first step, for settings that no checkpoint could hold.
    """
    benches = list(data) if isinstance(data, Sequence) else [data]
    if isinstance(anchors, Integral):
        if anchors and not all(isinstance(bench, LinearRepresentationBench) for bench in benches):
            raise ValueError(
                f"anchors = {anchors} are drawn from a bench's true features; for data of your own "
                f"pass Anchors, such as Anchors.of_class_means"
            )
        anchors = (
            [Anchors.of_truth(bench, anchors, seed=config.seed) for bench in benches]
            if anchors
            else None
        )
        if anchors and len(benches) == 1:
            anchors = anchors * (model.instances or 1)
    trainer = Trainer(model, data, config, anchors, world)
    run = _Run(trainer, benches, anchors, Path(out) if out else None)
    try:
        with run.alone():
            run.begin(resume)
            with between_steps() as asked:
                run.go(callback, progress, asked)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            need = training_bytes(model, config.batch // world.size)
            raise TrainingError(
                f"out of memory: this needs about {readable(need.total)} a process ({need}). Use a "
                f"smaller batch or n_q, more "
                f"processes, or precision='bf16'. {run.kept()}"
            ) from error
        raise
    return run.history


def _fingerprint(anchors: Anchors | None):
    """Which anchors these are: the features, or where nobody knows them a figure of all their
    numbers.
    """
    if anchors is None or anchors.features is not None:
        return anchors and list(anchors.features)
    places = torch.arange(1, anchors.k + 1, dtype=torch.float64)
    return [f"{float(W.double().cpu().sum(1) @ places):.6g}" for W in (anchors.W_E, anchors.W_D.mT)]


class _Run:
    """A trainer with its bookkeeping."""

    def __init__(self, trainer: Trainer, benches: list, anchors, out: Path | None):
        self.trainer, self.out, self.history, self.locked = trainer, out, History(), False
        anchors = [anchors] if isinstance(anchors, Anchors) else anchors or []
        self.held_out = []
        many = trainer.model.instances or 1
        for i in range(many):
            bench = benches[i if len(benches) > 1 else 0]
            anchor = anchors[i if len(anchors) > 1 else 0] if anchors else None
            mask = None
            if isinstance(bench, LinearRepresentationBench) and (
                anchor is None or anchor.features is not None
            ):
                mask = (bench.W_r != 0).any(0)  # a zero column has no direction to recover
                if anchor and max(anchor.features, default=-1) >= bench.n:
                    raise ValueError(
                        f"anchors name feature {max(anchor.features)}; the bench has n = {bench.n} "
                        f"features, counted from 0"
                    )
                mask[list(anchor.features) if anchor else []] = False
            self.held_out.append((bench, mask) if mask is not None and mask.any() else None)
        self.anchored = [[] if a is None else a.features and list(a.features) for a in anchors]
        self.metadata = dict(
            model=trainer.model.settings | dict(dtype=str(trainer.model.W_E.dtype)),
            config=asdict(trainer.config),
            data=[getattr(b, "settings", None) for b in benches],
            anchors=[_fingerprint(a) for a in anchors],
        )
        if out:
            check_json(self.metadata, "a checkpoint")

    @contextmanager
    def alone(self):
        """`out` for this run alone: the first process holds it, and all learn whether it could."""
        with ExitStack() as held:
            failure = None
            try:
                if self.out and self.trainer.world.rank == 0:
                    self.locked = held.enter_context(locked(self.out, folder=True))
            except OSError as error:
                failure = error
            if self.out:
                self._agree(failure)
            yield

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.safetensors"

    def kept(self) -> str:
        return (
            f"The last good checkpoint is {self.checkpoint}."
            if self.out and self.checkpoint.exists()
            else "No checkpoint was written yet."
        )

    def begin(self, resume: bool) -> None:
        """Load the checkpoint, if there is one; find out now, not after hours, whether `out` can be
        written and the processes agree.
        """
        trainer = self.trainer
        if self.out is None and resume:
            raise ValueError(
                "resume=True (--resume) needs out= (--out), the folder of the run to go on with"
            )
        if self.out and self.checkpoint.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.checkpoint} exists: pass resume=True (--resume) to go on with it, or "
                    f"another folder"
                )
            tensors, metadata = read_tensors(self.checkpoint)
            self._check(metadata)
            try:
                trainer.load(tensors, metadata["step"])
            except ValueError as error:
                raise CheckpointError(f"{self.checkpoint} does not fit this run: {error}") from None
            self.history = History.load(self.out / "history.jsonl", upto=metadata["step"])
        elif (
            self.out
            and not resume
            and any(self._has(name) for name in ("history.jsonl", "report.json"))
        ):
            raise FileExistsError(
                f"{self.out} holds a history.jsonl or a report.json, and no checkpoint that they "
                f"belong to: give this run a folder of its own"
            )
        self.history.anchored = self.anchored
        if trainer.world.size > 1:
            figure = trainer.steps_done + sum(
                float(value.sum(dtype=torch.float64))
                for value in trainer.model.state_dict().values()
            )
            if not trainer.world.alike(figure, trainer.model.W_E.device):
                raise ValueError(
                    "the processes begin from different weights: give SDLModel the same generator "
                    "seed in each, and a folder `out` that all see"
                )
        if self.out:
            self._write(with_checkpoint=False)

    def _has(self, name: str) -> bool:
        """Is there such a file in `out`, and something in it?"""
        return (self.out / name).is_file() and (self.out / name).stat().st_size > 0

    def _check(self, theirs: dict) -> None:
        # settings younger than the file had their default then
        if isinstance(theirs.get("config"), dict):
            theirs = theirs | {"config": asdict(Config()) | theirs["config"]}
        if missing := {"model", "config", "data", "anchors", "step"} - set(theirs):
            raise CheckpointError(
                f"{self.checkpoint} is no training checkpoint: it lacks "
                f"{', '.join(sorted(missing))}"
            )
        import json

        ours, theirs = (
            dict(leaves(json.loads(json.dumps(given)))) for given in (self.metadata, theirs)
        )
        theirs.pop("step")
        for where in ours | theirs:
            if where not in MAY_DIFFER and theirs.get(where) != ours.get(where):
                raise CheckpointError(
                    f"{self.checkpoint} is of another run: its {where} is {theirs.get(where)!r}, "
                    f"this one's is {ours.get(where)!r}. "
                    "Give this run a folder of its own"
                )

    def go(self, callback, progress: bool, asked: list) -> None:
        from tqdm.auto import tqdm

        trainer, c = self.trainer, self.trainer.config
        always, shown = trainer.model.W_E.device.type == "cpu", {}
        self.clock, self.clock_step = time.perf_counter(), trainer.steps_done
        with tqdm(
            total=c.steps,
            initial=trainer.steps_done,
            desc=trainer.model.method,
            disable=not progress or trainer.world.rank > 0,
            unit="step",
        ) as bar:
            while trainer.steps_done < c.steps:
                trainer.step()
                bar.update()
                done = trainer.steps_done
                end = done == c.steps
                logs, saves = (
                    end or done % c.log_every == 0,
                    end or bool(c.checkpoint_every and done % c.checkpoint_every == 0),
                )
                if always or logs or saves:
                    self._check_loss(judge=logs or saves)
                if logs:
                    rows = self._log(measure=end or bool(c.eval_every and done % c.eval_every == 0))
                    figures = {
                        word: [row[name] for row in rows if name in row]
                        for word, name in SHOWN.items()
                    }
                    shown |= {
                        word: f"{sum(values) / len(values):.3g}"
                        for word, values in figures.items()
                        if values
                    }
                    bar.set_postfix(shown)
                if saves:
                    self.save()
                stop = bool(asked) or bool(
                    logs and callback is not None and self._ask(callback, rows)
                )
                if trainer.world.size > 1:  # all stop at the same step, or the others wait for ever
                    stop = logs and trainer.world.any(stop, trainer.sums.device)
                if stop and not end:
                    self.history.interrupted, self.history.signal = True, self._heard(asked)
                    self.save()
                    return

    def _ask(self, callback, rows: list[dict]) -> bool:
        """Whether the callback wants to stop: it returns False, or throws a KeyboardInterrupt."""
        try:
            return callback(rows[0] if self.trainer.model.instances is None else rows) is False
        except KeyboardInterrupt:
            return True

    def _heard(self, asked: list) -> int | None:
        """The signal that stops this run: the same answer in all processes."""
        heard = [
            number
            for number in HEARD
            if self.trainer.world.any(number in asked, self.trainer.sums.device)
        ]
        return int(heard[-1]) if heard else None

    def _check_loss(self, judge: bool) -> None:
        """TrainingError if the loss since the last log is not finite or, where asked, far off."""
        trainer, c = self.trainer, self.trainer.config
        if not torch.isfinite(trainer.sums).all():
            raise TrainingError(
                f"the loss is not finite at step {trainer.steps_done} (lr = {c.lr:g}, batch = "
                f"{c.batch}): "
                f"try a smaller lr, a longer warmup, or look for NaN in the data. {self.kept()}"
            )
        if judge:
            self._judge(trainer.sums[0] / trainer.sums[2])

    def _judge(self, loss: torch.Tensor) -> None:
        """TrainingError if the loss (instances,) says that training diverged."""
        trainer = self.trainer
        if (far := trainer.diverged(loss)).any():
            i, many = int(far.nonzero()[0]), trainer.model.instances
            raise TrainingError(
                f"training diverges: at step {trainer.steps_done} the "
                f"loss{f' of instance {i}' if many else ''} is {float(loss[i]):.3g}, where a model "
                f"that answers 0 has {float(trainer.ceiling[i]):.3g} (lr = {trainer.config.lr:g}): "
                f"try a smaller lr or a longer warmup. {self.kept()}"
            )

    def _log(self, measure: bool) -> list[dict]:
        trainer, c = self.trainer, self.trainer.config
        mse, l0 = (trainer.sums[:2] / trainer.sums[2]).tolist()
        trainer.sums.zero_()
        now = time.perf_counter()
        speed = (trainer.steps_done - self.clock_step) * c.batch / max(now - self.clock, 1e-9)
        self.clock, self.clock_step = now, trainer.steps_done
        dead = (trainer.asleep >= c.dead_after).sum(-1).reshape(-1).tolist()
        coef = trainer.coef.reshape(-1).tolist()
        rows = [
            dict(
                step=trainer.steps_done,
                samples=trainer.steps_done * c.batch,
                instance=i,
                loss=mse[i],
                l0=l0[i],
                dead=dead[i],
                coef=coef[i],
                lr=c.rate(trainer.steps_done - 1),
                samples_per_s=round(speed, 1),
            )
            for i in range(len(mse))
        ]
        if measure:
            self._check_weights()
            for row, figures in zip(rows, self._recovery()):
                row.update(figures)
        self.history.rows += rows
        return rows

    @torch.no_grad()
    def _recovery(self) -> list[dict]:
        """Recovery of the held-out features, each instance: the share with best match > tau, and
        the mean best match. None are: no figures.

        First by the paper's literal metric, encoder raw (section 5.1, appendix B); then encoder and
        decoder by cosine.
        """
        answers, model = [], self.trainer.model
        for i, held_out in enumerate(self.held_out):
            row = {}
            if held_out is None:
                answers.append(row)
                continue
            bench, mask = held_out
            one = (lambda W: W) if model.instances is None else (lambda W: W[i])
            encoder, decoder = (
                (one(model.W_E).detach(), bench.W_p[:, mask]),
                (one(model.W_D).mT.detach(), bench.W_r[:, mask]),
            )
            for side, pair, cosine in (
                ("encoder_raw", encoder, False),
                ("encoder", encoder, True),
                ("decoder", decoder, True),
            ):
                best = best_matches(*pair, cosine=cosine)
                row |= {
                    f"{side}_recovery_95": (best > 0.95).double().mean().item(),
                    f"{side}_recovery_90": (best > 0.9).double().mean().item(),
                    f"{side}_mip": best.double().mean().item(),
                }
            answers.append(row)
        return answers

    def _check_weights(self) -> None:
        if not all(
            torch.isfinite(value).all() for value in self.trainer.model.state_dict().values()
        ):
            raise TrainingError(
                f"a weight is not finite at step {self.trainer.steps_done}: nothing was written. "
                f"{self.kept()}"
            )

    def save(self) -> None:
        self._check_weights()
        self._judge(self.trainer.loss_now())
        if self.out:
            self._write()

    def _write(self, with_checkpoint: bool = True) -> None:
        """The history first, then the checkpoint: a crash between the two costs no row. The first
        process writes, and all learn whether it could.
        """
        trainer, history, failure = self.trainer, self.out / "history.jsonl", None
        try:
            if trainer.world.rank == 0:
                sweep(self.checkpoint, self.locked)
                sweep(history, self.locked)
                self.history.save(history)
                if with_checkpoint:
                    write_tensors(
                        self.checkpoint,
                        trainer.tensors(),
                        self.metadata | {"step": trainer.steps_done},
                    )
        except OSError as error:
            failure = error
        self._agree(failure)

    def _agree(self, failure: OSError | None) -> None:
        """Raise the first process's failure in all of them."""
        if self.trainer.world.any(failure is not None, self.trainer.sums.device):
            raise failure or OSError(
                f"the first process could not write to {self.out}; its error says why"
            )
