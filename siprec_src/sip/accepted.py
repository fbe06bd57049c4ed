"""Our 2xx to an INVITE, repeated until its ACK comes, on streams too (RFC 3261 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from siprec_src.sip.incoming import Incoming
from siprec_src.sip.stack import Stack


class Accepted:
    """One 2xx that waits for its ACK."""

    __slots__ = ("_data", "_expires", "_interval_s", "_missing", "_repeat_at", "_stack", "incoming", "offered", "queued")  # fmt: skip  # noqa: E501

    def __init__(
        self,
        stack: Stack,
        incoming: Incoming,
        data: bytes,
        missing: Callable[[float], None],
        now: float,
        *,
        offered: bool,
    ) -> None:
        self._stack = stack
        self.incoming = incoming
        self.offered = offered  #: the 2xx carries an offer, so the ACK carries an answer
        self.queued: float | None = None
        self._data = data
        self._missing = missing
        self._interval_s = stack.timers.t1_s
        self._repeat_at: float | None = now + self._interval_s
        self._expires = now + stack.timers.give_up_s
        stack.schedule.arm(self)

    @property
    def deadline(self) -> float | None:
        return None if self._repeat_at is None else min(self._repeat_at, self._expires)

    def stop(self) -> None:
        """The ACK has come, or nobody waits for it any more."""
        self._repeat_at = None

    def wake(self, now: float) -> None:
        if self._repeat_at is None:
            return
        if self._expires <= now:
            self._repeat_at = None
            self._missing(now)
            return
        self._interval_s = min(self._interval_s * 2, self._stack.timers.t2_s)
        self._repeat_at = now + self._interval_s
        self.incoming.send(200, self._data, now)
