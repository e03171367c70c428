"""`fit`: all the steps of a training run, with a progress bar, a history, checkpoints, and errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from .anchoring import Anchors
from .bench import LinearRepresentationBench
from .checkpoint import CheckpointError, read_tensors, write_tensors
from .history import History
from .models import SDLModel
from .parallel import World
from .recovery import best_matches
from .scale import training_bytes
from .train import Config, Trainer, TrainingError

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
MAY_DIFFER = ("log_every", "eval_every", "checkpoint_every", "compile")


def fit(model: SDLModel, data, config: Config = Config(), *, anchors: int | Anchors | Sequence[Anchors | None] | None = None, out: str | Path | None = None,
        resume: bool = False, callback: Callable[[dict], bool | None] | None = None, progress: bool = True, world: World = World()) -> History:
    """Train `model` in place on `data`: a bench, a list of benches (one per instance), or anything with `.batch(t, size)`, such as `Samples`.

    anchors : k random true features of the bench(es), or `Anchors`; weight config.lam_anchor.
    out : a folder for `checkpoint.safetensors` (every config.checkpoint_every steps, and at the end) and `history.jsonl`.
    resume : go on from that checkpoint if there is one. On a CPU the run is then bit for bit the uninterrupted one.
    callback : called with each logged row; returning False stops the run.
    Ctrl-C stops it too: the checkpoint is written, and the history so far returned with `.interrupted` set.

    Raises TrainingError if the loss is not finite or memory runs out, CheckpointError for a checkpoint that does not fit; the last good one stays.
    """
    benches = list(data) if isinstance(data, Sequence) else [data]
    if isinstance(anchors, int):
        anchors = [Anchors.of_truth(bench, anchors, seed=config.seed) for bench in benches] if anchors else None
        if anchors and len(benches) == 1:
            anchors = anchors * (model.instances or 1)
    trainer = Trainer(model, data, config, anchors, world)
    run = _Run(trainer, benches, anchors, Path(out) if out else None)
    run.begin(resume)
    try:
        run.go(callback, progress)
    except KeyboardInterrupt:
        run.history.interrupted = True
        run.save()
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            need = training_bytes(model, config.batch // world.size)
            raise TrainingError(f"out of memory: this needs about {need.total / 2**30:.2f} GiB a process ({need}). Use a smaller batch or n_q, more "
                                f"processes, or precision='bf16'. {run.kept()}") from error
        raise
    return run.history


class _Run:
    """A trainer with its bookkeeping."""

    def __init__(self, trainer: Trainer, benches: list, anchors, out: Path | None):
        self.trainer, self.out, self.history = trainer, out, History()
        anchors = [anchors] if isinstance(anchors, Anchors) else anchors or []
        self.held_out = []
        many = trainer.model.instances or 1
        for i in range(many):
            bench = benches[i if len(benches) > 1 else 0]
            anchor = anchors[i if len(anchors) > 1 else 0] if anchors else None
            if isinstance(bench, LinearRepresentationBench):
                mask = torch.ones(bench.n, dtype=torch.bool, device=bench.device)
                mask[list(anchor.features or ()) if anchor else []] = False
                self.held_out.append((bench, mask))
        self.metadata = dict(model=trainer.model.settings, config=asdict(trainer.config), data=[getattr(b, "settings", None) for b in benches],
                             anchors=[a and list(a.features or ()) for a in anchors])

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.safetensors"

    def kept(self) -> str:
        return f"The last good checkpoint is {self.checkpoint}." if self.out and self.checkpoint.exists() else "No checkpoint was written yet."

    def begin(self, resume: bool) -> None:
        if self.out is None:
            if resume:
                raise ValueError("resume=True needs out=, the folder of the run to go on with")
            return
        if not self.checkpoint.exists():
            return
        if not resume:
            raise FileExistsError(f"{self.checkpoint} exists: pass resume=True to go on with it, or another folder")
        tensors, metadata = read_tensors(self.checkpoint, self.trainer.model.W_E.device)
        self._check(metadata)
        try:
            self.trainer.load(tensors, metadata["step"])
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"{self.checkpoint} lacks a part of this run: {error}") from None
        self.history = History.load(self.out / "history.jsonl", upto=metadata["step"])

    def _check(self, theirs: dict) -> None:
        if missing := {"model", "config", "data", "anchors", "step"} - set(theirs):
            raise CheckpointError(f"{self.checkpoint} is no training checkpoint: it lacks {', '.join(sorted(missing))}")
        import json

        ours = json.loads(json.dumps(self.metadata))
        for part in ("model", "config"):
            for name in ours[part]:
                if name not in MAY_DIFFER and theirs[part].get(name) != ours[part][name]:
                    raise CheckpointError(f"{self.checkpoint} is of another run: its {part}.{name} is {theirs[part].get(name)!r}, this one's is "
                                          f"{ours[part][name]!r}. Give this run a folder of its own")
        for part in ("data", "anchors"):
            if theirs[part] != ours[part]:
                raise CheckpointError(f"{self.checkpoint} is of another run: its {part} differ. Give this run a folder of its own")

    def go(self, callback, progress: bool) -> None:
        from tqdm.auto import tqdm

        trainer, c = self.trainer, self.trainer.config
        always = trainer.model.W_E.device.type == "cpu"
        self.clock, self.clock_step = time.perf_counter(), trainer.steps_done
        lead = trainer.world.rank == 0
        with tqdm(total=c.steps, initial=trainer.steps_done, desc=trainer.model.method, disable=not (progress and lead), unit="step") as bar:
            while trainer.steps_done < c.steps:
                trainer.step()
                bar.update()
                done = trainer.steps_done
                end = done == c.steps
                logs, saves = end or done % c.log_every == 0, end or bool(c.checkpoint_every and done % c.checkpoint_every == 0)
                if always or logs or saves:
                    self._check_finite()
                if logs:
                    rows = self._log(measure=end or bool(c.eval_every and done % c.eval_every == 0))
                    bar.set_postfix({name: f"{sum(r[name] for r in rows) / len(rows):.3g}" for name in ("loss", "l0", "decoder_recovery_95") if name in rows[0]})
                if saves:
                    self.save()
                if logs and callback is not None and callback(rows[0] if trainer.model.instances is None else rows) is False:
                    self.history.interrupted = not end
                    self.save()
                    return

    def _check_finite(self) -> None:
        if not torch.isfinite(self.trainer.sums).all():
            raise TrainingError(f"the loss is not finite at step {self.trainer.steps_done} (lr = {self.trainer.config.lr:g}, batch = {self.trainer.config.batch}): "
                                f"try a smaller lr, a longer warmup, or look for NaN in the data. {self.kept()}")

    def _log(self, measure: bool) -> list[dict]:
        trainer, c = self.trainer, self.trainer.config
        mse, l0 = (trainer.sums[:2] / trainer.sums[2]).tolist()
        trainer.sums.zero_()
        now = time.perf_counter()
        speed = (trainer.steps_done - self.clock_step) * c.batch / max(now - self.clock, 1e-9)
        self.clock, self.clock_step = now, trainer.steps_done
        dead = (trainer.asleep >= c.dead_after).sum(-1).reshape(-1).tolist()
        coef = trainer.coef.reshape(-1).tolist()
        rows = [dict(step=trainer.steps_done, samples=trainer.steps_done * c.batch, instance=i, loss=mse[i], l0=l0[i], dead=dead[i], coef=coef[i],
                     lr=c.rate(trainer.steps_done - 1), samples_per_s=round(speed, 1)) for i in range(len(mse))]
        if measure:
            for row, figures in zip(rows, self._recovery()):
                row.update(figures)
        self.history.rows += rows
        return rows

    @torch.no_grad()
    def _recovery(self) -> list[dict]:
        """Recovery of the held-out features, each instance: the share with best |cosine| > tau, and the mean best."""
        answers, model = [], self.trainer.model
        for i, (bench, mask) in enumerate(self.held_out):
            row = {}
            one = (lambda W: W) if model.instances is None else (lambda W: W[i])
            for side, learned, truth in (("decoder", one(model.W_D).mT, bench.W_r), ("encoder", one(model.W_E), bench.W_p)):
                best = best_matches(learned.detach(), truth[:, mask])
                row |= {f"{side}_recovery_95": (best > .95).double().mean().item(), f"{side}_recovery_90": (best > .9).double().mean().item(),
                        f"{side}_mip": best.double().mean().item()}
            answers.append(row)
        return answers

    def save(self) -> None:
        """The history first, then the checkpoint: a crash between the two costs no row."""
        if self.out is None or self.trainer.world.rank:
            return
        if not all(torch.isfinite(p).all() for p in self.trainer.model.parameters()):
            raise TrainingError(f"a weight is not finite at step {self.trainer.steps_done}: nothing was written. {self.kept()}")
        self.history.save(self.out / "history.jsonl")
        write_tensors(self.checkpoint, self.trainer.tensors(), self.metadata | {"step": self.trainer.steps_done})
