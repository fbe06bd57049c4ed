"""A server that does not answer is asked no more for a while, so that it delays no further call."""

from __future__ import annotations

from typing import Final

FAILURES: Final = 3  #: in a row, then it is left alone
REST_S: Final = 30.0  #: for so long; then one question is tried again


class Breaker:
    """What is known of one server."""

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until = 0.0

    def admits(self, now: float) -> bool:
        """Whether it may be asked now. While it rests one caller in `REST_S` tries it for all."""
        if self._failures < FAILURES:
            return True
        if now < self._rests_until:
            return False
        self._rests_until = now + REST_S
        return True

    def answered(self) -> None:
        """It is there."""
        self._failures = 0

    def failed(self, now: float) -> bool:
        """It did not answer; whether it is given up by this."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._rests_until = now + REST_S
        return self._failures == FAILURES
