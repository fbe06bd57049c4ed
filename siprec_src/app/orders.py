"""The signals by which the supervisor commands its children, none of them lost while a child starts.

A child is started with them held back; what arrives before its handlers stand is delivered when they do.
"""

from __future__ import annotations

import contextlib
import faulthandler
import signal
from collections.abc import Iterator
from typing import Final

DRAIN: Final = signal.SIGTERM
END_NOW: Final = signal.SIGQUIT  #: a signal of its own: two SIGTERM that are pending at once would be one
RELOAD: Final = signal.SIGHUP
TRACEBACK: Final = signal.SIGUSR2  #: write where every thread is, and go on
_ALL: Final = frozenset({DRAIN, END_NOW, RELOAD})


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """What is started in here gets no order before it says `listening`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tell_tracebacks() -> None:
    """From now on this process writes where it is to standard error, on `TRACEBACK` and when it crashes."""
    faulthandler.enable()
    faulthandler.register(TRACEBACK)


def listening() -> None:
    """The handlers of this process stand; called in its main thread."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL)
