"""One run to a folder: a lock that the kernel takes back from a process however it dies."""

from __future__ import annotations

import errno
import os
import socket
import warnings
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .files import writable

fcntl: ModuleType | None = None  # Windows has none
with suppress(ImportError):
    fcntl = import_module("fcntl")

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class InUse(BlockingIOError):
    """Another run writes to this folder or file."""


@contextmanager
def locked(path: str | Path | None, *, folder: bool = False):
    """Hold `path` for this run alone; yields whether it is held.

    path : a file, or with `folder` a folder, made if it is not there. None: nothing to hold.

    The lock is `flock`'s, on a file `.NAME.lock` beside the file (`.lock` in the folder) that goes
    with the run: the kernel frees it when its process ends, even by SIGKILL, and it keeps out
    another thread of the same process too. InUse, naming the holder, if it is taken. OSError if
    `path` cannot be written. Where the system has no flock (Windows, some network disks) a warning
    says that nothing keeps a second run out.
    """
    if path is None:
        yield False
        return
    with _named(path := Path(path)):
        lock = _place(path, folder)
        number = _take(lock, path)
    try:
        yield number is not None
    finally:
        if number is not None:
            if _is_at(number, lock):
                # while held: who comes next finds no file, or sees that the one he opened is gone
                lock.unlink()
            os.close(number)


@contextmanager
def _named(path: Path):
    """What the system says of a lock file nobody has heard of, said of the place asked for."""
    try:
        yield
    except InUse:
        raise
    except OSError as error:
        if error.errno is None or error.strerror is None or ":" in error.strerror:  # said already
            raise
        raise type(error)(
            error.errno,
            f"out cannot be written to ({error.strerror}): "
            f"name another place, or mend its permissions",
            str(path),
        ) from None


def _place(path: Path, folder: bool) -> Path:
    """The lock file's path; the folder is made if it is not there."""
    if folder:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, "out must be a folder, and this is none: name another", str(path)
            )
        path.mkdir(parents=True, exist_ok=True)
        return path / ".lock"
    target = writable(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.lock")


def _take(lock: Path, path: Path) -> int | None:
    """The number of the open lock file; None where there are no locks."""
    while True:
        number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _flock(number)
        except BlockingIOError:
            holder = os.pread(number, 300, 0).decode(errors="replace")
            os.close(number)
            raise InUse(_in_use(path, holder)) from None
        except OSError as error:
            os.close(number)
            if error.errno not in NO_LOCKS:
                raise
            lock.unlink(missing_ok=True)
            warnings.warn(
                f"{path}: this system has no file locks ({error}), "
                f"so nothing keeps a second run out; give every run a place of its own",
                stacklevel=4,
            )
            return None
        if _is_at(number, lock):
            with suppress(OSError):  # a full disk: held, but nobody will read by whom
                os.ftruncate(number, 0)
                os.pwrite(number, f"{os.getpid()} {socket.gethostname()}".encode(), 0)
            return number
        os.close(number)  # its holder removed it in between: once more


def _flock(number: int) -> None:
    if fcntl is None:
        raise OSError(errno.ENOSYS, "no fcntl.flock here")
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(number: int, lock: Path) -> bool:
    """Whether the open file is the one at this path now."""
    try:
        return os.path.samestat(os.fstat(number), lock.stat())
    except FileNotFoundError:
        return False


def _in_use(path: Path, holder: str) -> str:
    """What to tell who comes second."""
    pid, _, host = holder.partition(" ")
    here = host == socket.gethostname()
    if not pid.isdigit():
        who, stop = "another process", "stop it"
    elif here and int(pid) == os.getpid():
        who, stop = f"another run of this very process ({pid})", "stop it"
    elif here:
        who, stop = f"process {pid}", f"stop it (kill {pid})"
    else:
        who, stop = f"process {pid} on {host}", f"stop it (kill {pid} there)"
    return (
        f"{path} is in use: {who} writes to it. "
        f"Wait until that run ends, {stop}, or give this run a place of its own"
    )
