"""How busy the event loop is: the share of time in which it does not wait for anything to do.

Time in which the loop could run and does not get the processor counts as busy too, as it should: what comes
meanwhile waits.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Final

from siprec_src.sip.throttle import SMOOTHING, Throttle
from siprec_src.telemetry.log import Logger

PERIOD_S: Final = 0.1
MOST_GROWTH: Final = 2.0  #: that is believed in: a few that talk say little of what many will cost
TELL_S: Final = 10.0  #: at most so often the log says that calls are refused


def expected_load(loads: Sequence[float], calls: int, talking: int) -> float:
    """How busy the media thread of the next call will be, when the calls that ring talk like the others.

    Args:
        loads: of each thread, the share of its time that it is busy now.
        calls: how many there are.
        talking: how many of them have been answered.
    """
    growth = min(MOST_GROWTH, calls / talking) if talking else 1.0
    return min(1.0, min(loads, default=0.0) * growth)


class _IdleSelector(selectors.DefaultSelector):
    """Counts the time that it waits."""

    idle_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        before = time.monotonic()
        ready = super().select(timeout)
        self.idle_s += time.monotonic() - before
        return ready


class Occupancy:
    """Tells a throttle how busy the loop is that was made by `new_loop`, and the log what came of it.

    ``media_load`` is how busy whoever carries the media of the next call will be (`expected_load`).
    """

    def __init__(self, throttle: Throttle, log: Logger, media_load: Callable[[], float]) -> None:
        self.load = 0.0  #: share of its time that the loop was busy of late
        self._throttle = throttle
        self._log = log
        self._media_load = media_load
        self._selector = _IdleSelector()
        self._begun = self._idle_s = 0.0
        self._told = 0
        self._tell_at = 0.0

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """The loop to measure."""
        return asyncio.SelectorEventLoop(self._selector)

    def start(self) -> None:
        """Measure as long as the loop runs."""
        self._begun, self._idle_s = time.monotonic(), self._selector.idle_s
        asyncio.get_running_loop().call_later(PERIOD_S, self._measure)

    def _measure(self) -> None:
        now = time.monotonic()
        idle_s = self._selector.idle_s - self._idle_s
        busy = max(0.0, 1.0 - idle_s / (now - self._begun))
        self.load += (busy - self.load) * SMOOTHING
        self._throttle.measured(busy)
        self._throttle.expected(self._media_load())
        refused = self._throttle.refused
        if refused != self._told and now >= self._tell_at:
            self._log.warning(
                "control.overloaded",
                load=round(self.load, 2),
                media_load=round(self._media_load(), 2),
                calls_refused=refused - self._told,
            )
            self._told, self._tell_at = refused, now + TELL_S
        self.start()
