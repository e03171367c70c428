"""What this machine holds, and whether what is asked for fits: found out before it is allocated."""

from __future__ import annotations

import os

import torch


def readable(size: float) -> str:
    """Bytes with a unit: '18.4 GiB', '3.1 MiB'."""
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


def machine_bytes(device: torch.device | str = "cpu") -> int | None:
    """All the memory of this machine, or of a CUDA device.

    None where the system does not say (Windows).
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def check_fits(name: str, value: int, need: float, device: torch.device | str, what: str) -> None:
    """ValueError if `need` bytes, which `what` takes, are more than the whole machine has."""
    limit = machine_bytes(device)
    if limit is not None and need > limit:
        whole = "the GPU" if torch.device(device).type == "cuda" else "this machine"
        raise ValueError(
            f"{name} = {value:,} would take at least {readable(need)} for {what}; "
            f"{whole} has {readable(limit)} in all. Take a smaller number"
        )


def check_batch(
    name: str, size: int, active: float, columns: float, dtype: torch.dtype, device
) -> None:
    """`check_fits` for `size` samples, `active` features and `columns` dense numbers each.

    An active feature has an index, a position and a place, at 8 bytes each, and its value.
    """
    need = size * (active * (24 + dtype.itemsize) + columns * dtype.itemsize + 8)
    check_fits(name, size, need, device=device, what="its samples alone")
