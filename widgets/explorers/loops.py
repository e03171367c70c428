"""The kernel's loop and its interrupt button, while something trains beside other cells."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager


@contextmanager
def interruptible(stop, main: asyncio.AbstractEventLoop | None):
    """Let the kernel's interrupt button call `stop`: between cells IPython ignores it.

    main : the main thread's loop, to which signals belong; JupyterLab may bring clicks in another
        (a subshell).

    Where a cell has put a handler of its own there meanwhile, that one stays.
    """
    ours, before = lambda *_: stop(), []
    put = lambda: before.append(signal.signal(signal.SIGINT, ours))
    back = lambda: (
        signal.getsignal(signal.SIGINT) is ours and signal.signal(signal.SIGINT, before[0])
    )
    if main is None:
        yield
        return
    main.call_soon_threadsafe(put)
    try:
        yield
    finally:
        main.call_soon_threadsafe(back)


def main_loop() -> asyncio.AbstractEventLoop | None:
    """The main thread's running loop, asked from there; None elsewhere, and in scripts."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
