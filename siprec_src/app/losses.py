"""When it is told that events of the engine were lost: at once, then not again for a while.

The engine keeps a bounded number of events for the media process and counts what finds no room. Losing
begins when this process does not run as it should, which is no time to write a line for each. A machine.
"""

from __future__ import annotations

from typing import Final

INTERVAL_S: Final = 10.0  #: between two tellings


class Losses:
    """A count that only grows, and how much of it was told."""

    def __init__(self) -> None:
        self._count = 0
        self._told = 0
        self._silent_until = 0.0

    @property
    def deadline(self) -> float | None:
        """When the rest is to be told; None: all was."""
        return self._silent_until if self._count > self._told else None

    def counted(self, count: int) -> None:
        """The engine has lost so many events since it started."""
        self._count = count

    def due(self, now: float) -> int:
        """How many are to be told now; they count as told."""
        if self._count == self._told or now < self._silent_until:
            return 0
        fresh = self._count - self._told
        self._told = self._count
        self._silent_until = now + INTERVAL_S
        return fresh
