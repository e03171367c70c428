"""The folder that a run writes to: held by it alone, checkpoint and history whole or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..files import CheckpointError, read_tensors, sweep, write_tensors
from ..lock import locked
from ..plain import check_json
from .history import History
from .same_run import check_same_run
from .sharded.files import part_of, pieces, whole_shapes
from .trainer import Trainer


class RunFolder:
    """`path` with `checkpoint` and `history` of the run that has these `settings`.

    Of several processes the first alone writes, and all learn whether it could.
    """

    def __init__(self, path: Path, trainer: Trainer, settings: dict):
        check_json(settings, "a checkpoint")
        self.path, self.trainer, self.settings = path, trainer, settings
        self.checkpoint, self.history = path / "checkpoint.safetensors", path / "history.jsonl"
        self.locked = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The folder, for this run alone.

        The first process holds it, and all learn whether it could.
        """
        with ExitStack() as held:
            failure = None
            try:
                if self.trainer.world.first:
                    self.locked = held.enter_context(locked(self.path, folder=True))
            except OSError as error:
                failure = error
            self._agree(failure)
            yield

    def begin(self, resume: bool) -> History:
        """Load the checkpoint, if there is one, into the trainer; the history up to there.

        What one process cannot read, none goes on with.
        """
        history, failure = History(), None
        try:
            history = self._begin(resume)
        except (ValueError, OSError) as error:
            failure = error
        self._agree(failure, CheckpointError(f"another process could not go on with {self.path}"))
        return history

    def _begin(self, resume: bool) -> History:
        if not self.checkpoint.exists():
            if not resume and (self._holds("history.jsonl") or self._holds("report.json")):
                raise FileExistsError(
                    f"{self.path} holds a history.jsonl or a report.json, "
                    f"and no checkpoint that they belong to: give this run a folder of its own"
                )
            return History()
        if not resume:
            raise FileExistsError(
                f"{self.checkpoint} exists: "
                f"pass resume=True (--resume) to go on with it, or another folder"
            )
        metadata = self._load()
        return History.load(self.history, upto=metadata["step"])

    def write(self, history: History, *, checkpoint: bool = True) -> None:
        """The history first, then the checkpoint: a crash between the two costs no row."""
        trainer, failure = self.trainer, None
        tensors = trainer.tensors() if checkpoint and trainer.world.rank == 0 else {}
        stream = pieces(tensors, trainer.world)
        try:
            if trainer.world.first:
                sweep(self.checkpoint, self.locked)
                sweep(self.history, self.locked)
                history.save(self.history)
                if checkpoint:
                    metadata = self.settings | {"step": trainer.steps_done}
                    shapes = whole_shapes(tensors, trainer.world)
                    write_tensors(self.checkpoint, shapes, metadata, stream)
        except OSError as error:
            failure = error
        for _ in stream:  # what the first process asks of the others, and what it could not write
            pass
        self._agree(failure)

    def _load(self) -> dict:
        """The checkpoint into the trainer, this process's part of it; what it says of itself."""
        trainer = self.trainer
        read = part_of(trainer.model) if trainer.world.shards > 1 else None
        tensors, metadata = read_tensors(self.checkpoint, read=read)
        check_same_run(self.checkpoint, self.settings, metadata)
        try:
            trainer.load(tensors, metadata["step"])
        except ValueError as error:
            raise CheckpointError(f"{self.checkpoint} does not fit this run: {error}") from None
        return metadata

    def _holds(self, name: str) -> bool:
        """Is there such a file, and something in it?"""
        return (self.path / name).is_file() and (self.path / name).stat().st_size > 0

    def _agree(self, failure: Exception | None, elsewhere: Exception | None = None) -> None:
        """Raise a process's failure in it, and in all others `elsewhere`: by default the first's.

        The first's is that it could not write.
        """
        if self.trainer.world.any(failure is not None, self.trainer.sums.device):
            raise (
                failure
                or elsewhere
                or OSError(f"the first process could not write to {self.path}; its error says why")
            )


def kept(folder: RunFolder | None) -> str:
    """What a run that cannot go on leaves behind, for its error."""
    if folder is None or not folder.checkpoint.exists():
        return "No checkpoint was written yet."
    return f"The last good checkpoint is {folder.checkpoint}."
