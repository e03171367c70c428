"""Users' own .npy and .safetensors files: read, or a ValueError that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .checks import Tensor


def read_array(path: Path) -> Tensor:
    """The numbers of a .npy file in float64, or a ValueError that names it.

    Its header is held against its length before memory is taken.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            found = array.dtype if isinstance(array, np.ndarray) else "several arrays"
            raise ValueError(f"it holds {found}, not one array of numbers")
        return torch.from_numpy(np.array(array, dtype=np.float64))
    except Exception as error:
        # NumPy reads the header as Python text: it may fail in any way that text can
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read as a .npy file: {why}") from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or a ValueError that names it."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error})") from None
