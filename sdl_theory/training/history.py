"""What a training run wrote down: a row for each log and instance, as JSON lines on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ..files import write_atomically
from ..signature import checked


class History:
    """The log of a training run: a row for each log and instance.

    rows : dicts with step, samples, instance, loss, l0, and recovery where it was measured.
    column(name) : one figure over time.
    last : the last row of each instance.
    interrupted : whether it was stopped early.
    signal : by which signal (2: Ctrl-C, 15: SIGTERM, None: its callback, or nothing).
    anchored : which true features each model was shown: a list each (None: of anchors whose
        features nobody knows).

    >>> from sdl_theory import History
    >>> logged = [dict(step=10, instance=0, loss=2.0), dict(step=20, instance=0, loss=1.5)]
    >>> history = History(logged)
    >>> history.column("loss")
    [2.0, 1.5]
    >>> history
    step 20, instance 0, loss 1.5
    """

    @checked
    def __init__(self, rows: list[dict] | None = None):
        self.rows: list[dict] = list(rows or [])
        self.interrupted = False
        self.signal: int | None = None
        self.anchored: list[list[int] | None] = []

    @checked
    def column(self, name: str, instance: int = 0) -> list:
        """The values of `name` for one instance, in order; rows without it are left out."""
        found = [row[name] for row in self.rows if row["instance"] == instance and name in row]
        if not found:
            raise KeyError(
                f"no {name!r} for instance {instance}; "
                f"there are {sorted({key for row in self.rows for key in row})}"
            )
        return found

    @property
    def last(self) -> list[dict]:
        """The last row of each instance."""
        return list({row["instance"]: row for row in self.rows}.values())

    @checked
    def save(self, path: str | Path) -> None:
        """Write JSON lines, atomically."""
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in self.rows).encode())

    @classmethod
    @checked
    def load(cls, path: str | Path, upto: int | None = None) -> History:
        """Read JSON lines.

        Rows after step `upto`, and a last line cut short by a crash, are left out. ValueError for a
        file that is damaged elsewhere.
        """
        rows = []
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        for number, line in enumerate(lines):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                if number < len(lines) - 1:
                    raise ValueError(
                        f"{path}, line {number + 1}, is not JSON; "
                        f"the history is damaged, move it away"
                    ) from None
                break
            if not isinstance(row, dict) or not {"step", "instance"} <= set(row):
                raise ValueError(
                    f"{path}, line {number + 1}, is no row of a history: "
                    f"it needs a step and an instance; the history is damaged, move it away"
                )
            if upto is None or row["step"] <= upto:
                rows.append(row)
        return cls(rows)

    def __repr__(self):
        if not self.rows:
            return "History(no rows yet)"
        show = lambda value: (
            f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else str(value)
        )
        return "\n".join(
            ", ".join(f"{key} {show(value)}" for key, value in row.items()) for row in self.last
        )
