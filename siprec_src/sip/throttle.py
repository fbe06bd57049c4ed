"""Overload control: how many new calls are taken while there is little time left (RFC 6357, RFC 3261 21.5.4).

By occupancy: of each period it is told which share of its time the process was busy, and it takes
the share of new calls that would bring this down, or up, to the limit. Whoever carries the calls becomes busy
by them later, and for as long as they last: of that it is told what is expected, and above the limit it takes
ever fewer, halfway between the limit and all the time none. Calls that run are never touched.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

SMOOTHING: Final = 0.5  #: weight of the newest period, so that one busy moment refuses hardly anybody
LEAST: Final = 0.02  #: share of new calls that is always taken: what is refused for ever is never measured
FASTEST: Final = 2.0  #: by which the share grows in one period
REMEMBERED: Final = 8192  #: refused calls that are still refused when their INVITE comes again


class Throttle:
    """Which new calls are refused. Made with ``max_load`` 1 it refuses none."""

    def __init__(self, max_load: float = 1.0) -> None:
        self.load = 0.0  #: share of its time that the process was busy of late, 0..1
        self.refused = 0  #: new calls, since the start
        self._max_load = max_load
        self._taken = 1.0  # share of new calls, for which there is time here
        self._carried = 1.0  # share of new calls, for which there is time where they are carried
        self._owed = 0.0  # refusals, fractions included
        self._known: dict[int, None] = {}  # hashes of the refused ones, oldest first: names may be long

    def measured(self, busy: float) -> None:
        """One more period is over, of which the process was busy this share."""
        self.load += (busy - self.load) * SMOOTHING
        wanted = self._taken * min(FASTEST, self._max_load / max(self.load, LEAST))
        self._taken = min(1.0, max(LEAST, wanted))
        if self._share == 1.0:
            self._owed = 0.0

    def expected(self, load: float) -> None:
        """Whoever carries a new call will be busy for this share of the time with those before it."""
        full = (1.0 + self._max_load) / 2
        if self._max_load < 1.0:
            self._carried = min(1.0, max(0.0, (full - load) / (full - self._max_load)))

    @property
    def _share(self) -> float:
        return min(self._taken, self._carried)

    def admits(self, call: Hashable) -> bool:
        """Whether the new call at the door is taken.

        Repetitions of one that was refused are refused too: their sender may have given up meanwhile, and
        nobody would be there to acknowledge the answer.
        """
        known = hash(call)
        if known in self._known:
            return False
        self._owed += 1.0 - self._share
        if self._owed < 1.0:
            return True
        self._owed -= 1.0
        self.refused += 1
        self._known[known] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return False
