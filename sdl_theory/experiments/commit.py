"""Which commit of this code made a record."""

from __future__ import annotations

import subprocess
from pathlib import Path


def own_commit(file: str | Path = Path(__file__).with_name("__init__.py")) -> str | None:
    """The commit of the checkout that `file` belongs to; None where no checkout tracks it.

    A copy inside somebody else's repository has none.
    """
    file = Path(file).resolve()
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=file.parent, capture_output=True, text=True
    )
    try:
        if git("ls-files", "--error-unmatch", "--", file.name).returncode:
            return None
        return git("rev-parse", "--short", "HEAD").stdout.strip() or None
    except OSError:  # no git
        return None
