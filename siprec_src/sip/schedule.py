"""Which timer is due next: a heap of timed things, O(log n) to arm, O(1) to ask.

An entry is pushed only when a thing is due earlier than its entry says; a thing that is due later, or no
more, is found out when its entry comes up. So a timer that moves costs nothing until it is due. Entries
that lie far ahead would hold what is over for long: they are cleared away whenever the heap has doubled.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Final, Protocol


class Timed(Protocol):
    """A thing with at most one deadline; ``queued`` belongs to the schedule and starts as None."""

    queued: float | None

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called, or None."""

    def wake(self, now: float) -> None:
        """Fire everything due at ``now``."""


_SMALL: Final = 64  #: entries for which clearing away is not worth while


class Schedule:
    """The timed things of one user agent, in order of their deadlines."""

    __slots__ = ("_clear_at", "_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._clear_at = _SMALL
        self._order = count()

    def __len__(self) -> int:
        self._settle()
        return len(self._heap)

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of all."""
        self._settle()
        return self._heap[0][0] if self._heap else None

    def arm(self, timed: Timed) -> None:
        """Take note that the deadline of ``timed`` may have changed."""
        due = timed.deadline
        if due is not None and (timed.queued is None or due < timed.queued):
            timed.queued = due
            heapq.heappush(self._heap, (due, next(self._order), timed))
            if len(self._heap) >= self._clear_at:
                self._clear()

    def wake(self, now: float) -> None:
        """Wake everything that is due at ``now``; what becomes due while doing so as well."""
        while self._heap and self._heap[0][0] <= now:
            timed = self._pop()
            due = timed.deadline
            if due is not None and due <= now:
                timed.wake(now)
            self.arm(timed)

    def _settle(self) -> None:
        """Put the first entry right: drop it when its thing has no deadline, move it when that is later."""
        while self._heap:
            at, _, timed = self._heap[0]
            due = timed.deadline
            if due is not None and due <= at:
                return
            self._pop()
            self.arm(timed)

    def _clear(self) -> None:
        """Drop every entry whose thing has no deadline, or a newer entry."""
        kept = []
        for entry in self._heap:
            at, _, timed = entry
            if timed.queued != at:
                continue
            if timed.deadline is None:
                timed.queued = None
            else:
                kept.append(entry)
        heapq.heapify(kept)
        self._heap = kept
        self._clear_at = max(_SMALL, 2 * len(self._heap))

    def _pop(self) -> Timed:
        at, _, timed = heapq.heappop(self._heap)
        if timed.queued == at:
            timed.queued = None
        return timed
