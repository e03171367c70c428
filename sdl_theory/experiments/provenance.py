"""What a stored result must say of its making: commit, versions, device, threads."""

from __future__ import annotations

import platform

import torch

from .commit import own_commit


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
