"""Files that are whole or not there: written beside their name, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import struct
from contextlib import contextmanager
from pathlib import Path

import torch

from .problem import Tensor

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.bool: "BOOL"}


class CheckpointError(ValueError):
    """A file that should hold weights does not: truncated, foreign, or of another model."""


@contextmanager
def replacing(path: Path):
    """A temporary path that takes `path`'s place if all goes well; what was at `path` stays if anything fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in FULL:
            raise OSError(error.errno, f"the disk is full (or this file over its limit): {path} could not be written; the last good one is kept. "
                                       f"Free some space and resume", str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sweep(path: str | Path) -> None:
    """Remove what killed processes left half-written beside `path`."""
    for temporary in Path(path).parent.glob(f".{Path(path).name}.*.tmp"):
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`: after a crash at any moment the file is the old one or the new one, whole."""
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def write_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically; one tensor at a time passes through the CPU's memory.

    The format is written by hand: killed, `safetensors.save_file` leaves a file of a random name behind, and what it writes only its owner may read.
    """
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))      # so every tensor is aligned
    header, end = {"__metadata__": {"sdl_theory": json.dumps(metadata)}}, 0
    for name, value in tensors.items():
        start, end = end, end + value.nbytes
        header[name] = dict(dtype=DTYPES[value.dtype], shape=list(value.shape), data_offsets=[start, end])
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with replacing(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for value in tensors.values():
            file.write(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())


def read_tensors(path: str | Path, device="cpu") -> tuple[dict[str, Tensor], dict]:
    """Tensors and metadata that `write_tensors` wrote. FileNotFoundError, or CheckpointError for a truncated or foreign file."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(errno.ENOENT, "no such checkpoint", str(path))
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            metadata = json.loads((file.metadata() or {})["sdl_theory"])
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file ({error}); delete it, or resume from another") from None
    except (KeyError, json.JSONDecodeError):
        raise CheckpointError(f"{path} was not written by sdl_theory: it carries no sdl_theory metadata. For SAELens folders use read_saelens") from None
