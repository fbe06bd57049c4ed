"""Proof that the control process's loop turns: it beats into a pipe, the supervisor counts the time between.

A process that is stopped, blocked or spinning looks alive to everybody else: its sockets are open and its
calls' media flow, but nobody answers. Only the beat is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final

BEAT_S: Final = 0.25
START_PATIENCE_S: Final = 30.0  #: for the first beat of a process that has just been started
READY: Final = b"r"
_BEAT: Final = b"."


class Heart:
    """The beating end, in the loop of the control process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)

    def start(self) -> None:
        """Beat as long as the loop turns."""
        self._write(_BEAT)
        self._loop.call_later(BEAT_S, self.start)

    def tell_ready(self) -> None:
        """Say that calls are taken from now on."""
        self._write(READY)

    def _write(self, data: bytes) -> None:
        # A full pipe: the supervisor is the one that is stopped, and has beats enough when it wakes.
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)


class Pulse:
    """The listening end: whether the other one has been silent for too long. It reads no clock."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s  # 0: silence means nothing
        self._heard = 0.0
        self._patience_s = START_PATIENCE_S
        self._checked = 0.0

    @property
    def interval_s(self) -> float:
        """How often `lost` is to be asked."""
        return min(1.0, self._limit_s / 4) or 1.0

    def started(self, now: float) -> None:
        """A new process: what the old one did counts no more."""
        self._heard = self._checked = now
        self._patience_s = max(START_PATIENCE_S, self._limit_s)

    def beat(self, now: float) -> None:
        self._heard = now
        self._patience_s = self._limit_s

    def lost(self, now: float) -> bool:
        """Whether the process must be taken for hung."""
        late_s = now - self._checked - self.interval_s
        self._checked = now
        if late_s > self.interval_s:
            # It is this process that did not run; the other one gets the time to beat again.
            self._heard = now
        return self._limit_s > 0 and now - self._heard > self._patience_s
