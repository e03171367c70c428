"""Files that are whole or not there: written beside their name, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from pathlib import Path

from .problem import Tensor


class CheckpointError(ValueError):
    """A file that should hold weights does not: truncated, foreign, or of another model."""


@contextmanager
def _replacing(path: Path):
    """A temporary path that takes `path`'s place if all goes well; what was at `path` stays if anything fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, f"the disk is full: {path} could not be written; the last good one is kept. Free some space and resume", str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`: after a crash at any moment the file is the old one or the new one, whole."""
    with _replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def write_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with _replacing(Path(path)) as temporary:
        try:
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, temporary, {"sdl_theory": json.dumps(metadata)})
        except SafetensorError as error:
            code = errno.ENOSPC if "os error 28" in str(error) or "No space" in str(error) else errno.EIO
            raise OSError(code, str(error)) from None


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
