"""What a stored result must say of its making: commit, versions, device, threads."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import torch


def provenance(device: torch.device | str = "cpu") -> dict:
    """Commit (None outside a checkout), versions, device and threads, for a stored table."""
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    return dict(
        commit=own_commit(),
        python=platform.python_version(),
        torch=torch.__version__,
        device=name,
        threads=torch.get_num_threads(),
    )


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
