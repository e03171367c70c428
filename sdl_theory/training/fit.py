"""`fit`: a whole training run, with a bar, a history, checkpoints, errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from ..readers import having
from ..signature import checked
from ..truth.batches import Data
from .anchors import Anchors
from .config import Config
from .history import History
from .memory import training_bytes
from .model import SDLModel
from .run import Run
from .run_folder import kept
from .stopping import between_steps
from .threads import is_small, one_thread
from .trainer import Trainer, TrainingError
from .world import World

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "ALLOC_FAILED",
)


@checked(
    data=having(
        "batch", several=True, what="a LinearRepresentationBench, Samples, or what has their batch"
    )
)
def fit(
    model: SDLModel,
    data: Data | Sequence[Data],
    config: Config = Config(),
    *,
    anchors: int | Anchors | Sequence[Anchors | None] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    callback: Callable[[dict], bool | None] | None = None,
    progress: bool = True,
    world: World = World(),
) -> History:
    """Train `model` in place, and return the run's `History`.

    data : a bench, a list of benches (one per instance), `Samples`, or anything with their
        `.batch(t, size, *, rank, world)`.
    anchors : k random true features of the bench(es), or `Anchors`; weight config.lam_anchor. Which
        features: `History.anchored`.
    out : a folder for `checkpoint.safetensors` (every config.checkpoint_every steps, and at the
        end) and `history.jsonl`.
    resume : go on from that checkpoint if there is one. On a CPU the run is then bit for bit the
        uninterrupted one.
    callback : called with each logged row; returning False stops the run.
    world : the processes that train together, which share out the batch, the latents or both.

    A small model is trained on one thread (`threads`), whatever torch is set to.

    Ctrl-C and SIGTERM stop it too, after the step it is in (with several processes, at the next
    log): the checkpoint is written, and the history so far returned with `.interrupted` and
    `.signal` set. A second one stops at once and saves nothing.

    Raises TrainingError if the loss is not finite or far beyond that of a model that answers 0
    (`DIVERGED`), or if memory runs out; CheckpointError for a checkpoint that does not fit; the
    last good one stays. InUse, an OSError, if another run writes to `out`; ValueError, before the
    first step, for settings that no checkpoint could hold.

    >>> import torch
    >>> from sdl_theory import Config, LinearRepresentationBench, SDLModel, fit
    >>> bench = LinearRepresentationBench(n=8, n_p=6, S=0.8, dtype=torch.float64)
    >>> model = SDLModel(6, 12, k=2, dtype=torch.float64)
    >>> history = fit(model, bench, Config(steps=30, batch=32, log_every=10), progress=False)
    >>> history.column("step")
    [10, 20, 30]
    >>> model.encode(bench.batch(0, 5).x_p).shape
    torch.Size([5, 12])
    """
    trainer = Trainer(model, data, config, anchors, world=world)
    run = Run(trainer, Path(out) if out else None)
    small = is_small(model, config.batch // world.size)
    try:
        with run.folder.alone() if run.folder else nullcontext():
            run.begin(resume)
            with between_steps() as asked, one_thread(small):
                run.go(callback, progress, asked)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            need = training_bytes(model, config.batch // world.size)
            raise TrainingError(
                f"out of memory: this needs about {need} a process. "
                f"Use a smaller batch or n_q, more processes, or precision='bf16'. "
                f"{kept(run.folder)}"
            ) from error
        raise
    return run.history
