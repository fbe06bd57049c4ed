"""The pings of one connection (RFC 5626 4.4.1): at random times, and each with an answer in time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from siprec_src.sip.flow import Flow

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"
_UNIFORM: Final = secrets.SystemRandom().uniform


class Pings:
    """Sends pings as long as a flow is to be kept.

    Args:
        pong_s: after a ping without any octet the connection is ``dead``.
        ping: sends one.
    """

    def __init__(self, pong_s: float, ping: Callable[[], None], dead: Callable[[], None]) -> None:
        self.kept: dict[Flow, float] = {}  #: for whom, and how often each wants a ping
        self.heard = False  #: something has come since the last one
        self._pong_s = pong_s
        self._ping = ping
        self._dead = dead
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, flow: Flow, interval_s: float) -> None:
        """Keep the connection for a flow from now on; 0: no more."""
        if interval_s:
            self.kept[flow] = interval_s
        else:
            self.kept.pop(flow, None)
        if not self.kept:
            self.stop()
        elif self._timer is None:
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        """80 to 100 % of the interval, so that connections do not all send at once."""
        most_s = min(self.kept.values())
        self._timer = asyncio.get_running_loop().call_later(_UNIFORM(0.8 * most_s, most_s), self._due)

    def _due(self) -> None:
        self.heard = False
        self._ping()
        self._timer = asyncio.get_running_loop().call_later(self._pong_s, self._pong_due)

    def _pong_due(self) -> None:
        """Whatever came since the ping shows that the way is open; silence that it is not."""
        if self.heard:
            self._wait()
        else:
            self._dead()
