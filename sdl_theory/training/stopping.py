"""Ctrl-C and SIGTERM, heard between two steps and not in the middle of one."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

HEARD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def between_steps():
    """The signals asked for so far, in the list that this yields.

    A second one is thrown: KeyboardInterrupt, or of SIGTERM SystemExit(143). Signals that the
    process ignores (as SIGINT under nohup) stay ignored, other threads than the main one hear none,
    and at the end the handlers from before are back.
    """
    asked, usual = [], {number: signal.getsignal(number) for number in HEARD}

    def note(number, frame):
        if asked:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        asked.append(number)

    mine = [
        number
        for number, handler in usual.items()
        if callable(handler) or number == signal.SIGTERM and handler == signal.SIG_DFL
    ]
    if threading.current_thread() is not threading.main_thread():
        mine = []
    for number in mine:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number in mine:
            signal.signal(number, usual[number])
