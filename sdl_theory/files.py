"""Files that are whole or not there: written beside their name, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import glob
import itertools
import json
import os
import stat
import struct
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path

import torch

from .checks import Tensor

NUMBERS = itertools.count()  # two threads that write one file have a temporary one each
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.bool: "BOOL",
}


class CheckpointError(ValueError):
    """A file that should hold weights does not: truncated, foreign, or of another model."""


def writable(path: Path) -> Path:
    """Where a file written to `path` comes to lie: symbolic links are followed, and stay.

    OSError for what no file can replace: a folder, a device, a pipe.
    """
    path = Path(os.path.realpath(path))
    if path.is_symlink():
        raise OSError(
            errno.ELOOP, "symbolic links that lead round in a circle: name another file", str(path)
        )
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device, pipe or socket"
        raise OSError(
            errno.EISDIR if path.is_dir() else errno.EINVAL,
            f"this is {what}, and what is written here is a file: name another",
            str(path),
        )
    return path


@contextmanager
def replacing(path: Path):
    """A temporary path that takes `path`'s place if all goes well.

    What was at `path` stays if anything fails. The new file has the mode of the one that it
    replaces (else what the umask leaves), and a link at `path` goes on pointing to it.
    """
    path = writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(NUMBERS)}.tmp")
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in FULL:
            raise OSError(
                error.errno,
                f"the disk is full (or this file over its limit): {path} could not be written; "
                f"the last good one is kept. Free some space and resume",
                str(path),
            ) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sweep(path: str | Path, locked: bool) -> None:
    """Remove what killed processes left half-written beside `path`.

    All of it for who holds the lock (`lock.locked`), else what no living process wrote.
    """
    path = Path(os.path.realpath(path))
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = temporary.name[len(path.name) + 2 :].split(".")[0]
        if locked or pid.isdigit() and not alive(int(pid)):
            temporary.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    """Whether a process `pid` runs on this machine; True where nobody can tell."""
    try:
        os.kill(pid, 0)  # signal 0 asks and does nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, atomically.

    After a crash at any moment the file is the old one or the new one, whole.
    """
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def in_file_order(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The widest numbers first, so that every tensor is aligned; of equal width by name."""
    return dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))


def write_tensors(
    path: str | Path,
    tensors: dict[str, Tensor],
    metadata: dict,
    pieces: Iterable[Tensor] | None = None,
) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically.

    pieces : their numbers, in the order of the file, where `tensors` have shapes and dtypes alone.

    One tensor at a time passes through the CPU's memory. The format is written by hand: killed,
    `safetensors.save_file` leaves a file of a random name behind, and what it writes only its
    owner may read.
    """
    tensors = in_file_order(tensors)
    header: dict[str, dict] = {"__metadata__": {"sdl_theory": json.dumps(metadata)}}
    end = 0
    for name, value in tensors.items():
        start, end = end, end + value.nbytes
        header[name] = dict(
            dtype=DTYPES[value.dtype], shape=list(value.shape), data_offsets=[start, end]
        )
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with replacing(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for value in tensors.values() if pieces is None else pieces:
            flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
            file.write(flat.numpy().data)


def read_tensors(
    path: str | Path, device="cpu", read: Callable | None = None
) -> tuple[dict[str, Tensor], dict]:
    """Tensors and metadata that `write_tensors` wrote.

    read : of a name and safetensors' slice of that tensor, what is wanted of it; None: all.

    FileNotFoundError, or CheckpointError for a truncated or foreign file.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(errno.ENOENT, "no such checkpoint", str(path))
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            metadata = json.loads((file.metadata() or {})["sdl_theory"])
            whole = lambda name, _: file.get_tensor(name)
            take = read or whole
            return {name: take(name, file.get_slice(name)) for name in file.keys()}, metadata
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is truncated or no safetensors file ({error}); "
            f"delete it, or resume from another"
        ) from None
    except (KeyError, json.JSONDecodeError):
        raise CheckpointError(
            f"{path} was not written by sdl_theory: it carries no sdl_theory metadata. "
            f"For SAELens folders use read_saelens"
        ) from None
