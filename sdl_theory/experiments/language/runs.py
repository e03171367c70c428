"""One run of Figure 7: a dictionary trained with one remedy against dead latents, or none."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from ...checks import Tensor
from ...files import read_tensors, write_tensors
from ...training.model import SDLModel
from ...training.threads import is_small, one_thread
from ...training.trainer import Trainer, TrainingError
from ...training.world import World
from ..provenance import provenance
from .activations import Pair, prepare
from .anew import ANEW, begin_anew
from .reading import read
from .setting import RESAMPLED_AT, Setting

POINTS = 60  # of a curve
CHECKPOINTS = 10  # of a long run
LONG = 5000  # steps from which a run keeps checkpoints


def train_arm(
    setting: Setting,
    kind: str,
    arm: str,
    seed: int,
    *,
    found,
    device: torch.device | str = "cpu",
    world: World = World(),
    folder: Path | None = None,
    progress: bool = False,
) -> dict:
    """Train on a kind's rows of the harvest `found`; what came out, as JSON has it.

    The row has `curve` (steps, mean loss since the point before, dead latents), `figures` (see
    `reading.read`), `resampled` and `woken` (those of them that are not dead at the end), and what
    it was made with. The loss is a mean of ||x_r - x_hat||^2 where E ||x_r||^2 = 1.
    """
    begun, pair = time.perf_counter(), prepare(setting, kind, found, seed)
    x_p, x_r = pair.held_out.pair(torch.arange(1))
    model = SDLModel(
        n_p=x_p.shape[1],
        n_q=setting.wide * model_width(found),
        n_r=x_r.shape[1],
        k=setting.k,
        generator=torch.Generator().manual_seed(seed),
        device=device,
    )
    trainer = Trainer(model, pair.train, setting.config(arm, seed), world=world)
    job = dict(kind=kind, arm=arm, seed=seed, setting=setting.kept())
    with one_thread(is_small(model, setting.batch // world.size)):
        made, which = _train(trainer, job, setting, pair=pair, folder=folder, progress=progress)
    dead = (trainer.asleep >= trainer.config.dead_after).cpu()
    figures = read(model, pair) | dict(dead=float(dead.double().mean()))
    return job | dict(
        n_p=model.n_p,
        n_q=model.n_q,
        data=pair.facts,
        curve=made["curve"],
        resampled=made["resampled"],
        woken=None if made["resampled"] is None else int((~dead[which]).sum()),
        figures={name: round(value, 6) for name, value in figures.items()},
        seconds=round(time.perf_counter() - begun, 1),
        step_seconds=round(made["seconds"] / setting.steps, 5),
        step_cpu_seconds=round(made["cpu_seconds"] / setting.steps, 5),
        made_with=provenance(device),
    )


def model_width(found) -> int:
    """The residual stream's dimension."""
    return next(iter(found.values())).n_p


def _train(
    trainer: Trainer,
    job: dict,
    setting: Setting,
    *,
    pair: Pair,
    folder: Path | None,
    progress: bool,
) -> tuple[dict, Tensor]:
    """All steps: the curve and seconds of them, and which latents were resampled.

    Long runs go on from their last checkpoint.
    """
    from tqdm import tqdm

    made: dict = dict(curve=dict(step=[], loss=[], dead=[]), resampled=None)
    made |= dict(seconds=0.0, cpu_seconds=0.0)
    which, path = torch.zeros(0, dtype=torch.long), None
    if folder is not None and setting.steps >= LONG:
        path = folder / "checkpoint.safetensors"
    if path is not None and path.exists():
        which, made = _load(trainer, path, job)
    every, rank = max(1, setting.steps // POINTS), trainer.world.rank
    took = _clock(made)
    with tqdm(total=setting.steps, initial=trainer.steps_done, disable=not progress) as bar:
        while trainer.steps_done < setting.steps:
            trainer.step()
            bar.update()
            done = trainer.steps_done
            if job["arm"] in ANEW and done == setting.steps // RESAMPLED_AT:
                which = begin_anew(trainer, pair, ANEW[job["arm"]])
                made["resampled"] = len(which)
            if done % every == 0 or done == setting.steps:
                _log(trainer, made["curve"])
                bar.set_postfix(loss=made["curve"]["loss"][-1], dead=made["curve"]["dead"][-1])
            if path and done % (setting.steps // CHECKPOINTS) == 0 and rank == 0:
                made |= took()
                tensors = trainer.tensors() | {"run/which": which}
                write_tensors(path, tensors, dict(job=job, step=done, made=made))
    return made | took(), which


def _clock(made: dict):
    """Seconds on the wall and of the processor, those of an earlier process added."""
    clocks = dict(seconds=time.perf_counter, cpu_seconds=time.process_time)
    begun = {name: clock() - made[name] for name, clock in clocks.items()}
    return lambda: {name: clock() - begun[name] for name, clock in clocks.items()}


def _load(trainer: Trainer, path: Path, job: dict) -> tuple[Tensor, dict]:
    """Go on from a checkpoint; ValueError for one of another run."""
    tensors, kept = read_tensors(path)
    if kept.get("job") != job:
        raise ValueError(f"{path} is a checkpoint of another run; delete it, or name another --out")
    trainer.load(tensors, kept["step"])
    return tensors["run/which"], kept["made"]


def _log(trainer: Trainer, curve: dict) -> None:
    loss = float(trainer.sums[0] / trainer.sums[2])
    if not torch.isfinite(trainer.sums).all():
        raise TrainingError(
            f"the loss is not finite at step {trainer.steps_done} (lr = {trainer.config.lr:g}): "
            f"try a smaller --lr"
        )
    trainer.sums.zero_()
    curve["step"].append(trainer.steps_done)
    curve["loss"].append(round(loss, 5))
    curve["dead"].append(int((trainer.asleep >= trainer.config.dead_after).sum()))
