"""Calls that may not go on without a recording, and until when each of them may."""

from __future__ import annotations


class Required:
    """Those that no SRS gets now; each has the same grace, from the moment at which it lost its recording."""

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        self._until: dict[int, float] = {}  #: by call

    @property
    def deadline(self) -> float | None:
        """When the first of them is to be ended."""
        return min(self._until.values(), default=None)

    def watch(self, call: int, now: float, *, lacking: bool) -> None:
        """Whether this call has no recording that it must have."""
        if lacking:
            self._until.setdefault(call, now + self.grace_s)
        else:
            self._until.pop(call, None)

    def due(self, now: float) -> list[int]:
        """Those whose time is over; they are watched no more."""
        due = [call for call, until in self._until.items() if until <= now]
        for call in due:
            del self._until[call]
        return due
