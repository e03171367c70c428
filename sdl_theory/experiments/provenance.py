"""What a stored result must say of its making."""

from __future__ import annotations

import platform

import torch

from .commit import own_commit


def provenance(device: torch.device | str = "cpu") -> dict:
    """What a stored table must say of itself: commit (None outside a checkout), versions, device,
    threads.
    """
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    return dict(
        commit=own_commit(),
        python=platform.python_version(),
        torch=torch.__version__,
        device=name,
        threads=torch.get_num_threads(),
    )
