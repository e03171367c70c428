"""The shape of an experiment on traps: a module with four functions, which the command runs."""

from __future__ import annotations

from typing import Protocol


class Experiment(Protocol):
    """A module of this folder.

    A job is settings, plain as JSON has them; a row is its job and what came out, plain too and
    short, for the whole file is committed. The command keeps a row a job, whole after every one,
    and never runs a job that a row has already.
    """

    def head(self) -> dict:
        """What all rows of a file share: recipe, seeds. A file with another head is refused."""
        ...

    def jobs(self) -> list[dict]:
        """Every run of the committed file, what is to be seen first before the rest."""
        ...

    def run(self, job: dict) -> dict:
        """`job | what came out`. Seeded by the job alone: the same in any order."""
        ...

    def show(self, rows: list[dict]) -> None:
        """Print the tables of these rows, complete or not; each is a `Table` of a function."""
        ...
