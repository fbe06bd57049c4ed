"""A line that anybody can cause with a packet is written at most once a second."""

from __future__ import annotations

from typing import Final

from siprec_src.telemetry.log import Logger

EVERY_S: Final = 1.0


class SeldomLine:
    """One kind of warning; each line has the number of those that were left out before it."""

    def __init__(self, log: Logger, event: str) -> None:
        self._log = log
        self._event = event
        self._next = float("-inf")
        self._left_out = 0

    def write(self, now: float, **fields: object) -> None:
        """Write the line, or count it while the last one is too recent."""
        if now < self._next:
            self._left_out += 1
            return
        self._log.warning(self._event, **fields, left_out_before=self._left_out)
        self._next = now + EVERY_S
        self._left_out = 0
